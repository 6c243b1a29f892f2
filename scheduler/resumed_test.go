package scheduler_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// tell returns a function that sends the CallInfo of each attempt.
func tell(to chan<- scheduler.Info) func(context.Context) error {
	return func(ctx context.Context) error {
		info, _ := scheduler.CallInfo(ctx)
		to <- info
		return nil
	}
}

// What no scheduler has written is refused at once, with an error that says why (C18, resumed; H118).
func TestH118_ResumedRefusesWhatNoSchedulerHasWritten(t *testing.T) {
	ok := scheduler.Unfinished{Call: 3, Name: "load", State: "queued", Cost: 1}
	faults := map[string]func(u *scheduler.Unfinished){
		`scheduler: Resumed: call 3 "load": its State is "": it must be "running", "queued", "backing off" or "later"`:        func(u *scheduler.Unfinished) { u.State = "" },
		`scheduler: Resumed: call 3 "load": its State is "ended": it must be "running", "queued", "backing off" or "later"`:   func(u *scheduler.Unfinished) { u.State = "ended" },
		`scheduler: Resumed: call 9223372036854775808 "load": its number must be at most 9223372036854775807`:                 func(u *scheduler.Unfinished) { u.Call = math.MaxInt64 + 1 },
		`scheduler: Resumed: call 3 "load": its Attempts is -1: it must be from 0 to 2147483646`:                              func(u *scheduler.Unfinished) { u.Attempts = -1 },
		`scheduler: Resumed: call 3 "load": its Attempts is 2147483647: it must be from 0 to 2147483646`:                      func(u *scheduler.Unfinished) { u.Attempts = math.MaxInt32 },
		`scheduler: Resumed: call 3 "load": its State is "running" and its Attempts 0: such a call has made at least one`:     func(u *scheduler.Unfinished) { u.State = "running" },
		`scheduler: Resumed: call 3 "load": its State is "backing off" and its Attempts 0: such a call has made at least one`: func(u *scheduler.Unfinished) { u.State = "backing off" },
		`scheduler: Resumed: call 3 "load": its State is "later" and its Attempts 2: such a call has made none`:               func(u *scheduler.Unfinished) { u.State, u.Attempts = "later", 2 },
		`scheduler: Resumed: call 3 "load": its Paid is -3: it must be from 0 to 4611686018427387903`:                         func(u *scheduler.Unfinished) { u.Paid = -3 },
		`scheduler: Resumed: call 3 "load": its Paid is 4611686018427387904: it must be from 0 to 4611686018427387903`:        func(u *scheduler.Unfinished) { u.Paid = math.MaxInt64/2 + 1 },
		"bucket: cost -1 is negative: a call costs 0 tokens or more":                                                          func(u *scheduler.Unfinished) { u.Cost = -1 },
		`scheduler: no budget "tokens": there is one budget, and its name is ""`:                                              func(u *scheduler.Unfinished) { u.Costs = map[string]int64{"tokens": 1} },
	}
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		for text, spoil := range faults {
			u := ok
			spoil(&u)
			_, err := s.Submit(t.Context(), nothing, scheduler.Resumed(u))
			require.EqualError(t, err, text)
		}
		for _, opt := range []scheduler.Option{scheduler.Delay(1), scheduler.NotBefore(time.Now())} {
			_, err := s.Submit(t.Context(), nothing, scheduler.Resumed(ok), opt)
			require.EqualError(t, err, `scheduler: Resumed: call 3 "load" has arrived in its earlier life: leave out NotBefore and Delay`)
		}
		require.Zero(t, s.Snapshot().Totals.Accepted)
		require.NoError(t, settled(submit(t, s, nothing, scheduler.Resumed(ok))))
	})
}

// A number is given once, whatever the order in which calls are resumed and made (C19, numbers; H119).
func TestH119_NumbersOfResumedCalls(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		resumed := func(number uint64) *scheduler.Handle {
			return submit(t, s, nothing, scheduler.Resumed(scheduler.Unfinished{Call: number, State: "queued", Rank: time.Now(), Cost: 1}))
		}
		taken := func(number uint64, text string) {
			t.Helper()
			h := resumed(number)
			require.EqualError(t, settled(h), text)
			require.Zero(t, h.Call())
			err := s.Do(t.Context(), nothing, scheduler.Resumed(scheduler.Unfinished{Call: number, State: "queued", Cost: 1}))
			require.EqualError(t, err, text)
		}
		require.EqualValues(t, 1, submit(t, s, nothing).Call())
		for _, number := range []uint64{70, 5, 2, 69, 64, 300} {
			require.Equal(t, number, resumed(number).Call())
		}
		require.EqualValues(t, 301, submit(t, s, nothing).Call(), "new calls have the numbers above")
		require.EqualValues(t, 302, resumed(0).Call(), "it had none")
		require.EqualValues(t, 400, resumed(400).Call())
		require.EqualValues(t, 303, resumed(303).Call())
		for _, number := range []uint64{1, 70, 5, 2, 69, 64, 300, 301, 302, 303, 400} {
			taken(number, "scheduler: Resumed: this scheduler has had a call with the number "+uintText(number)+": resume each call once, and before others are made")
		}
		require.EqualValues(t, int64(math.MaxInt64), resumed(math.MaxInt64).Call())
		require.EqualValues(t, uint64(math.MaxInt64)+1, submit(t, s, nothing).Call())
		require.EqualValues(t, 399, resumed(399).Call())
	})
}

func uintText(n uint64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// The report of Shutdown is the same after JSON, and a resumed call that is reported again differs in nothing (C18,
// resumed).
func TestReportOfResumedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := scheduler.Config{Limits: llm, Levels: map[string]bucket.State{"requests": {Tokens: 2}, "tokens": {Tokens: 100}}}
		s := open(t, cfg)
		fails := func(context.Context) error { return retry.Transient(errBusy) }
		submit(t, s, fails, scheduler.Name("fails"), scheduler.CostOf("tokens", 20), scheduler.Key("acme"))
		submit(t, s, untilDone, scheduler.Name("runs"))
		submit(t, s, nothing, scheduler.Priority(3), scheduler.CostOf("tokens", 40))
		submit(t, s, nothing, scheduler.Delay(time.Minute), scheduler.Name("later"), scheduler.Priority(-2))
		submit(t, s, nothing)
		synctest.Wait()
		now, cancel := context.WithCancel(t.Context())
		cancel()
		left, err := s.Shutdown(now)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, left, 5)
		text, err := json.Marshal(left)
		require.NoError(t, err)

		var again []scheduler.Unfinished
		require.NoError(t, json.Unmarshal(text, &again))
		cfg.Levels = map[string]bucket.State{"requests": {}, "tokens": {}}
		time.Sleep(time.Second / 2)
		s = open(t, cfg)
		for _, u := range again {
			submit(t, s, nothing, scheduler.Resumed(u))
		}
		left, err = s.Shutdown(now)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		text, err = json.Marshal(again)
		require.NoError(t, err)
		twice, err := json.Marshal(left)
		require.NoError(t, err)
		require.JSONEq(t, string(text), string(twice))
	})
}

// Attempts of the earlier life count: for the policy, and in what functions and errors are told (C18, resumed).
func TestAttemptsOfAnEarlierLifeCount(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		start := time.Now()
		u := scheduler.Unfinished{
			Call: 9, State: "backing off", Rank: start.Add(-time.Minute), Cost: 1, Attempts: 4, Paid: 4,
			Began: start.Add(-time.Minute), Due: start.Add(3 * time.Second), Err: "server was busy",
		}
		f := failing(nil)
		h := submit(t, s, f.run, scheduler.Resumed(u))
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, settled(h), &exhausted)
		require.Equal(t, 2, f.attempts(), "the fifth and the sixth")
		require.Equal(t, 19*time.Second, time.Since(start), "the rest of one backoff, and 16 s")
		require.Equal(t, 6, exhausted.Attempts)
		require.Equal(t, 6, h.Attempts())
		require.EqualError(t, exhausted.Errors[0], "server was busy")
		require.Len(t, exhausted.Errors, 3, "the last of the earlier life, and its own")

		infos := make(chan scheduler.Info, 1)
		u.State, u.Due, u.Call = "queued", time.Time{}, 10
		require.NoError(t, s.Do(t.Context(), tell(infos), scheduler.Resumed(u), scheduler.Name("again")))
		require.Equal(t, scheduler.Info{Call: 10, Name: "again", Attempt: 5, Cost: 1, Granted: time.Now()}, <-infos)

		done, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		u.State, u.Due, u.Call = "backing off", time.Now().Add(2*time.Second), 11
		require.EqualError(t, s.Do(done, nothing, scheduler.Resumed(u)), "scheduler: the call would have to wait 2s, but the context's deadline is in 1s: allow more time or call later (last attempt: server was busy)")
	})
}

// A call that was running makes the same attempt again, also the last one (C20, cut off; H120).
func TestH120_AnAttemptThatWasCutOffIsMadeAgain(t *testing.T) {
	bubble(t, scheduler.Config{Retry: retry.Policy{MaxRetries: 2, MaxElapsed: time.Minute, Jitter: retry.None}}, func(t *testing.T, s *scheduler.Scheduler) {
		for made, runs := range map[int]int{1: 3, 2: 2, 3: 1} {
			u := scheduler.Unfinished{
				Call: uint64(made), State: "running", Rank: time.Now(), Cost: 5, Attempts: made, Paid: int64(5 * made), Began: time.Now(),
			}
			f := failing(nil)
			h := submit(t, s, f.run, scheduler.Resumed(u))
			require.ErrorIs(t, settled(h), retry.ErrExhausted)
			require.Equal(t, runs, f.attempts(), "attempt %d was cut off", made)
			require.Equal(t, 3, h.Attempts())
		}
		infos := make(chan scheduler.Info, 1)
		old := scheduler.Unfinished{State: "running", Rank: time.Now().Add(-time.Hour), Cost: 1, Attempts: 2, Paid: 2, Began: time.Now().Add(-time.Hour)}
		require.NoError(t, settled(submit(t, s, tell(infos), scheduler.Resumed(old), scheduler.NoWait())), "neither MaxElapsed nor NoWait prevents it")
		require.Equal(t, 2, (<-infos).Attempt)

		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, settled(submit(t, s, failing(nil).run, scheduler.Resumed(old))), &exhausted, "but MaxElapsed has passed for the next")
		require.Equal(t, 2, exhausted.Attempts)
		require.Equal(t, time.Hour+2*time.Second, exhausted.Elapsed)
	})
}

// MaxElapsed counts from the first attempt of the earlier life, also if it passed between the lives (C18, resumed).
func TestMaxElapsedOfAnEarlierLife(t *testing.T) {
	bubble(t, scheduler.Config{Retry: retry.Policy{MaxElapsed: time.Minute, Jitter: retry.None}}, func(t *testing.T, s *scheduler.Scheduler) {
		for _, state := range []string{"backing off", "queued"} {
			u := scheduler.Unfinished{
				State: state, Rank: time.Now(), Cost: 1, Attempts: 2, Began: time.Now().Add(-70 * time.Second), Due: time.Now(), Err: "busy",
			}
			h := submit(t, s, nothing, scheduler.Resumed(u))
			require.EqualError(t, settled(h), "retry: retries exhausted: 2 attempts failed, the next would begin 1m10s after the first and Policy.MaxElapsed is 1m0s, the last with: busy")
			u.Began = time.Now().Add(-time.Minute)
			require.NoError(t, settled(submit(t, s, nothing, scheduler.Resumed(u))), "at the last instant")
		}
	})
}

// If the wall clock was set back between the lives, MaxElapsed counts from when the call is resumed (C18, resumed).
func TestMaxElapsedAndAClockThatWasSetBack(t *testing.T) {
	bubble(t, scheduler.Config{Retry: retry.Policy{Initial: 9 * time.Second, Multiplier: 1, MaxRetries: 1000, MaxElapsed: time.Minute, Jitter: retry.None}}, func(t *testing.T, s *scheduler.Scheduler) {
		ahead := time.Now().Add(24 * time.Hour)
		for _, state := range []string{"running", "backing off", "queued"} {
			u := scheduler.Unfinished{State: state, Rank: ahead, Cost: 1, Attempts: 2, Began: ahead, Due: ahead, Err: "busy"}
			begun := time.Now()
			exhausted := new(retry.ExhaustedError)
			require.ErrorAs(t, settled(submit(t, s, failing(nil).run, scheduler.Resumed(u))), &exhausted)
			require.Equal(t, time.Minute, exhausted.MaxElapsed)
			require.Less(t, time.Since(begun), time.Minute)
		}
	})
}

// If the wall clock was set back between the lives, no new call overtakes a resumed one of its priority, and no
// backoff lasts longer than the policy's longest (C18, resumed; H121).
func TestH121_AClockThatWasSetBack(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerSecond(1).Burst(1), Level: empty, Retry: retry.Policy{Max: 10 * time.Second, MaxServerWait: 20 * time.Second}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		names := make(chan scheduler.Info, 9)
		ahead := time.Now().Add(24 * time.Hour) // it was then, by the clock of the earlier life
		left := []scheduler.Unfinished{
			{Call: 3, Name: "first", State: "queued", Rank: ahead, Cost: 1},
			{Call: 7, Name: "fails", State: "backing off", Rank: ahead.Add(time.Second), Cost: 1, Attempts: 1, Due: ahead.Add(time.Minute), Err: "busy"},
			{Call: 4, Name: "second", State: "queued", Rank: ahead.Add(2 * time.Second), Cost: 1},
			{Call: 6, Name: "urgent", State: "queued", Rank: ahead.Add(-59 * time.Second), Priority: 1, Cost: 1},
			{Call: 5, Name: "tomorrow", State: "later", Rank: ahead.Add(time.Hour), Cost: 1, Due: ahead.Add(time.Hour)},
		}
		start := time.Now()
		for _, u := range left {
			submit(t, s, tell(names), scheduler.Resumed(u))
		}
		submit(t, s, tell(names), scheduler.Name("new"))
		for _, name := range []string{"urgent", "first", "second", "new", "fails"} {
			require.Equal(t, name, (<-names).Name)
		}
		late := time.Since(start)
		require.GreaterOrEqual(t, late, 20*time.Second, "it may have been a server's wait")
		require.LessOrEqual(t, late, 22*time.Second)
		require.Equal(t, "tomorrow", (<-names).Name)
		require.Equal(t, ahead.Add(time.Hour), time.Now(), "its caller has named that time")
	})
}

// Config.LastCall keeps the numbers of new calls above those of earlier lives, and those of resumed calls are free (C19,
// numbers).
func TestLastCallAndResumedCalls(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, LastCall: 100}, func(t *testing.T, s *scheduler.Scheduler) {
		resume := func(number uint64) *scheduler.Handle {
			return submit(t, s, nothing, scheduler.Resumed(scheduler.Unfinished{Call: number, State: "queued", Cost: 1}))
		}
		require.EqualValues(t, 7, resume(7).Call())
		require.EqualValues(t, 101, submit(t, s, nothing).Call())
		require.EqualValues(t, 100, resume(100).Call())
		require.ErrorContains(t, settled(resume(7)), "has had a call with the number 7")
		require.ErrorContains(t, settled(resume(101)), "has had a call with the number 101")
	})
	require.ErrorContains(t, scheduler.Config{LastCall: math.MaxInt64 + 1}.Validate(), "scheduler: Config.LastCall is 9223372036854775808: the largest number is 9223372036854775807")
}

// The wait of a call for its first attempt counts from its first arrival, with options and without (C18, resumed).
func TestTimesOfResumedCalls(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		u := scheduler.Unfinished{State: "queued", Rank: time.Now().Add(-time.Minute), Cost: 1}
		plain := submit(t, s, nothing, scheduler.Resumed(u))
		named := submit(t, s, nothing, scheduler.Resumed(u), scheduler.Name("named"))
		require.NoError(t, settled(plain))
		require.NoError(t, settled(named))
		require.Equal(t, 61*time.Second, plain.Times().Total())
		require.Equal(t, 62*time.Second, named.Times().Total())
		time.Sleep(time.Minute)
		for _, name := range []string{"", "named"} {
			at := submit(t, s, func(context.Context) error { time.Sleep(time.Second); return nil }, scheduler.Resumed(u), scheduler.Name(name))
			require.NoError(t, settled(at))
			require.Equal(t, time.Second, at.Times().Run, "it started at once")
			require.Equal(t, time.Since(u.Rank)-time.Second, at.Times().Queue)
		}
	})
}

// MaxWait counts from the first arrival, and bounds only the first attempt (C18, resumed).
func TestMaxWaitOfResumedCalls(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: &bucket.State{Tokens: 3}}, func(t *testing.T, s *scheduler.Scheduler) {
		u := scheduler.Unfinished{State: "queued", Rank: time.Now().Add(-time.Minute), Cost: 1}
		do := func(most time.Duration) error {
			return s.Do(t.Context(), nothing, scheduler.Resumed(u), scheduler.MaxWait(most))
		}
		require.ErrorIs(t, do(59*time.Second), scheduler.ErrWouldWait)
		require.NoError(t, do(time.Minute), "it starts at once")
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Resumed(u), scheduler.NoWait()), "which bounds no wait before it is resumed")
		u.Attempts = 1
		require.NoError(t, do(time.Second), "a retry waits")
	})
}

// TestResumedOptionsCostNothing checks that a call that is resumed allocates its handle alone.
func TestResumedOptionsCostNothing(t *testing.T) {
	s := open(t, scheduler.Config{})
	s.Pause()
	u := scheduler.Unfinished{State: "queued", Cost: 1, Rank: time.Now()}
	resume := func() {
		u.Call++
		_, err := s.Submit(context.Background(), nothing, scheduler.Resumed(u))
		require.NoError(t, err)
	}
	resume()
	require.Less(t, testing.AllocsPerRun(1000, resume), 1+poolLoses)
}
