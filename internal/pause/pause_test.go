package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	for _, row := range []struct {
		name        string
		d, ends     time.Duration // ends: when ctx does
		took        time.Duration
		interrupted bool
	}{
		{"goes by", time.Second, time.Minute, time.Second, false},
		{"interrupted", time.Minute, time.Second, time.Second, true},
		{"none", 0, time.Second, 0, false},
		{"negative", -time.Second, time.Second, 0, false},
		{"none, interrupted", 0, 0, 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), row.ends)
				defer cancel()
				start := time.Now()
				err := For(ctx, row.d)
				if errors.Is(err, context.DeadlineExceeded) != row.interrupted || !row.interrupted && err != nil {
					t.Errorf("For() = %v, want an error: %v", err, row.interrupted)
				}
				if took := time.Since(start); took != row.took {
					t.Errorf("it took %v, want %v", took, row.took)
				}
			})
		})
	}
}
