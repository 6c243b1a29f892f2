package scheduler

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/observer"
)

var stormSeed = flag.Uint64("storm", 0, "the seed of TestStorm; 0 draws one")

// TestStorm calls every method from many goroutines at once, also from inside calls and callbacks,
// on one, two and four processors. They cancel, panic, exit, reconfigure, and let subscriptions
// overflow. It covers B2, exactness; B5, ledger; C1, one end; C5, reentry; E1, order; E2, slow
// subscribers; E3, completeness; O1, FIFO; O2, seniority.
func TestStorm(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		for name, st := range map[string]storm{
			"watched":              {tokens: 60, every: 25 * time.Microsecond, slots: 8},
			"lease":                {tokens: 200, every: 5 * time.Microsecond, slots: 16, lease: true},
			"watched, 5 cut short": {tokens: 60, every: 25 * time.Microsecond, slots: 8, cut: 5},
			"lease, 5 cut short":   {tokens: 200, every: 5 * time.Microsecond, slots: 16, lease: true, cut: 5},
			"watched, keys":        {tokens: 60, every: 25 * time.Microsecond, slots: 8, keyed: true},
			"lease, keys, 5 cut":   {tokens: 200, every: 5 * time.Microsecond, slots: 16, keyed: true, lease: true, cut: 5},
			"shared, lease, keys":  {tokens: 200, every: 5 * time.Microsecond, slots: 16, keyed: true, lease: true, shared: true},
			"shared, lease, 5 cut": {tokens: 200, every: 5 * time.Microsecond, slots: 16, lease: true, shared: true, cut: 5},
		} {
			t.Run(fmt.Sprintf("%s, on %d", name, procs), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
				for range max(1, st.cut) {
					st.play(t)
				}
			})
		}
	}
}

// storm is a kind of run. With a subscriber to all calls there is no lease; the limit stays and
// every event is checked. Without one, tokens are leased and the limit is changed.
type storm struct {
	tokens int64         // the capacity
	every  time.Duration // a token comes
	slots  int           // at most; changed, but never to no cap
	lease  bool
	keyed  bool // some calls have keys, with limits of their own
	shared bool // the budget has a store, which is flaky
	cut    int  // how many runs are closed midway; 0: one run that is not
}

// stormRun is one run.
type stormRun struct {
	storm
	s      *Scheduler
	keys   map[string]*stormKey
	began  time.Time
	enough chan struct{} // closed when soMany functions have run
	soMany int64
	closed atomic.Bool // closed some time ago

	ran       atomic.Int64 // started functions and used reservations
	running   atomic.Int32
	succeeded atomic.Int64 // functions that returned nil
	told      atomic.Int64 // calls that returned nil
	unseen    atomic.Int64 // calls whose result no goroutine waited for
	unsure    atomic.Int64 // reservations that were both canceled and done

	mu     sync.Mutex
	rnd    *rand.Rand // for goroutines without their own
	starts []start
	faults []string
}

// start is an instant at which a function was running, and its cost.
type start struct {
	at   time.Duration
	cost int64
}

const (
	stormActors  = 24
	stormActions = 100
	stormStep    = time.Millisecond // of priority
)

func (what storm) play(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	replay := fmt.Sprintf("go test -race ./scheduler -run '^%s$' -storm %d", t.Name(), seed)
	defer func() {
		if t.Failed() {
			t.Log("run it again, with other timing:  " + replay)
		}
	}()
	watchdog := time.AfterFunc(5*time.Minute, func() {
		debug.SetTraceback("all")
		panic("the test hangs:  " + replay)
	})
	defer watchdog.Stop()
	rnd := rand.New(rand.NewPCG(seed, 0))
	st := &stormRun{storm: what, rnd: fork(rnd), keys: map[string]*stormKey{}, enough: make(chan struct{}), soMany: 1 + rnd.Int64N(300)}
	st.begin(t, rnd)
	seen := st.watch(fork(rnd))
	st.rage(rnd)

	_ = st.s.Resume()
	left, err := st.s.Shutdown(context.Background())
	if st.cut == 0 {
		require.NoError(t, err)
		require.Empty(t, left)
	}
	snap := st.s.Snapshot()
	st.check(t, snap, left)
	st.checkEvents(t, <-seen, snap)
	require.Empty(t, st.faults)
}

// fork returns a source of random numbers for another goroutine.
func fork(rnd *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(rnd.Uint64(), rnd.Uint64())) }

func (st *stormRun) begin(t *testing.T, rnd *rand.Rand) {
	st.began = time.Now()
	overflow := Overflow(rnd.IntN(3))
	cfg := Config{
		Limit:        bucket.Per(1, st.every).Burst(st.tokens),
		Retry:        retry.Policy{MaxRetries: 2, Initial: 50 * time.Microsecond, Max: 200 * time.Microsecond, MaxServerWait: time.Millisecond, Seed: 1 + rnd.Uint64N(1000)},
		Classify:     st.judge,
		MaxInFlight:  st.slots,
		Overflow:     overflow,
		PerKey:       st.perKey(rnd, overflow),
		PriorityStep: stormStep,
		EventBuffer:  64, // slow subscribers should lose some
	}
	if st.shared {
		cfg.Store = newFlakyStore(cfg.Limit, fork(rnd))
	}
	s, err := New(cfg)
	require.NoError(t, err)
	st.s = s
}

// rage starts all goroutines and waits for them.
func (st *stormRun) rage(rnd *rand.Rand) {
	over := make(chan struct{})
	var actors, meddlers sync.WaitGroup
	for range stormActors {
		rnd := fork(rnd)
		actors.Go(func() { st.act(rnd) })
	}
	for range 2 {
		meddle, subscribe := fork(rnd), fork(rnd)
		meddlers.Go(func() { st.meddle(meddle, over) })
		meddlers.Go(func() { st.comeAndGo(subscribe, over) })
	}
	finished := make(chan struct{})
	go func() {
		actors.Wait()
		close(finished)
	}()
	if st.cut > 0 {
		select {
		case <-st.enough:
			st.closeAtOnce(rnd, &meddlers)
		case <-finished:
		}
	}
	<-finished
	close(over)
	meddlers.Wait()
}

// closeAtOnce ends the scheduler in several ways at the same time.
func (st *stormRun) closeAtOnce(rnd *rand.Rand, all *sync.WaitGroup) {
	for range 3 {
		soon := time.Duration(rnd.IntN(3)) * time.Millisecond
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			defer cancel()
			if left, err := st.s.Shutdown(ctx); (len(left) > 0) != errors.Is(err, ErrClosed) {
				st.fault("Shutdown left %d calls and returned %v", len(left), err)
			}
		})
		all.Go(func() {
			time.Sleep(soon)
			st.s.Close()
			time.Sleep(soon)
			st.closed.Store(true)
		})
	}
}

func (st *stormRun) fault(format string, args ...any) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.faults) < 10 {
		st.faults = append(st.faults, fmt.Sprintf(format, args...))
	}
}

// watch collects all events to be checked at the end, unless tokens are leased. A second subscriber
// reads slowly.
func (st *stormRun) watch(rnd *rand.Rand) (seen chan []events.Event) {
	seen = make(chan []events.Event, 1)
	if st.lease {
		seen <- nil
		return seen
	}
	sub := st.s.hub.Subscribe(events.All, 1<<16) // Subscribe, with room for all events
	slow := st.s.Subscribe(events.All)
	go func() {
		var readers sync.WaitGroup
		readers.Go(func() { st.stall(rnd, slow) })
		var all []events.Event
		for ev := range sub.C {
			all = append(all, ev)
		}
		readers.Wait()
		seen <- all
	}()
	return seen
}

// runs counts a function that runs and is paid for, until over is called.
func (st *stormRun) runs(is stormCall) (over func()) {
	if n := st.running.Add(1); int(n) > st.slots {
		st.fault("%d functions run, with at most %d slots", n, st.slots)
	}
	if st.ran.Add(1) == st.soMany {
		close(st.enough)
	}
	st.mu.Lock()
	st.starts = append(st.starts, start{time.Since(st.began), is.cost})
	st.mu.Unlock()
	overOfKey := st.runsWithKey(is)
	return func() {
		st.running.Add(-1)
		overOfKey()
	}
}

// ended checks that a call ended with a known error.
func (st *stormRun) ended(err error) {
	for _, known := range []error{
		errFinal, retry.ErrExhausted, context.Canceled, context.DeadlineExceeded, ErrWouldWait, ErrQueueFull, ErrTooManyKeys, ErrGoexit,
	} {
		if errors.Is(err, known) {
			return
		}
	}
	switch {
	case err == nil:
		st.told.Add(1)
	case errors.As(err, new(*PanicError)):
	case errors.Is(err, ErrClosed) && st.cut > 0:
	default:
		st.fault("a call ended with: %v", err)
	}
}

// check compares what callers and functions saw with the snapshot.
func (st *stormRun) check(t *testing.T, snap Snapshot, left []Unfinished) {
	if fault := contradiction(snap); fault != "" {
		t.Error(fault)
	}
	require.Equal(t, len(left), snap.Queued+snap.Running+snap.BackingOff+int(snap.Totals.Closed))
	require.Zero(t, st.running.Load())
	n, ran, unsure := snap.Totals, st.ran.Load(), st.unsure.Load()
	t.Logf("%+v, %d ran, %d by the fast path", n, ran, inCells(st.s, taken))
	require.NotZero(t, ran)
	spent := snap.Ledger.Spent - snap.Ledger.Refunded
	var paid int64
	for i, start := range st.starts { // in order of at
		if paid += start.cost; paid > st.tokens+int64(start.at/st.every) {
			t.Fatalf("%d tokens had been used after %v by %d calls", paid, start.at, i+1)
		}
	}
	if st.cut > 0 { // the last grants were perhaps not started
		require.LessOrEqual(t, ran, int64(n.Attempts))
		require.LessOrEqual(t, int64(n.Attempts), ran+unsure+int64(snap.Running))
		require.LessOrEqual(t, paid, spent)
		return
	}
	require.GreaterOrEqual(t, int64(n.Attempts), ran)
	require.LessOrEqual(t, int64(n.Attempts), ran+unsure)
	succeeded := st.succeeded.Load()
	require.GreaterOrEqual(t, int64(n.Succeeded), succeeded)
	require.LessOrEqual(t, int64(n.Succeeded), succeeded+unsure)
	require.LessOrEqual(t, st.told.Load(), succeeded)
	require.GreaterOrEqual(t, st.told.Load()+st.unseen.Load(), succeeded)
	require.LessOrEqual(t, paid, spent)
	require.Zero(t, n.Closed)
}

// snapshot checks a snapshot, which must be consistent at all times.
func (st *stormRun) snapshot() {
	if fault := contradiction(st.s.Snapshot()); fault != "" {
		st.fault("%s", fault)
	}
}

// contradiction returns a fault in a snapshot, or "". It checks B5 and C1.
func contradiction(snap Snapshot) string {
	l, n := snap.Ledger, snap.Totals
	over := n.Ended()
	switch {
	case l.Initial+l.Refilled+l.Refunded+l.Adjusted != l.Spent+snap.Available:
		return fmt.Sprintf("the ledger does not balance: %+v", snap)
	case n.Accepted != over+uint64(snap.Queued+snap.Running+snap.BackingOff+snap.Later):
		return fmt.Sprintf("a call is lost or counted twice: %+v", snap)
	case snap.WaitingForRoom > snap.Queued || snap.Available > snap.Limit.Capacity && snap.Store == nil:
		return fmt.Sprintf("more than is possible: %+v", snap)
	}
	return ""
}

// checkEvents checks the collected events with an observer.
func (st *stormRun) checkEvents(t *testing.T, all []events.Event, final Snapshot) {
	if st.lease {
		return
	}
	o := observer.Observer{Slots: st.slots, Purse: observer.NewPurse(st.tokens, st.every), Rank: func(ev events.Event) time.Duration {
		priority, _ := strconv.Atoi(ev.Name) // none is 0
		arrives := ev.At
		if ev.Kind == events.Later {
			arrives = ev.Until
		}
		return arrives.Sub(st.s.origin) - time.Duration(priority)*stormStep
	}}
	o.Begin(st.s.origin)
	for _, ev := range all {
		o.See(ev)
	}
	require.Empty(t, o.Faults)
	require.True(t, o.Over)
	require.EqualValues(t, final.Totals.Accepted, len(o.Calls))
	require.Equal(t, final.Running, o.Unfinished())
}
