package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"go.opentelemetry.io/otel"
)

// Exit statuses of Main, besides 0 for an orderly end.
const (
	exitFailure = 1 // the worker could not start or ended with an error
	exitUsage   = 2 // the environment has unusable values
)

// gcPercent bounds garbage to half of the live heap. Most of the heap is idle connections, and a chat message allocates
// little, so that collecting more often than by Go's default costs little time.
const gcPercent = 50

const usage = `usage: worker [command]

Without a command the worker serves the chat until SIGTERM, SIGHUP or Ctrl-C. Its settings are environment
variables; the README has a table of them.

  check    print the settings in force, what the store has, and what of all that cannot work; exit with 2 if
           something cannot. The store is only read
  export room NAME
  export user NICKNAME
  export user #NUMBER
           print what the store has of a room or a user as JSON, one object a line, the newest first; a worker may be
           writing the store. A nickname may have been several people's: "user" in each line tells them apart, and
           its number selects what one of them has said under any nickname
  void INDEX
           serve, but do not apply the entry of the store with this log index at the start, because that ends the
           process or takes for ever. It is left out for good: later starts need no command. In a cluster, end all
           other instances first
  version  print the version
  help     print this text
`

// Command does what the arguments after the program's name ask for, and returns the exit status of the process. Without
// arguments it is Main, and its log goes to stderr.
func Command(
	ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer,
	listen func(Config) (net.Listener, error),
) int {
	if len(args) == 0 {
		return Main(ctx, getenv, stderr, listen)
	}
	if args[0] == "export" {
		return export(ctx, args[1:], getenv, stdout, stderr)
	}
	if args[0] == "void" && len(args) == 2 {
		if index, err := strconv.ParseUint(args[1], 10, 64); err == nil && index > 0 {
			return runOne(ctx, getenv, stderr, listen, index)
		}
	}
	if len(args) == 1 {
		switch args[0] {
		case "check":
			return check(ctx, getenv, stdout, stderr)
		case "version", "-version", "--version":
			fmt.Fprintln(stdout, "chatapp worker", Version())
			return 0
		case "help", "-h", "-help", "--help":
			fmt.Fprint(stdout, usage)
			return 0
		}
	}
	fmt.Fprintf(stderr, "unknown arguments %q\n%s", args, usage)
	return exitUsage
}

// check prints the settings in force by name, one line each, what the store has, and then a line for each setting that
// cannot work. It opens no connection to the bus.
func check(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) int {
	v := &variables{getenv: getenv}
	config := v.config()
	slices.SortFunc(v.settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, s := range v.settings {
		origin := ""
		if !s.IsSet {
			origin = "(default)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, s.Value, origin)
	}
	_ = table.Flush()
	if len(v.errs) == 0 {
		if _, err := newCluster(config, slog.New(slog.DiscardHandler)); err != nil {
			v.errs = append(v.errs, err)
		}
	}
	if len(v.errs) == 0 {
		found, err := checkStore(ctx, config.Store, slog.New(slog.NewTextHandler(stderr, nil)))
		if err != nil {
			fmt.Fprintf(stdout, "\nThe store cannot be read, so that a start waits:\n%v\n", err)
			return exitUsage
		}
		fmt.Fprintf(stdout, "\nstore %s\n", found)
		return 0
	}
	fmt.Fprintf(stdout, "\n%d settings cannot work:\n%v\n", len(v.errs), v.err())
	return exitUsage
}

// Main runs one worker until ctx ends, logs to stderr, and returns the exit status of the process: 0 after an orderly
// end, 1 after a failure, 2 for an unusable environment. It calls listen after it has checked the configuration. Unless
// GOGC is set, it changes the garbage collector's target for the whole process, and it sends OpenTelemetry's errors to
// its log.
func Main(
	ctx context.Context, getenv func(string) string, stderr io.Writer, listen func(Config) (net.Listener, error),
) int {
	return runOne(ctx, getenv, stderr, listen, 0)
}

// runOne is Main, with Config.Void.
func runOne(
	ctx context.Context, getenv func(string) string, stderr io.Writer, listen func(Config) (net.Listener, error),
	void uint64,
) int {
	v := &variables{getenv: getenv}
	config := v.config()
	config.Void = void
	log := NewLogger(stderr, config.Log)
	if len(v.errs) > 0 {
		reportUnusable(stderr, config.Log, log, v.errs)
		return exitUsage
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry failed", "err", err) }))
	if config.TuneGC {
		debug.SetGCPercent(gcPercent)
	}
	w, err := New(config, log)
	if _, unusable := errors.AsType[*ConfigError](err); unusable {
		reportUnusable(stderr, config.Log, log, []error{err})
		return exitUsage
	}
	if err == nil {
		var listener net.Listener
		if listener, err = listen(config); err == nil {
			err = w.Serve(ctx, listener)
		}
	}
	if err != nil {
		log.Error("worker failed", "err", err)
		return exitFailure
	}
	return 0
}

// reportUnusable writes a line for each unusable setting: for people as it is, and as a record where the log is JSON.
func reportUnusable(stderr io.Writer, c LogConfig, log *slog.Logger, errs []error) {
	for _, err := range errs {
		if c.isJSON(stderr) {
			log.Error("unusable setting", "err", err)
		} else {
			fmt.Fprintln(stderr, err)
		}
	}
}

// Listen listens on the configured address and port.
func Listen(config Config) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(config.Host, strconv.Itoa(config.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen on PORT %d: %w", config.Port, err)
	}
	return listener, nil
}
