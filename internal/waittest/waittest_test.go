package waittest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a test whose failure ends only the goroutine it runs on.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestUntilReturnsWhenConditionHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		Until(t, "three seconds are over", func() bool { return time.Since(start) >= 3*time.Second })
		if took := time.Since(start); took > 3*time.Second+maxPause {
			t.Errorf("Until returned after %v, want 3s and a pause at most", took)
		}
	})
}

func TestUntilNilReportsTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			UntilNil(r, "the cluster is ready", func() error { return errors.New("instance b joins") })
		}()
		<-ended
		for _, part := range []string{"the cluster is ready", "instance b joins", limit.String()} {
			if !strings.Contains(r.failure, part) {
				t.Errorf("failure %q lacks %q", r.failure, part)
			}
		}
	})
}
