package audit

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/logtest"
)

func TestRepeatedActionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out logtest.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)))
		for range 500 {
			l.Record("refused", "192.0.2.1", "Mallory")
		}
		l.Record("claim", "192.0.2.2", "Ann")
		if n := out.Count("\n"); n != 2 {
			t.Errorf("%d lines at once, want one for each action:\n%s", n, out.String())
		}
		time.Sleep(every + time.Second)
		synctest.Wait()
		if !strings.Contains(out.String(), "action=refused remote=192.0.2.1 user=Mallory count=499") {
			t.Errorf("no line has the count:\n%s", out.String())
		}
		for i := range 3 * maxHeld {
			l.Record("claim", fmt.Sprint(i), "")
		}
		l.Close()
		if n := out.Count("\n"); n > 2*maxHeld {
			t.Errorf("%d lines, want no more than the bound for so many clients", n)
		}
	})
}
