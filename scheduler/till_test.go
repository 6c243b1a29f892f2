package scheduler

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// TestTillAgainstTheExactBucket (B2, B5, O3): whenever calls take from the till, and
// whenever and however late the owner looks, the exact bucket has the token that is
// taken. What the owner's account is short of is at most what comes in the longest time
// between two looks, and it never has more.
func TestTillAgainstTheExactBucket(t *testing.T) {
	lent := 0
	for range 5 {
		rapid.Check(t, func(t *rapid.T) {
			m := newTillMatch(t)
			t.Repeat(map[string]func(*rapid.T){
				"plain calls":  m.plainCalls,
				"other call":   m.otherCall,
				"long call":    m.longCall,
				"failure":      m.failure,
				"till failure": m.tillFailure,
				"over":         m.over,
				"time":         m.time,
				"long time":    m.longTime,
				"snapshot":     m.snapshot,
				"pause":        m.pause,
				"new limit":    m.newLimit,
				"":             m.check,
			})
			lent += m.lent
		})
	}
	require.Greater(t, lent, 1000, "the till is hardly ever open")
}

// tillMatch plays an owner and its till, without goroutines, against an exact bucket.
type tillMatch struct {
	o       *owner
	clock   *handClock
	exact   bucket.Bucket
	inTill  int     // calls that have taken a token there and are not over
	running []*call // calls that run for longer
	retries []*call // calls that back off
	calls   uint64
	failed  uint64
	grants  uint64
	looked  time.Duration // when the owner last looked
	longest time.Duration // between two looks
	lent    int           // how often anybody took from the till
}

// handClock is a clock that is set by hand, with a timer that has to be asked.
type handClock struct{ now, due time.Duration }

func (c *handClock) Now() time.Time                           { return time.Time{}.Add(c.now) }
func (c *handClock) NewTimer(d time.Duration) (t clock.Timer) { return c }
func (c *handClock) C() <-chan time.Time                      { return nil }
func (c *handClock) Stop()                                    { c.due = bucket.Forever }
func (c *handClock) Reset(d time.Duration)                    { c.due = c.now + d }

func newTillMatch(t *rapid.T) *tillMatch {
	limit := bucket.Limit{
		Capacity: rapid.Int64Range(smallestLoan, 200).Draw(t, "capacity"),
		Refill:   rapid.Int64Range(1, 10_000).Draw(t, "refill"),
		Per:      time.Second,
	}
	k, err := newCore(Config{Limit: limit, MaxInFlight: rapid.SampledFrom([]int{0, 0, 2, 5}).Draw(t, "slots")}, time.Time{})
	require.NoError(t, err)
	c := &handClock{due: bucket.Forever}
	m := &tillMatch{clock: c, o: &owner{s: &Scheduler{clock: c, retry: retry.Policy{}.WithDefaults()}, core: k, timer: c, armed: bucket.Forever}}
	m.exact, _ = bucket.New(limit, 0)
	return m
}

// turn lets the owner handle a message now, and the exact bucket whatever it grants.
func (m *tillMatch) turn(t *rapid.T, msg message) {
	m.longest = max(m.longest, m.clock.now-m.looked)
	m.looked = m.clock.now
	m.o.turn(msg)
	m.retried(t)
}

// wait lets time pass; the owner's timer goes off, perhaps late.
func (m *tillMatch) wait(t *rapid.T, d time.Duration) {
	end := m.clock.now + d
	for m.clock.due <= end {
		late := rapid.SampledFrom([]time.Duration{0, 0, 0, time.Microsecond, time.Millisecond}).Draw(t, "late")
		if len(m.retries) > 0 {
			late = 0 // the exact bucket can't be told afterwards what was granted when
		}
		m.clock.now = min(m.clock.due+late, end)
		m.clock.due = bucket.Forever
		m.o.armed = bucket.Forever
		m.turn(t, message{op: opTick})
	}
	m.clock.now = end
}

func (m *tillMatch) plainCalls(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 5, 20, 100, 300}).Draw(t, "n") {
		if got, ok := m.o.s.till.take(); ok {
			m.tookFromTill(t, got)
			continue
		}
		c := m.newCall(1)
		c.plain = true
		m.submit(t, c)
	}
}

func (m *tillMatch) tookFromTill(t *rapid.T, got ticket) {
	require.Equal(t, m.calls+1, got.number, "R3: calls are numbered as they come")
	require.True(t, m.exact.Take(m.clock.now, 1), "a token was taken from the till that did not exist")
	require.Zero(t, m.o.core.queue.len(), "O3: nobody is overtaken")
	m.inTill++
	m.calls++
	m.grants++
	m.lent++
	m.checkSlots(t)
}

func (m *tillMatch) otherCall(t *rapid.T) {
	m.submit(t, m.newCall(rapid.Int64Range(0, 10).Draw(t, "cost")))
}

func (m *tillMatch) newCall(cost int64) *call {
	return &call{cost: cost, policy: &m.o.s.retry, deadline: bucket.Forever, noWait: true, trail: &trail{options: noOptions, reply: make(chan reply, mostReplies)}}
}

// submit hands in a call that is refused unless it can start at once.
func (m *tillMatch) submit(t *rapid.T, c *call) {
	m.turn(t, message{op: opSubmit, call: c})
	switch r := <-c.reply; r.kind {
	case replyTicket:
		m.tookFromTill(t, r.ticket)
	case replyGranted:
		require.True(t, m.exact.Take(m.clock.now, c.cost), "a token was granted that did not exist")
		m.calls++
		m.grants++
		m.checkSlots(t)
		switch {
		case c.verdict.Retryable():
			m.retries = append(m.retries, c)
			m.turn(t, message{op: opFailed, call: c, err: errFlaky})
		case c.name == "long":
			m.running = append(m.running, c)
		default:
			m.turn(t, message{op: opDone, call: c})
		}
	}
}

// longCall is a call that keeps its slot until another one comes.
func (m *tillMatch) longCall(t *rapid.T) {
	if len(m.running) > rapid.IntRange(0, 3).Draw(t, "long calls") {
		c := m.running[0]
		m.running = m.running[1:]
		m.turn(t, message{op: opDone, call: c})
		return
	}
	c := m.newCall(1)
	c.options = &options{name: "long"}
	m.submit(t, c)
}

// tillFailure is a call that takes from the till and fails, so that the owner hears of it.
func (m *tillMatch) tillFailure(t *rapid.T) {
	if got, ok := m.o.s.till.take(); ok {
		m.tookFromTill(t, got)
		c := m.newCall(1)
		c.made, c.id, c.rank = 1, got.number, got.loan.since
		m.inTill--
		m.failed++
		m.turn(t, message{op: opAdopt, call: c, err: errFlaky})
	}
}

// failure is a call that fails and is granted again as soon as it is due, by an owner who
// has then to know what was taken from the till.
func (m *tillMatch) failure(t *rapid.T) {
	c := m.newCall(rapid.Int64Range(1, m.exact.Limit().Capacity).Draw(t, "cost"))
	c.verdict = retry.Verdict{Kind: retry.KindTransient}
	c.policy = &retry.Policy{Initial: time.Millisecond, Max: 3 * time.Millisecond}
	m.submit(t, c)
}

// retried lets the exact bucket pay for the retries that the owner has granted.
func (m *tillMatch) retried(t *rapid.T) {
	for i := 0; i < len(m.retries); i++ {
		c := m.retries[i]
		select {
		case <-c.reply:
			require.True(t, m.exact.Take(m.clock.now, c.cost), "a token was granted to a retry that did not exist")
			m.grants++
			m.retries = slices.Delete(m.retries, i, i+1)
			m.turn(t, message{op: opDone, call: c})
			i = -1
		default:
		}
	}
}

func (m *tillMatch) over(t *rapid.T) {
	for range min(m.inTill, rapid.IntRange(1, 20).Draw(t, "n")) {
		m.inTill--
		if m.o.s.till.put() {
			m.turn(t, message{op: opOver, do: func(*owner, time.Duration) {}})
		}
	}
}

func (m *tillMatch) time(t *rapid.T) {
	m.wait(t, time.Duration(rapid.Int64Range(0, int64(3*time.Millisecond)).Draw(t, "time")))
}

func (m *tillMatch) longTime(t *rapid.T) {
	m.wait(t, time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "time")))
}

func (m *tillMatch) snapshot(t *rapid.T) {
	m.turn(t, message{op: opOver, do: func(o *owner, now time.Duration) { o.core.advance(now) }}) // retries that have a slot by now
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) {
		s := o.core.snapshot(now)
		require.Equal(t, m.inTill+len(m.running), s.Running)
		require.Equal(t, m.calls, s.Totals.Accepted)
		require.Equal(t, m.grants, s.Totals.Attempts)
		require.Equal(t, m.failed, s.Totals.Failed)
		require.Equal(t, m.calls-m.failed-uint64(m.inTill+len(m.running)+len(m.retries)), s.Totals.Succeeded)
		require.Equal(t, m.calls, o.core.lastID)
	}})
}

func (m *tillMatch) pause(t *rapid.T) {
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.pause(now, bucket.Forever) }})
	_, ok := m.o.s.till.take()
	require.False(t, ok, "nothing is let through in a pause")
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.resume(now) }})
}

func (m *tillMatch) newLimit(t *rapid.T) {
	limit := m.exact.Limit()
	limit.Refill = rapid.Int64Range(1, 10_000).Draw(t, "refill")
	require.NoError(t, m.exact.SetLimit(m.clock.now, limit))
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) { require.NoError(t, o.core.setLimit(now, 0, limit)) }})
}

func (m *tillMatch) check(t *rapid.T) {
	m.exact.Advance(m.clock.now)
	b := m.o.core.budgets[0] // with what was taken since the owner looked
	b.Advance(m.clock.now)
	require.True(t, b.Take(m.clock.now, int64(m.o.loan.left-m.o.s.till.word.Load()&tillTokens)))
	short := m.exact.Available() - b.Available()
	require.GreaterOrEqual(t, short, int64(0), "never more than there is")
	gap := max(m.longest, m.clock.now-m.looked)
	require.LessOrEqual(t, short, int64(float64(10_000)*gap.Seconds())+1, "and short of one interval at most")
	requireBalanced(t, &m.o.core.budgets[0].Bucket)
	k := m.o.core
	require.Equal(t, k.queue.len()+len(k.backoff)+k.running.count+k.inTill == 0, k.drained())
}

func (m *tillMatch) checkSlots(t *rapid.T) {
	if k := m.o.core; k.maxInFlight > 0 {
		require.LessOrEqual(t, m.inTill+k.running.count, k.maxInFlight, "no more run than may")
	}
}

// heat makes so many plain calls, one right after the other, that the till is open.
func heat(t testing.TB, s *Scheduler) {
	for range loanStreak {
		require.NoError(t, s.Do(context.Background(), succeed))
	}
	synctest.Wait() // until the last one's slot is free
	require.True(t, open(s), "the till should be open")
}

func open(s *Scheduler) bool { return s.till.word.Load()&tillTokens > 0 }

// inTill starts a plain call that takes from the till and runs until it is released.
func inTill(t testing.TB, s *Scheduler, outcome error) (release func() error) {
	hold, done := make(chan struct{}), make(chan error, 1)
	first := true
	before := s.till.word.Load()
	go func() {
		done <- s.Do(context.Background(), func(context.Context) error {
			if first {
				first = false
				<-hold
				return outcome
			}
			return nil
		})
	}()
	synctest.Wait()
	require.Equal(t, taken(before)+1, taken(s.till.word.Load()), "it should have taken from the till")
	return func() error {
		close(hold)
		return <-done
	}
}

func tillBubble(t *testing.T, cfg Config, f func(t *testing.T, s *Scheduler)) {
	t.Helper()
	if cfg.Limit == (bucket.Limit{}) {
		cfg.Limit = bucket.PerSecond(1000)
	}
	cfg.Retry = retry.Policy{Jitter: retry.None}
	synctest.Test(t, func(t *testing.T) {
		s, err := New(cfg)
		require.NoError(t, err)
		defer s.Close()
		heat(t, s)
		f(t, s)
		snap := s.Snapshot()
		n := snap.Totals
		require.Equal(t, n.Accepted, n.Succeeded+n.Failed+n.Exhausted+n.Cancelled+n.Closed+uint64(snap.Running+snap.Queued+snap.BackingOff))
		require.Equal(t, snap.Ledger.Initial+snap.Ledger.Refilled+snap.Ledger.Refunded+snap.Ledger.Adjusted, snap.Ledger.Spent+snap.Available)
	})
}

// What goes through the till is in the snapshot as anything else (B5).
func TestTillInSnapshot(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		snap := s.Snapshot()
		require.Equal(t, 1, snap.Running)
		require.EqualValues(t, 996, snap.Available)
		require.EqualValues(t, 4, snap.Totals.Accepted)
		require.EqualValues(t, 3, snap.Totals.Succeeded)
		require.NoError(t, release())
		require.EqualValues(t, 4, s.Snapshot().Totals.Succeeded)
	})
}

// C6: Shutdown waits for calls that were started through the till, and reports them.
func TestC6_ShutdownWaitsForTheTill(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		down := make(chan error, 1)
		go func() {
			_, err := s.Shutdown(context.Background())
			down <- err
		}()
		time.Sleep(time.Hour)
		require.Empty(t, down)
		require.Equal(t, ErrClosed, s.Do(context.Background(), succeed))
		require.NoError(t, release())
		require.NoError(t, <-down)
	})
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, retry.Transient(errFlaky))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		left, err := s.Shutdown(ctx)
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, []Unfinished{{State: "running", Cost: 1, Attempts: 1, Paid: 1}}, left)
		err = release()
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, errFlaky)
	})
}

// H19: after Close nothing goes through the till.
func TestCloseRecallsTheLoan(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		s.Close()
		require.False(t, open(s))
		require.Equal(t, ErrClosed, s.Do(context.Background(), succeed))
		require.NoError(t, release(), "a success stays a success")
		require.Equal(t, 1, s.Snapshot().Running, "the final state")
	})
}

// A pause shuts the till, and so does whoever is queued.
func TestTillIsShut(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		require.NoError(t, s.Pause())
		require.False(t, open(s))
		require.NoError(t, s.Resume())
		heat(t, s)
		require.NoError(t, s.Do(context.Background(), succeed)) // the loan is in use
		h, err := s.Submit(context.Background(), succeed, Cost(1000))
		require.NoError(t, err)
		s.Sync()
		require.False(t, open(s), "O3")
		<-h.Done()
	})
}

// With a cap, calls by the till have slots as others do, and free them for others.
func TestTillAndSlots(t *testing.T) {
	tillBubble(t, Config{MaxInFlight: 3}, func(t *testing.T, s *Scheduler) {
		one, two, three := inTill(t, s, nil), inTill(t, s, nil), inTill(t, s, nil)
		fourth, ran := make(chan error, 1), atomic.Bool{}
		go func() {
			fourth <- s.Do(context.Background(), func(context.Context) error { ran.Store(true); return nil })
		}()
		synctest.Wait() // until it is the first in the queue
		h, err := s.Submit(context.Background(), succeed)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.False(t, ran.Load())
		require.Equal(t, 2, s.Snapshot().Queued)
		require.Equal(t, 3, s.Snapshot().Running)
		time.Sleep(time.Hour)
		require.NoError(t, two())
		require.NoError(t, <-fourth)
		<-h.Done()
		require.Equal(t, events.Times{Queue: 2 * time.Hour}, h.Times(), "the slot is free from now on, and was not before")
		require.NoError(t, one())
		require.NoError(t, three())
	})
}

// Those that run otherwise take their slots from the till.
func TestTillBesideOtherCalls(t *testing.T) {
	tillBubble(t, Config{MaxInFlight: 3}, func(t *testing.T, s *Scheduler) {
		hold := make(chan struct{})
		for range 2 {
			_, err := s.Submit(context.Background(), func(context.Context) error { <-hold; return nil })
			require.NoError(t, err)
		}
		synctest.Wait()
		heat(t, s)
		release := inTill(t, s, nil)
		fourth, ran := make(chan error, 1), atomic.Bool{}
		go func() {
			fourth <- s.Do(context.Background(), func(context.Context) error { ran.Store(true); return nil })
		}()
		time.Sleep(time.Second)
		require.False(t, ran.Load())
		close(hold)
		require.NoError(t, <-fourth)
		require.NoError(t, release())
	})
}

// O2: a call that went through the till is senior to all that came later.
func TestTillSeniority(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, retry.Transient(errFlaky))
		time.Sleep(time.Second)
		var later []*Handle
		for range 4 {
			h, err := s.Submit(context.Background(), succeed, Cost(1000))
			require.NoError(t, err)
			later = append(later, h)
		}
		time.Sleep(time.Second / 2)
		started := time.Now()
		require.NoError(t, release())
		require.Equal(t, time.Second, time.Since(started), "it is not behind those that still wait")
		require.Equal(t, 2, s.Snapshot().Queued)
		for _, h := range later {
			<-h.Done()
		}
	})
}

// B2: a retry that falls due while tokens are lent is not paid out of them.
func TestRetryDueWhileLent(t *testing.T) {
	tillBubble(t, Config{Limit: bucket.Per(1000, 1000*time.Hour)}, func(t *testing.T, s *Scheduler) {
		require.NoError(t, s.Do(context.Background(), succeed)) // the loan is in use
		fails := true
		require.NoError(t, s.Do(context.Background(), func(context.Context) error {
			if fails {
				fails = false
				return retry.Transient(errFlaky)
			}
			require.True(t, s.till.word.Load()&tillTokens <= 1000-loanStreak-1-800)
			return nil
		}, Cost(400)))
	})
}

// Calls far apart are not worth a loan; a loan that is used stays.
func TestTillOpensForMany(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for range 5 * loanStreak { // the bucket is full: the loan is looked at every interval
			time.Sleep(loanInterval)
			require.True(t, open(s))
			require.NoError(t, s.Do(context.Background(), succeed))
		}
		require.Greater(t, taken(s.till.word.Load()), uint64(4*loanStreak))
		time.Sleep(time.Hour)
		for range 5 * loanStreak {
			time.Sleep(time.Second)
			require.NoError(t, s.Do(context.Background(), succeed))
			require.False(t, open(s))
		}
	})
}

// E3: whoever subscribes shuts the till, and still sees the end of what went through it.
func TestE3_SubscribersShutTheTill(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		sub := s.Subscribe(events.Granted, events.Succeeded)
		require.False(t, open(s))
		require.NoError(t, release())
		require.NoError(t, s.Do(context.Background(), succeed))
		synctest.Wait()
		require.Equal(t, "call 4 succeeded: attempt 1 of 6", (<-sub.C).String())
		require.Equal(t, "call 5 granted: attempt 1 of 6 for 1 token, 995 tokens left", (<-sub.C).String())
		sub.Close()
		heat(t, s)
		trouble := s.Subscribe(events.Retrying, events.Exhausted)
		heat(t, s)
		require.Empty(t, trouble.C)
	})
}

// R3, O2: a call that fails after it went through the till has the number of its arrival,
// and so the jitter and the seniority.
func TestTillFailures(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		sub := s.Subscribe(events.Retrying, events.Failed)
		heat(t, s)
		seventh, eighth, ninth := inTill(t, s, retry.Transient(errFlaky)), inTill(t, s, errFinal), inTill(t, s, retry.RateLimited(errFlaky))
		started := time.Now()
		require.Equal(t, errFinal, eighth())
		late := make(chan error)
		go func() { late <- ninth() }()
		synctest.Wait()
		require.NoError(t, seventh())
		require.NoError(t, <-late)
		require.Equal(t, time.Second, time.Since(started))
		var calls []uint64
		for range 3 {
			calls = append(calls, (<-sub.C).Call)
		}
		require.Equal(t, []uint64{8, 9, 7}, calls)
		n := s.Snapshot().Totals
		require.EqualValues(t, 2, n.Retries)
		require.EqualValues(t, 1, n.Failed)
		require.EqualValues(t, 1, n.RateLimited)
		require.EqualValues(t, 8, n.Succeeded)
	})
}

// H01, H02: a panic or a Goexit passes through Do, and is accounted for.
func TestTillUnwound(t *testing.T) {
	tillBubble(t, Config{MaxInFlight: 1}, func(t *testing.T, s *Scheduler) {
		require.PanicsWithValue(t, "oops", func() {
			_ = s.Do(context.Background(), func(context.Context) error { panic("oops") })
		})
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = s.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
		}()
		<-over
		require.NoError(t, s.Do(context.Background(), succeed), "the slot is free")
		require.EqualValues(t, 2, s.Snapshot().Totals.Failed)
	})
}

// H03: a classifier that panics is contained.
func TestTillClassifierPanics(t *testing.T) {
	cfg := Config{Classify: func(error) retry.Verdict { panic("oops") }}
	tillBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		err := inTill(t, s, errFlaky)()
		require.ErrorAs(t, err, new(*PanicError))
		require.ErrorIs(t, err, errFlaky)
	})
}

// C4, H11: a context that is done takes no token there either.
func TestH11_TillWithADoneContext(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, s.Do(ctx, succeed))
		cancel()
		before := s.till.word.Load()
		require.Equal(t, context.Canceled, s.Do(ctx, func(context.Context) error { panic("it runs") }))
		require.Equal(t, before, s.till.word.Load())
	})
}

// P10: when nothing is taken any more, the loan ends, and with it the timer.
func TestTillGoesCold(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		time.Sleep(2 * time.Second) // it is looked at when the bucket would be full
		synctest.Wait()
		require.False(t, open(s))
		armed, ok := ask(s, func(o *owner, _ time.Duration) time.Duration { return o.armed })
		require.True(t, ok)
		require.Equal(t, time.Duration(bucket.Forever), armed)
	})
}

// H10: a call that finds both a ticket and its context's end does not start, and the
// token is given back.
func TestH10_TicketAndDone(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for range 20 { // either could be looked at first
			heat(t, s)
			c := s.newPlain(context.Background(), func(context.Context) error { panic("it runs") }, 0)
			c.plain = true
			available := s.Snapshot().Available
			heat(t, s)
			require.True(t, s.post(message{op: opSubmit, call: c}))
			require.Equal(t, context.Canceled, s.withdraw(c, context.Canceled))
			require.Equal(t, available-loanStreak, s.Snapshot().Available)
		}
		require.EqualValues(t, 20, s.Snapshot().Totals.Cancelled)
		require.EqualValues(t, 20, s.Snapshot().Ledger.Refunded)
	})
}

// TestTillUnderFire (B2, C1): with real goroutines that take from the till and beside it,
// cancel, fail and reconfigure, no call starts before its token exists, by any clock:
// at each instant no more have started than what was there and what has come in since.
func TestTillUnderFire(t *testing.T) {
	const goroutines, each = 64, 3000
	limit := bucket.PerSecond(1_000_000).Burst(1000)
	began := time.Now()
	s, err := New(Config{Limit: limit, MaxInFlight: 48, Retry: retry.Policy{Initial: time.Microsecond, Max: time.Microsecond}})
	require.NoError(t, err)
	var ran atomic.Int64
	var mu sync.Mutex
	var starts []time.Duration
	var most, now atomic.Int32
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			mine := make([]time.Duration, 0, each)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range each {
				fails := i%97 == 0
				attempt := func(context.Context) error {
					mine = append(mine, time.Since(began))
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					defer now.Add(-1)
					ran.Add(1)
					if fails {
						fails = false
						return retry.Transient(errFlaky)
					}
					return nil
				}
				var opts []Option
				if i%31 == g%31 {
					opts = []Option{Priority(g % 3)}
				}
				switch err := s.Do(ctx, attempt, opts...); {
				case err != nil && !errors.Is(err, context.Canceled):
					t.Error(err)
				case i%500 == 0:
					s.Snapshot()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, mine...)
		})
	}
	wg.Wait()
	snap := s.Snapshot()
	s.Close()
	slices.Sort(starts)
	for i, at := range starts {
		if allowed := 1000 + int64(at/time.Microsecond); int64(i+1) > allowed {
			t.Fatalf("%d had started after %v, when %d tokens had been there", i+1, at, allowed)
		}
	}
	require.EqualValues(t, ran.Load(), snap.Totals.Attempts)
	require.EqualValues(t, ran.Load(), snap.Ledger.Spent)
	require.EqualValues(t, goroutines*each, snap.Totals.Succeeded)
	require.LessOrEqual(t, most.Load(), int32(48))
	require.Zero(t, snap.Running+snap.Queued+snap.BackingOff)
	require.Equal(t, snap.Ledger.Initial+snap.Ledger.Refilled+snap.Ledger.Refunded+snap.Ledger.Adjusted, snap.Ledger.Spent+snap.Available)
}
