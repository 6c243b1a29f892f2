package main

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	uber "go.uber.org/ratelimit"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// emptied opens a limiter of 10 tokens a second that has just been emptied.
type emptied func(t *testing.T) taker

func drained(open func(limit) taker, burst int) emptied {
	return func(*testing.T) taker {
		l := open(perSecond(10, burst))
		for range burst {
			check(l.wait(context.Background()))
		}
		return l
	}
}

func newFairlead(t *testing.T, c scheduler.Config) *scheduler.Scheduler {
	s := must(scheduler.New(c))
	t.Cleanup(s.Close)
	return s
}

func drainedFairlead(burst int64) emptied {
	return func(t *testing.T) taker {
		s := newFairlead(t, scheduler.Config{Limit: bucket.Per(10, time.Second).Burst(burst)})
		check(s.Do(t.Context(), nothing, scheduler.Cost(burst)))
		return fairleadTaker(s)
	}
}

func (l taker) of(cost int) func(context.Context) error {
	if cost == 1 {
		return l.wait
	}
	return func(ctx context.Context) error { return l.waitN(ctx, cost) }
}

// crew is callers who wait, and who of them was served when.
type crew struct {
	began  time.Time
	mu     sync.Mutex
	served []string
	at     map[string]time.Duration
}

func newCrew() *crew { return &crew{began: time.Now(), at: map[string]time.Duration{}} }

func (l *crew) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.served = append(l.served, name)
	l.at[name] = time.Since(l.began)
}

// call has somebody wait, after all who were called before. It returns how to leave.
func (l *crew) call(name string, wait func(context.Context) error) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		if wait(ctx) == nil {
			l.note(name)
		}
	}()
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

// until lets time pass.
func (l *crew) until(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// about is equal but for what floating point does to a limiter's nanoseconds.
func about(a, b time.Duration) bool { return (a - b).Abs() <= time.Microsecond }

// onlyTake: uber's limiter has one method, without arguments.
func onlyTake(t *testing.T) mark {
	var _ interface{ Take() time.Time } = uber.New(1)
	if reflect.TypeFor[uber.Limiter]().NumMethod() == 1 {
		return no
	}
	return partly
}
