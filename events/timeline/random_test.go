package timeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// realRun returns the events of a scheduler in virtual time. Its calls have several costs and
// priorities, with odd seeds also keys, fail, cause holds, and are canceled; and there is a pause.
func realRun(t *testing.T, seed uint64) (list []events.Event) {
	random := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{
			Limit: bucket.PerSecond(3).Burst(5), MaxInFlight: random.IntN(4), EventBuffer: 1 << 14, PriorityStep: time.Second,
			Retry: retry.Policy{MaxRetries: 3, Initial: time.Second, Seed: seed + 1},
		})
		require.NoError(t, err)
		sub := s.Subscribe(events.All)
		ctx, cancel := context.WithCancel(context.Background())
		for i := range 60 {
			time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
			options := []scheduler.Option{scheduler.Name(fmt.Sprint("job ", i)), scheduler.Cost(1 + random.Int64N(3)), scheduler.Priority(random.IntN(5))}
			if seed%2 == 1 {
				options = append(options, scheduler.Key([]string{"", "acme", "noisy", "noisy"}[i%4]))
			}
			if random.IntN(5) == 0 {
				options = append(options, scheduler.Delay(time.Duration(random.IntN(5000))*time.Millisecond))
			}
			lasts, fails, end := time.Duration(random.IntN(1500))*time.Millisecond, random.IntN(8), ctx
			if i%3 != 0 {
				end = context.Background()
			}
			_, _ = s.Submit(end, func(context.Context) error {
				time.Sleep(lasts)
				switch fails {
				case 0:
					return errors.New("no such thing")
				case 1:
					return retry.Transient(errors.New("connection reset"))
				case 2:
					fails = 7
					return retry.After(errors.New("slow down"), lasts)
				}
				return nil
			}, options...)
			switch i {
			case 20:
				s.Pause()
			case 25:
				s.Resume()
			}
		}
		cancel()
		require.NoError(t, s.WaitIdle(context.Background()))
		_, err = s.Shutdown(context.Background())
		require.NoError(t, err)
		for ev := range sub.C {
			require.Zero(t, ev.Missed)
			list = append(list, ev)
		}
	})
	return list
}

// TestPartsAreTheTimes checks that the spans of each call of a real run add up to its times, part
// by part.
func TestPartsAreTheTimes(t *testing.T) {
	kinds, spans, turns := events.Kinds(0), 0, false
	for seed := range uint64(20) {
		list := realRun(t, seed)
		calls := map[uint64]drawnCall{}
		for _, c := range readTrace(t, timelineOf(list...)).calls(t) {
			calls[c.whole.Args.Call] = c
		}
		for _, ev := range list {
			kinds |= events.Of(ev.Kind)
			if !ev.Kind.Ends() || ev.Kind == events.Refused {
				continue
			}
			c := calls[ev.Call]
			require.Equal(t, ev.Times.String(), c.whole.Args.Times)
			turns = turns || ev.Times.Turn > 0
			require.Equal(t, noTurn(ev.Times), c.times(t), "seed %d: %v", seed, ev)
			require.Empty(t, c.whole.Args.Note, "seed %d: %v", seed, ev)
			require.Equal(t, ev.Kind.String(), c.whole.Args.Outcome)
			spans += len(c.parts)
		}
	}
	require.Equal(t, events.All&^events.Of(events.Refused, events.Dropped, events.Closed, events.RateChanged, events.StoreAway, events.StoreBack, events.StoreReset, events.LimitChanged), kinds, "the runs have all these kinds of events")
	require.Greater(t, spans, 5000)
	require.True(t, turns)
}

// noTurn returns times without the turn, which is no span.
func noTurn(t events.Times) events.Times {
	t.Turn = 0
	return t
}

// TestWhateverIsLost drops any events of a real run. Every call whose last event is there has its
// times.
func TestWhateverIsLost(t *testing.T) {
	list := realRun(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		var tl timeline.Timeline
		missed := uint64(0)
		ends := map[uint64]events.Times{}
		for _, ev := range list {
			if rapid.IntRange(0, 3).Draw(t, "lost if 0") == 0 {
				missed++
				continue
			}
			ev.Missed, missed = missed, 0
			tl.Add(ev)
			if ev.Kind.Ends() && ev.Kind != events.Refused {
				ends[ev.Call] = noTurn(ev.Times)
			}
		}
		found := 0
		for _, c := range readTrace(t, &tl).calls(t) {
			if times, over := ends[c.whole.Args.Call]; over {
				require.Equal(t, times, c.times(t), "%v", c.whole)
				found++
			}
		}
		require.Equal(t, len(ends), found)
	})
}

// anyEvent returns a generator of events that need not make sense.
func anyEvent() *rapid.Generator[events.Event] {
	duration := rapid.OneOf(
		rapid.Map(rapid.Int64Range(0, 5), func(n int64) time.Duration { return time.Duration(n) * time.Second }),
		rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.SampledFrom([]time.Duration{math.MaxInt64, math.MinInt64, -1, 1}),
	)
	instant := rapid.OneOf(
		rapid.Map(duration, func(d time.Duration) time.Time { return noon.Add(d) }),
		rapid.SampledFrom([]time.Time{{}, time.Unix(1<<60, 0), time.Unix(-1<<60, 0)}),
	)
	return rapid.Custom(func(t *rapid.T) events.Event {
		ev := events.Event{
			At: instant.Draw(t, "at"), Kind: events.Kind(rapid.IntRange(0, 20).Draw(t, "kind")),
			Call: rapid.OneOf(rapid.Uint64Range(0, 4), rapid.Uint64()).Draw(t, "call"), Name: rapid.String().Draw(t, "name"),
			Attempt: rapid.Int().Draw(t, "attempt"), Cost: rapid.Int64().Draw(t, "cost"),
			Missed: rapid.SampledFrom([]uint64{0, 0, 0, 1, math.MaxUint64}).Draw(t, "missed"), Available: rapid.Int64().Draw(t, "available"),
			Delay: duration.Draw(t, "delay"), Until: instant.Draw(t, "until"), Rate: rapid.Float64().Draw(t, "rate"),
			Times: events.Times{Queue: duration.Draw(t, "queue"), Run: duration.Draw(t, "run"), Hold: duration.Draw(t, "hold")},
		}
		if rapid.Bool().Draw(t, "failed") {
			ev.Err = errors.New(rapid.String().Draw(t, "error"))
		}
		return ev
	})
}

// TestWhateverComes adds any events in any order. The output can be read, is the same each time,
// and has at most MaxCalls calls.
func TestWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tl := timeline.Timeline{MaxCalls: rapid.IntRange(-1, 5).Draw(t, "most")}
		for _, ev := range rapid.SliceOfN(anyEvent(), 0, 60).Draw(t, "events") {
			tl.Add(ev)
		}
		calls := readTrace(t, &tl).calls(t)
		page := readPage(t, &tl)
		require.Equal(t, len(calls), page.rows)
		if tl.MaxCalls > 1 {
			require.LessOrEqual(t, len(calls), tl.MaxCalls)
		}
		var again bytes.Buffer
		require.NoError(t, tl.WriteHTML(&again))
		require.Equal(t, page.text, again.String())
	})
}

// panicking is an error whose method panics if it has no text.
type panicking struct{ text *string }

func (p panicking) Error() string { return *p.text }

func TestErrorThatPanics(t *testing.T) {
	list := handMade()
	for i := range list {
		if list[i].Err != nil {
			list[i].Err = panicking{}
		}
	}
	require.Contains(t, readTrace(t, timelineOf(list...)).calls(t)[1].whole.Args.Error, "PANIC=Error method")
}
