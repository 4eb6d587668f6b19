// Package pause waits.
package pause

import (
	"context"
	"time"
)

// For waits for d, or not at all if d is not positive. It returns ctx's error if ctx has ended by then.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
