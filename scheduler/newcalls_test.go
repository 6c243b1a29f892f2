package scheduler

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// inCrowd runs f in a bubble while a crowd is queued for tokens that come every 0.4 ms. The owner's timer
// may be late, as on a real clock.
func inCrowd(t *testing.T, cfg Config, f func(t *testing.T, s *Scheduler)) {
	synctest.Test(t, func(t *testing.T) {
		cfg.Limit, cfg.Level = quick, &bucket.State{}
		s, err := New(cfg)
		require.NoError(t, err)
		defer s.Close()
		_, ok := ask(s, func(o *owner, _ time.Duration) bool { o.slack = crowdSlack; return true })
		require.True(t, ok)
		for range 2 * crowd {
			_, err := s.Submit(context.Background(), succeed)
			require.NoError(t, err)
		}
		synctest.Wait()
		f(t, s)
	})
}

// listed reports whether there are calls on the list.
func listed(s *Scheduler) bool { return !s.newCalls.list.empty() }

// goDo makes a call on a goroutine of its own, waits until it waits, and returns where its error will be.
func goDo(ctx context.Context, s *Scheduler, fn func(context.Context) error, opts ...Option) chan error {
	result := make(chan error, 1)
	go func() { result <- s.Do(ctx, fn, opts...) }()
	synctest.Wait()
	return result
}

// Calls of Do that come while a crowd is queued don't wake the owner. They run in the order in which they
// came, after those that came before them.
func TestNewCallsKeepTheirOrder(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		const n = 5
		var order []int
		var results []chan error
		for i := range n {
			results = append(results, goDo(context.Background(), s, func(context.Context) error { order = append(order, i); return nil }))
		}
		require.True(t, listed(s))
		require.Equal(t, 2*crowd+n, s.Snapshot().Queued, "a question has them taken in")
		require.False(t, listed(s))
		last, err := s.Submit(context.Background(), func(context.Context) error { order = append(order, n); return nil })
		require.NoError(t, err)
		require.NoError(t, last.Wait(context.Background()))
		for _, r := range results {
			require.NoError(t, <-r)
		}
		require.Equal(t, []int{0, 1, 2, 3, 4, 5}, order)
	})
}

// The owner's next wake-up takes the calls in.
func TestNewCallsAreTakenInByTheTimer(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		result := goDo(context.Background(), s, succeed)
		require.True(t, listed(s))
		time.Sleep(2 * crowdSlack)
		require.False(t, listed(s))
		require.NoError(t, <-result)
	})
}

// Calls that may be granted or refused at once, and those whose queue is bounded, are sent to the owner.
func TestNewCallsThatNeedAnAnswerAtOnce(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		result := goDo(context.Background(), s, succeed, NoWait())
		require.False(t, listed(s))
		require.ErrorIs(t, <-result, ErrWouldWait)
		result = goDo(context.Background(), s, succeed, Priority(1))
		require.False(t, listed(s))
		require.NoError(t, <-result)
	})
	inCrowd(t, Config{MaxQueued: 2 * crowd, Overflow: RefuseNew}, func(t *testing.T, s *Scheduler) {
		require.ErrorIs(t, <-goDo(context.Background(), s, succeed), ErrQueueFull)
	})
}

// A call on the list can be canceled.
func TestNewCallsCanBeCanceled(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		ctx, cancel := context.WithCancel(context.Background())
		result := goDo(ctx, s, func(context.Context) error { t.Error("it ran"); return nil })
		require.True(t, listed(s))
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		require.Equal(t, uint64(1), s.Snapshot().Totals.Canceled)
	})
}

// Shutdown ends the calls on the list, and reports them.
func TestNewCallsAreReportedByShutdown(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		result := goDo(context.Background(), s, succeed, Name("late"))
		require.True(t, listed(s))
		ended, end := context.WithCancel(context.Background())
		end()
		left, err := s.Shutdown(ended)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, <-result, ErrClosed)
		require.Len(t, left, 2*crowd+1)
		require.Equal(t, "late", left[2*crowd].Name)
		require.ErrorIs(t, s.Do(context.Background(), succeed), ErrClosed)
	})
}

// A call is not left on the list when the tokens stop to come soon.
func TestNewCallsAtTheEndOfACrowd(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		result := goDo(context.Background(), s, succeed)
		require.True(t, listed(s))
		require.NoError(t, s.SetLimit(bucket.Per(1, time.Hour)))
		synctest.Wait()
		require.False(t, listed(s))
		second := goDo(context.Background(), s, succeed)
		require.False(t, listed(s), "it is sent to the owner")
		require.NoError(t, s.SetLimit(quick))
		require.NoError(t, <-result)
		require.NoError(t, <-second)
	})
}

// A call is taken in that comes while the owner is in its turn, whatever that does.
func TestNewCallsDuringATurn(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		arriving := func(t *testing.T) *call {
			c := s.calls.Get().(*call)
			require.NoError(t, s.prepare(c, context.Background(), succeed, nil))
			return c
		}
		canceled := arriving(t)
		_, ok := ask(s, func(o *owner, _ time.Duration) bool {
			o.s.listNew(canceled)
			o.s.inbox <- message{op: opCancel, call: canceled, err: context.Canceled}
			return true
		})
		require.True(t, ok)
		require.Equal(t, replyEnded, (<-canceled.runner.reply).kind)

		_, ok = ask(s, func(o *owner, now time.Duration) bool {
			o.core.Pause(now, bucket.Forever)
			o.s.listNew(arriving(t))
			return true
		})
		require.True(t, ok)
		synctest.Wait()
		require.False(t, listed(s), "the owner may sleep for long now")
	})
}

// A call that comes after the instant for which the timer is set wakes the owner, once.
func TestNewCallsWakeAnOwnerThatIsOverdue(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		_, ok := ask(s, func(o *owner, _ time.Duration) bool {
			o.after = append(o.after, o.timer.Stop) // after it was set in this turn: the timer is lost
			return true
		})
		require.True(t, ok)
		result := goDo(context.Background(), s, succeed)
		require.True(t, listed(s))
		time.Sleep(2 * crowdSlack)
		require.True(t, listed(s))
		goDo(context.Background(), s, succeed)
		require.False(t, listed(s))
		require.NoError(t, <-result)
	})
}

// A call of Do stays behind one that was submitted before it, also while that is in the inbox (O1).
func TestNewCallsStayBehindASubmit(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := make(chan struct{})
		s.post(message{op: opAsk, do: func(*owner, time.Duration) { <-release }})
		synctest.Wait()
		before, err := s.Submit(context.Background(), succeed)
		require.NoError(t, err)
		var number uint64
		result := goDo(context.Background(), s, func(ctx context.Context) error {
			info, ok := CallInfo(ctx)
			require.True(t, ok)
			number = info.Call
			return nil
		}, Cost(1))
		close(release)
		require.NoError(t, <-result)
		require.Equal(t, before.Call()+1, number)
	})
}

// If a call on the list drops one of a Stream at the end of a turn, the stream gets the place back (C13).
func TestNewCallsThatDropACallOfAStream(t *testing.T) {
	inCrowd(t, Config{Overflow: DropLowest}, func(t *testing.T, s *Scheduler) {
		results := make(chan error, 3)
		go func() {
			defer close(results)
			inputs := slices.Values([]int{1, 2, 3})
			work := func(context.Context, int) (int, error) { return 0, nil }
			for r := range Stream(context.Background(), s, inputs, work, Parallel(1), Priority(-1)) {
				results <- r.Err
			}
		}()
		synctest.Wait()
		late := s.calls.Get().(*call)
		require.NoError(t, s.prepare(late, context.Background(), succeed, nil))
		_, ok := ask(s, func(o *owner, now time.Duration) bool {
			o.core.SetMaxQueued(now, o.core.Queued())
			o.s.listNew(late)
			return true
		})
		require.True(t, ok)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, results, 3)
		require.ErrorIs(t, <-results, ErrQueueFull)
	})
}

// A storm of calls, with cancellations and changes of the limit, loses none on a real clock.
func TestNewCallsStorm(t *testing.T) {
	const n = 4000
	s, err := New(Config{Limit: bucket.Per(1, 20*time.Microsecond), Level: &bucket.State{}})
	require.NoError(t, err)
	defer s.Close()
	var all sync.WaitGroup
	var ran, succeeded, canceled atomic.Int64
	for i := range n {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%3 == 0 {
				time.AfterFunc(time.Duration(rand.Int64N(int64(50*time.Millisecond))), cancel)
			}
			switch err := s.Do(ctx, func(context.Context) error { ran.Add(1); return nil }); err {
			case nil:
				succeeded.Add(1)
			case context.Canceled:
				canceled.Add(1)
			default:
				t.Error(err)
			}
			if i%500 == 0 {
				s.Snapshot()
			}
		})
	}
	all.Wait()
	require.Equal(t, ran.Load(), succeeded.Load())
	require.Equal(t, int64(n), succeeded.Load()+canceled.Load())
	snap := s.Snapshot()
	require.Zero(t, snap.Queued+snap.Running)
	require.Equal(t, uint64(succeeded.Load()), snap.Totals.Succeeded)
}
