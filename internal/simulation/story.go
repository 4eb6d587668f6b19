package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// story is what happened in a run, for people.
type story struct {
	world *world
	lines []storyLine
}

type storyLine struct {
	at   time.Duration
	who  string
	text string
}

func (s *story) add(who, text string) {
	s.lines = append(s.lines, storyLine{s.world.now(), who, text})
}

// subjects are the messages and users that a text is about.
var subjects = regexp.MustCompile(`u[0-9]+\.[0-9]+|user [0-9]+`)

// tellOf returns the story: what befell the instances, and what the users did whom the first anomalies are about.
// Without anomalies it is about all.
func (s *story) tellOf(anomalies []Anomaly) string {
	about := make(map[string]bool)
	for _, a := range anomalies[:min(3, len(anomalies))] {
		for _, subject := range subjects.FindAllString(a.Text, -1) {
			about[subject] = true
			if author, _, ok := strings.Cut(subject, "."); ok {
				about["user "+author[1:]] = true
			}
		}
	}
	var b strings.Builder
	for _, l := range s.lines {
		message := subjects.FindString(l.text)
		if strings.HasPrefix(l.who, "user ") && len(about) > 0 && !(about[l.who] && message == "" || about[message]) {
			continue
		}
		fmt.Fprintf(&b, "%9.3fs  %-8s %s\n", l.at.Seconds(), l.who, l.text)
	}
	return b.String()
}

// logHandler puts into the story what an instance logs.
type logHandler struct {
	world *world
	who   string
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	if h.world.story == nil {
		return nil
	}
	var b strings.Builder
	b.WriteString("logs: " + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	h.world.story.add(h.who, b.String())
	return nil
}

func (h *logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *logHandler) WithGroup(string) slog.Handler      { return h }
