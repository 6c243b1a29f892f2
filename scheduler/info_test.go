package scheduler_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// waysWithInfo has the ways to make a call for whose context CallInfo works, with the call's options.
var waysWithInfo = map[string]func(context.Context, *scheduler.Scheduler, func(context.Context) error, ...scheduler.Option) error{
	"Do": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) error {
		return s.Do(ctx, fn, opts...)
	},
	"Do with CostOf": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) error {
		return s.Do(ctx, fn, append(opts, scheduler.CostOf("", 3))...)
	},
	"Submit": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) error {
		h, err := s.Submit(ctx, fn, opts...)
		if err != nil {
			return err
		}
		return settled(h)
	},
	"Submit, watched": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) error {
		h, err := s.Submit(ctx, fn, append(opts, scheduler.OnProgress(func(scheduler.Progress) {}))...)
		if err != nil {
			return err
		}
		return settled(h)
	},
	"Stream": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) (err error) {
		call := func(ctx context.Context, _ int) (int, error) { return 0, fn(ctx) }
		each := scheduler.OptionsFor(func(int) []scheduler.Option { return opts })
		for res := range scheduler.Stream(ctx, s, slices.Values([]int{1}), call, each) {
			err = res.Err
		}
		return err
	},
}

// infoOf returns what CallInfo says in a call, or the zero Info.
func infoOf(ctx context.Context) scheduler.Info {
	info, _ := scheduler.CallInfo(ctx)
	return info
}

// CallInfo describes each attempt as its events do: number, name, attempt, cost, and when it was granted
// (C15, CallInfo).
func TestCallInfo(t *testing.T) {
	for name, way := range waysWithInfo {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				sub := s.Subscribe(events.Of(events.Granted))
				go func() { _ = s.Do(t.Context(), nothing) }()
				require.EqualValues(t, 1, (<-sub.C).Call)
				var infos []scheduler.Info
				err := way(t.Context(), s, func(ctx context.Context) error {
					time.Sleep(time.Millisecond)
					derived, cancel := context.WithCancel(context.WithValue(ctx, testKey{}, 1))
					defer cancel()
					info, ok := scheduler.CallInfo(derived)
					require.True(t, ok)
					if infos = append(infos, info); len(infos) < 3 {
						return retry.Transient(errBusy)
					}
					return nil
				}, scheduler.Cost(3), scheduler.Name("three"))
				require.NoError(t, err)
				require.Len(t, infos, 3)
				for i, info := range infos {
					ev := <-sub.C
					require.Equal(t, scheduler.Info{Call: 2, Name: "three", Attempt: i + 1, Cost: 3, Granted: ev.At}, info)
					require.Equal(t, scheduler.Info{Call: ev.Call, Name: ev.Name, Attempt: ev.Attempt, Cost: ev.Cost, Granted: ev.At}, info)
				}
			})
		})
	}
}

// When the attempt is over, a context that was kept describes nothing, also during the next attempt and the
// next call (C15; H93).
func TestH93_InfoEndsWithTheAttempt(t *testing.T) {
	for name, way := range waysWithInfo {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.PerSecond(1000), Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				var kept []context.Context
				for range 3 * 4 { // also by the fast path, where calls are used again
					attempts := 0
					require.NoError(t, way(t.Context(), s, func(ctx context.Context) error {
						for _, old := range kept {
							require.Zero(t, infoOf(old))
						}
						attempts++
						require.Equal(t, attempts, infoOf(ctx).Attempt)
						kept = append(kept, ctx, context.WithoutCancel(ctx))
						if attempts < 2 {
							return retry.Transient(errBusy)
						}
						return nil
					}, scheduler.Cost(1)))
				}
				for _, old := range kept {
					_, ok := scheduler.CallInfo(old)
					require.False(t, ok)
				}
			})
		})
	}
}

// Panics and Goexit end the attempt as well (C15).
func TestInfoEndsWithAPanic(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var kept context.Context
		keep := func(ctx context.Context) error { kept = ctx; panic("keep") }
		require.Panics(t, func() { _ = s.Do(t.Context(), keep, scheduler.Cost(1)) })
		require.Zero(t, infoOf(kept))
		require.Error(t, settled(submit(t, s, keep)))
		require.Zero(t, infoOf(kept))
		submit(t, s, func(ctx context.Context) error { kept = ctx; runtime.Goexit(); return nil })
		synctest.Wait()
		require.Zero(t, infoOf(kept))
	})
}

// The function of a Do without a cost has its caller's context, so CallInfo describes the call around it or
// nothing (C15).
func TestNoInfoOfItsOwn(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var none context.Context
		for _, ctx := range []context.Context{none, t.Context()} {
			info, ok := scheduler.CallInfo(ctx)
			require.Zero(t, info)
			require.False(t, ok)
		}
		for _, opts := range [][]scheduler.Option{nil, {scheduler.Name("a")}, {scheduler.Priority(1), scheduler.NoWait()}} {
			require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
				require.Equal(t, t.Context(), ctx)
				require.Zero(t, infoOf(ctx))
				return nil
			}, opts...))
			require.NoError(t, settled(submit(t, s, func(ctx context.Context) error {
				outer := infoOf(ctx)
				return s.Do(ctx, func(ctx context.Context) error {
					require.Equal(t, outer, infoOf(ctx))
					return nil
				}, opts...)
			}, scheduler.Name("around"))))
		}
	})
}

// The innermost call counts, whichever scheduler it is of (C15).
func TestInfoOfNestedCalls(t *testing.T) {
	for outer, first := range waysWithInfo {
		for inner, second := range waysWithInfo {
			t.Run(inner+" in "+outer, func(t *testing.T) {
				bubble(t, scheduler.Config{}, func(t *testing.T, a *scheduler.Scheduler) {
					b, names := open(t, scheduler.Config{}), []string(nil)
					note := func(ctx context.Context) { names = append(names, infoOf(ctx).Name) }
					within := func(way func(context.Context, *scheduler.Scheduler, func(context.Context) error, ...scheduler.Option) error,
						s *scheduler.Scheduler, name string, fn func(context.Context) error) func(context.Context) error {
						return func(ctx context.Context) error {
							note(ctx)
							err := way(ctx, s, fn, scheduler.Name(name), scheduler.Cost(1))
							note(ctx)
							return err
						}
					}
					last := func(ctx context.Context) error { note(ctx); return nil }
					calls := within(first, a, "a1", within(second, b, "b", within(first, a, "a2", last)))
					require.NoError(t, calls(t.Context()))
					require.Equal(t, []string{"", "a1", "b", "a2", "b", "a1", ""}, names)
				})
			})
		}
	}
}
