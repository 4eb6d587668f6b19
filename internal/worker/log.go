package worker

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
)

// NewLogger returns a logger that writes to w. If c sets no format, it writes text to a terminal and JSON elsewhere.
// Durations are written with their unit, such as 1.5s, in both formats.
func NewLogger(w io.Writer, c LogConfig) *slog.Logger {
	if !c.isJSON(w) {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: c.Level}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: c.Level, ReplaceAttr: withUnit}))
}

// isJSON reports whether a log on w is JSON.
func (c LogConfig) isJSON(w io.Writer) bool {
	return c.Format == "json" || c.Format == "" && !isTerminal(w)
}

// withUnit writes a duration as text. slog's JSON has bare nanoseconds.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// httpLog passes on the complaints of net/http, which have no level. Most are mistakes of clients. Failing to accept
// connections and a handler's panic are errors of this process.
type httpLog struct{ log *slog.Logger }

func (l httpLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelDebug
	if strings.HasPrefix(text, "http: Accept error") || strings.HasPrefix(text, "http: panic") {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "HTTP server", "err", text)
	return len(line), nil
}
