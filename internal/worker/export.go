package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"chatapp/internal/chat"
)

// export prints what the store of the settings has of a room or a user. A worker may be writing it.
func export(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	v := &variables{getenv: getenv}
	config := v.config()
	if len(v.errs) > 0 {
		fmt.Fprintln(stderr, v.err())
		return exitUsage
	}
	which, err := selection(args)
	_, open := config.Store.opener(slog.New(slog.NewTextHandler(stderr, nil)))
	if err == nil && open == nil {
		err = errors.New("export: by these settings there is no store")
	}
	if err == nil && config.Store.Folder != "" {
		_, err = os.Stat(config.Store.Folder) // to open it would make it
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	s, err := open()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	out := bufio.NewWriter(stdout)
	n, err := chat.Export(ctx, s, which, out)
	for _, further := range []error{out.Flush(), s.Close()} {
		if err == nil {
			err = further
		}
	}
	fmt.Fprintln(stderr, n, "lines exported")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	return 0
}

// selection reads the arguments of export.
func selection(args []string) (which chat.Selection, err error) {
	const unusable = "export %s: say \"room NAME\", \"user NICKNAME\" or \"user #NUMBER\""
	if len(args) != 2 {
		return which, fmt.Errorf(unusable, strings.Join(args, " "))
	}
	number, isNumber := strings.CutPrefix(args[1], "#")
	switch {
	case args[0] == "room":
		return chat.Selection{Room: args[1]}, nil
	case args[0] == "user" && isNumber:
		if which.User, err = strconv.ParseUint(number, 16, 64); err != nil || which.User == 0 {
			return which, fmt.Errorf("export: %q is no number of a user, which is hexadecimal", args[1])
		}
		return which, nil
	case args[0] == "user" && args[1] != "":
		return chat.Selection{Nickname: args[1]}, nil
	}
	return which, fmt.Errorf(unusable, strings.Join(args, " "))
}
