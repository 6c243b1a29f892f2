package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// TestD2_ThreeWaysOneTrace checks that the same calls at the same instants give the same events, to
// the nanosecond. It steps the core by hand, and runs a scheduler in a bubble on the system clock
// and on a mock.
func TestD2_ThreeWaysOneTrace(t *testing.T) {
	all := ""
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { all += newWorkload(seed).runThreeWays(t) })
	}
	for kind := events.Queued; kind <= events.Later; kind++ {
		if kind != events.Started && kind != events.Closed {
			require.Contains(t, all, kind.String(), "the workloads should have some events of each kind")
		}
	}
}

// runThreeWays runs the workload in each way, and returns the trace.
func (w *workload) runThreeWays(t *testing.T) string {
	byHand := w.runByHand(t)
	var inBubble, onMock string
	synctest.Test(t, func(t *testing.T) {
		inBubble = w.runLive(t, clock.System(), time.Sleep, time.Sleep)
	})
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		onMock = w.runLive(t, mock, mock.Sleep, mock.Add)
	})
	require.Equal(t, byHand, inBubble, "the system clock in a bubble")
	require.Equal(t, byHand, onMock, "a mock in a bubble")
	return byHand
}

// workload has all inputs of a run. Their instants are odd to the nanosecond, so that no two are
// equal.
type workload struct {
	cfg   Config
	calls []workCall
	turns []workTurn
	end   time.Duration
}

// workTurn is a change while calls wait, as a method of the scheduler and of the core.
type workTurn struct {
	at   time.Duration
	live func(*Scheduler) error
	core func(*core.Core, time.Duration)
}

type workCall struct {
	key      string
	weight   int // 0: it has no Weight
	cost     int64
	priority int
	arrives  time.Duration
	cancels  time.Duration // 0: never
	attempts []workAttempt // what they do; the last one succeeds
}

type workAttempt struct {
	takes time.Duration
	fails error
}

func newWorkload(seed uint64) *workload {
	rnd := rand.New(rand.NewPCG(seed, 1))
	upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(rnd.Int64N(int64(d))) }
	w := &workload{
		end: 24 * time.Hour,
		cfg: Config{
			Adaptive:     seed%2 == 0,
			Limit:        bucket.PerSecond(7).Burst(20),
			Retry:        retry.Policy{MaxRetries: 3, Initial: 500 * time.Millisecond, Seed: seed + 1},
			MaxInFlight:  12,
			MaxQueued:    30,
			Overflow:     DropLowest,
			PriorityStep: 5 * time.Second,
			EventBuffer:  1 << 14,
		},
	}
	failures := []error{
		retry.Transient(errors.New("flaky")),
		retry.Transient(errors.New("flaky again")),
		retry.RateLimited(errors.New("slow down")),
		retry.After(errors.New("busy"), 3*time.Second),
		errors.New("broken"),
	}
	at := time.Duration(0)
	for range 200 {
		at += upTo(200 * time.Millisecond)
		c := workCall{cost: rnd.Int64N(6), priority: rnd.IntN(4) - 1, arrives: at}
		if at > 6*time.Second {
			c.cost = min(c.cost, 4) // a higher cost would be refused before it reaches the core
		}
		if rnd.IntN(5) == 0 {
			c.cancels = at + upTo(10*time.Second)
		}
		for range rnd.IntN(3) * rnd.IntN(3) {
			c.attempts = append(c.attempts, workAttempt{upTo(time.Second), failures[rnd.IntN(len(failures))]})
		}
		c.attempts = append(c.attempts, workAttempt{takes: upTo(time.Second)})
		w.calls = append(w.calls, c)
	}
	w.turns = []workTurn{
		{upTo(5 * time.Second), (*Scheduler).Pause, func(k *core.Core, now time.Duration) { k.Pause(now, bucket.Forever) }},
		{5*time.Second + upTo(time.Second), (*Scheduler).Resume, (*core.Core).Resume},
		{
			6*time.Second + upTo(time.Second),
			func(s *Scheduler) error { return s.SetLimit(bucket.PerSecond(11).Burst(4)) },
			func(k *core.Core, now time.Duration) { _ = k.SetLimit(now, 0, bucket.PerSecond(11).Burst(4)) },
		},
		{
			8*time.Second + upTo(time.Second),
			func(s *Scheduler) error { return s.PauseUntil(s.origin.Add(12345678901)) },
			func(k *core.Core, now time.Duration) { k.Pause(now, 12345678901) },
		},
		{
			14*time.Second + upTo(time.Second),
			func(s *Scheduler) error { return s.SetMaxInFlight(5) },
			func(k *core.Core, now time.Duration) { k.SetMaxInFlight(now, 5) },
		},
	}
	return w
}

// options returns the options of the i-th call.
func (c workCall) options(i int) []Option {
	opts := []Option{Cost(c.cost), Priority(c.priority), Name(fmt.Sprint(i)), Key(c.key)}
	if c.weight != 0 {
		opts = append(opts, Weight(c.weight))
	}
	return opts
}

// attempt returns what a call does on its n-th attempt, from 1.
func (c workCall) attempt(n int) workAttempt { return c.attempts[min(n, len(c.attempts))-1] }

// runLive runs the workload on a scheduler.
func (w *workload) runLive(t *testing.T, c clock.Clock, sleep, pass func(time.Duration)) string {
	cfg := w.cfg
	cfg.Clock = c
	s, err := New(cfg)
	require.NoError(t, err)
	sub := s.Subscribe(events.All)
	start := s.origin
	go func() {
		for _, turn := range w.turns {
			sleep(turn.at - c.Now().Sub(start))
			if err := turn.live(s); err != nil {
				t.Error(err)
			}
		}
	}()
	go func() {
		for i, call := range w.calls {
			sleep(call.arrives - c.Now().Sub(start))
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			n := 0
			_, err := s.Submit(ctx, func(context.Context) error {
				n++
				sleep(call.attempt(n).takes)
				return call.attempt(n).fails
			}, call.options(i)...)
			if err != nil && !errors.Is(err, ErrQueueFull) {
				t.Error(err)
			}
			if call.cancels > 0 {
				go func() {
					sleep(call.cancels - c.Now().Sub(start))
					cancel()
				}()
			}
		}
	}()
	pass(w.end)
	s.Close()
	var all []events.Event
	for ev := range sub.C {
		if ev.Kind != events.Started { // the core does not decide when a function starts
			all = append(all, ev)
		}
	}
	return format(all, s.origin)
}

// runByHand runs the workload on the core alone, with a list of the inputs.
func (w *workload) runByHand(t *testing.T) string {
	cfg, err := w.cfg.normal()
	require.NoError(t, err)
	cfg.Retry.Seed = w.cfg.Retry.Seed
	k, err := core.New(cfg.core(time.Time{}))
	require.NoError(t, err)
	k.Wanted = events.All
	type input struct {
		at time.Duration
		do func(now time.Duration)
	}
	var inputs []input
	add := func(at time.Duration, do func(time.Duration)) {
		i, _ := slices.BinarySearchFunc(inputs, at, func(in input, at time.Duration) int { return cmp.Compare(in.at, at) })
		inputs = slices.Insert(inputs, i, input{at, do})
	}
	work := map[*core.Call]workCall{}
	for i, wc := range w.calls {
		c := &core.Call{Cost: wc.cost, Deadline: bucket.Forever}
		c.SetOptions(&core.Options{Name: fmt.Sprint(i), Priority: wc.priority})
		if wc.key != "" || wc.weight != 0 {
			c.SetKey(wc.key, int64(max(1, wc.weight)))
		}
		work[c] = wc
		add(wc.arrives, func(now time.Duration) { k.Submit(now, c) })
		if wc.cancels > 0 {
			add(wc.cancels, func(now time.Duration) { k.Cancel(now, c, context.Canceled) })
		}
	}
	for _, turn := range w.turns {
		add(turn.at, func(now time.Duration) { turn.core(k, now) })
	}
	var all []events.Event
	for k.Now < w.end {
		now := min(k.Wake(), w.end)
		if len(inputs) > 0 && inputs[0].at <= now {
			in := inputs[0]
			inputs = inputs[1:]
			in.do(in.at)
		} else {
			k.Advance(now)
		}
		for _, c := range k.Effects.Granted {
			a := work[c].attempt(int(c.Attempts))
			add(k.Now+a.takes, func(now time.Duration) { k.Finish(now, c, a.fails, retry.Classify(a.fails)) })
		}
		all = append(all, k.Effects.Events...)
		k.Effects.Clear()
	}
	k.Close(w.end)
	all = append(all, k.Effects.Events...)
	return format(all, time.Time{})
}

// format writes events call by call.
func format(all []events.Event, start time.Time) string {
	slices.SortStableFunc(all, func(a, b events.Event) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	for _, ev := range all {
		fmt.Fprintf(&b, "%v %v (%d available)\n", ev.At.Sub(start), ev, ev.Available)
	}
	return b.String()
}
