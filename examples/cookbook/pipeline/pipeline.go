// Package pipeline fans work out through two quotas, one after the other, in constant memory.
package pipeline

import (
	"context"
	"iter"

	"example.com/fairlead/scheduler"
)

// Stage is a step of the work, and the scheduler whose quota it uses.
type Stage struct {
	Scheduler *scheduler.Scheduler
	Do        func(context.Context, string) (string, error)
}

// Item is what has become of an input.
type Item struct {
	Input string
	Value string
	Err   error // of the stage at which it has ended
}

// lookAhead is how many items a stage has in hand: read, and their results not yet taken.
const lookAhead = 64

// Run yields an item for each input, in their order, when it is through both stages or has failed at one.
func Run(ctx context.Context, inputs iter.Seq[string], first, second Stage) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // a loop that is left early ends both stages
		items := through(ctx, second, through(ctx, first, read(inputs)))
		for item := range items {
			if !yield(item) {
				return
			}
		}
	}
}

func read(inputs iter.Seq[string]) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for in := range inputs {
			if !yield(Item{Input: in, Value: in}) {
				return
			}
		}
	}
}

// through takes items through a stage. One that has failed before passes, and pays nothing.
func through(ctx context.Context, stage Stage, items iter.Seq[Item]) iter.Seq[Item] {
	do := func(ctx context.Context, item Item) (string, error) {
		if item.Err != nil {
			return item.Value, nil
		}
		return stage.Do(ctx, item.Value)
	}
	cost := func(item Item) []scheduler.Option {
		if item.Err != nil {
			return []scheduler.Option{scheduler.Cost(0)}
		}
		return nil
	}
	results := scheduler.Stream(ctx, stage.Scheduler, items, do,
		scheduler.Ordered(), scheduler.LookAhead(lookAhead), scheduler.OptionsFor(cost))
	return func(yield func(Item) bool) {
		for res := range results {
			item := res.Input
			if item.Err == nil {
				item.Value, item.Err = res.Value, res.Err
			}
			if !yield(item) {
				return
			}
		}
	}
}
