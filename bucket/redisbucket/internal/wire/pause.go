package wire

import (
	"context"
	"time"

	"example.com/fairlead/clock"
)

// Pause waits for a second, before a new subscription when a connection broke. It returns the error of a context
// that is done.
func Pause(ctx context.Context) error {
	timer := clock.Plain().NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
