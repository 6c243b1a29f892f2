// Package bubble tests a job of half an hour in no time.
package bubble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/fairlead/scheduler"
)

// Export sends each record, and gives up after half an hour. It returns how many records were sent, and the
// errors of the others.
func Export(ctx context.Context, s *scheduler.Scheduler, records []string, send func(context.Context, string) error) (sent int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	one := func(ctx context.Context, record string) (struct{}, error) { return struct{}{}, send(ctx, record) }
	for res := range scheduler.Stream(ctx, s, slices.Values(records), one, scheduler.Ordered()) {
		if res.Err != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", res.Input, res.Err))
			continue
		}
		sent++
	}
	return sent, err
}
