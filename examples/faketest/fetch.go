// Package faketest shows how to test code that uses a scheduler: without waiting.
package faketest

import (
	"context"

	"example.com/fairlead/scheduler"
)

// Fetch gets a page, with all the patience that the scheduler has been told to have.
func Fetch(ctx context.Context, s *scheduler.Scheduler, get func(context.Context) (string, error)) (string, error) {
	return scheduler.Value(ctx, s, get, scheduler.Name("fetch"))
}
