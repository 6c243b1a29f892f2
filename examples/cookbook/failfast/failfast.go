// Package failfast runs many calls and stops at the first error that concerns them all, such as a wrong key.
package failfast

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"example.com/fairlead/scheduler"
)

// Fatal marks an error after which no other call can succeed.
type Fatal struct{ Err error }

func (f Fatal) Error() string { return f.Err.Error() }
func (f Fatal) Unwrap() error { return f.Err }

// Each calls fn for each input, and gives every result to done, one at a time. The first Fatal error stops it. The calls
// that run are then canceled, the others never start, and all have ended when Each returns.
func Each[In, Out any](ctx context.Context, s *scheduler.Scheduler, inputs iter.Seq[In],
	fn func(context.Context, In) (Out, error), done func(scheduler.Result[In, Out])) error {
	for res := range scheduler.Stream(ctx, s, inputs, fn) {
		var fatal Fatal
		if errors.As(res.Err, &fatal) {
			return fmt.Errorf("input %d: %w", res.Index, res.Err) // leaving the loop cancels the rest
		}
		done(res)
	}
	return ctx.Err()
}
