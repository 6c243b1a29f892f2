// Package pipeline runs items through two quotas, one after the other, in constant memory.
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

// Item is the result for an input.
type Item struct {
	Input string
	Value string
	Err   error // of the stage that has failed
}

// lookAhead bounds the items of a stage that are read and whose results are not taken yet.
const lookAhead = 64

// Run yields an item for each input, in order, when both stages are done or one has failed.
func Run(ctx context.Context, inputs iter.Seq[string], first, second Stage) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // if the loop is left early, end both stages
		items := runStage(ctx, second, runStage(ctx, first, toItems(inputs)))
		for item := range items {
			if !yield(item) {
				return
			}
		}
	}
}

func toItems(inputs iter.Seq[string]) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for in := range inputs {
			if !yield(Item{Input: in, Value: in}) {
				return
			}
		}
	}
}

// runStage runs items through a stage. An item that has failed before is passed on, and pays nothing.
func runStage(ctx context.Context, stage Stage, items iter.Seq[Item]) iter.Seq[Item] {
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
