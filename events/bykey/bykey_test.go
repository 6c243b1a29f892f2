package bykey_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func sumsOf(list ...events.Event) *bykey.Sums {
	var s bykey.Sums
	for _, ev := range list {
		s.Add(ev)
	}
	return &s
}

// run returns the events of three calls of a noisy key, one of acme, and one without a key.
func run() []events.Event {
	return []events.Event{
		{At: at(0), Kind: events.Queued, Call: 1, Key: "noisy", Cost: 2},
		{At: at(0), Kind: events.Granted, Call: 1, Key: "noisy", Cost: 2},
		{At: at(0), Kind: events.Started, Call: 1, Key: "noisy", Cost: 2},
		{At: at(1), Kind: events.Queued, Call: 2, Key: "noisy", Cost: 2},
		{At: at(2), Kind: events.Queued, Call: 3, Key: "noisy", Cost: 2},
		{At: at(2), Kind: events.Later, Call: 4, Key: "acme"},
		{At: at(3), Kind: events.Queued, Call: 4, Key: "acme", Cost: 1},
		{At: at(3), Kind: events.Queued, Call: 5, Cost: 1},
		{At: at(4), Kind: events.Retrying, Call: 1, Key: "noisy", Cost: 2},
		{At: at(5), Kind: events.Granted, Call: 4, Key: "acme", Cost: 1},
		{At: at(6), Kind: events.Succeeded, Call: 4, Key: "acme", Cost: 1,
			Times: events.Times{Queue: 2 * time.Second, Turn: 1500 * time.Millisecond, Later: time.Second, Run: time.Second}},
		{At: at(6), Kind: events.Canceled, Call: 2, Key: "noisy", Cost: 2, Times: events.Times{Queue: 5 * time.Second}},
		{At: at(6), Kind: events.Held, Call: 1, Key: "noisy"},
		{At: at(7), Kind: events.Refused, Key: "noisy", Err: errors.New("full")},
		{At: at(7), Kind: events.Queued, Call: 1, Key: "noisy", Cost: 2},
	}
}

// TestReport checks what each key has, and which comes first.
func TestReport(t *testing.T) {
	sums := sumsOf(run()...)
	noisy := bykey.Key{Key: "noisy", Waiting: 2, Since: at(2), Attempts: 1, Spent: 2, Failed: 1, Refused: 1, Mean: events.Times{Queue: 5 * time.Second}}
	plain := bykey.Key{Waiting: 1, Since: at(3)}
	acme := bykey.Key{
		Key: "acme", Attempts: 1, Spent: 1, Succeeded: 1,
		Mean: events.Times{Queue: 2 * time.Second, Turn: 1500 * time.Millisecond, Later: time.Second, Run: time.Second},
	}
	require.Equal(t, bykey.Report{Keys: []bykey.Key{noisy, plain, acme}}, sums.Report(0))
	require.Equal(t, sums.Report(0), sums.Report(7))
	require.Equal(t, bykey.Report{Keys: []bykey.Key{noisy}, Others: bykey.Key{
		Waiting: 1, Since: at(3), Attempts: 1, Spent: 1, Succeeded: 1, Mean: acme.Mean,
	}}, sums.Report(1))
	require.Equal(t, sums.Report(1), sums.Report(1), "a report changes nothing")

	sums.Add(events.Event{At: at(8), Kind: events.ShutDown})
	r := sums.Report(0)
	require.Zero(t, r.Keys[0].Waiting)
	require.Zero(t, r.Keys[0].Since)
	require.Equal(t, []string{"noisy", "acme", ""}, []string{r.Keys[0].Key, r.Keys[1].Key, r.Keys[2].Key}, "by what they have spent")
}

// TestNothing checks a Sums without events, and one with events that are of no call.
func TestNothing(t *testing.T) {
	empty := bykey.Report{Keys: []bykey.Key{}}
	require.Equal(t, empty, new(bykey.Sums).Report(3))
	require.Equal(t, empty, sumsOf(events.Event{Kind: events.Held}, events.Event{Kind: events.Paused}, events.Event{Kind: 99, Call: 7}, events.Event{Kind: events.Queued}).Report(3))
	text, err := json.Marshal(new(bykey.Sums).Report(3))
	require.NoError(t, err)
	require.Equal(t, `{"keys":[],"others":{"key":"","waiting":0,"running":0,"attempts":0,"spent":0,"succeeded":0,"failed":0,"refused":0}}`, string(text))
}

// TestMaxKeys checks that a key with open calls, or with many attempts, is kept while any number of keys with one call
// each come and go, and that nothing is lost from the sums.
func TestMaxKeys(t *testing.T) {
	s := bykey.Sums{MaxKeys: 4}
	call := uint64(0)
	do := func(key string) {
		call++
		s.Add(events.Event{At: at(0), Kind: events.Granted, Call: call, Key: key, Cost: 1})
		s.Add(events.Event{At: at(0), Kind: events.Succeeded, Call: call, Key: key, Times: events.Times{Run: time.Second}})
	}
	do("noisy")
	do("noisy")
	s.Add(events.Event{At: at(5), Kind: events.Queued, Call: 1 << 40, Key: "patient"})
	for i := range 1000 {
		do(fmt.Sprint("user ", i))
	}
	r := s.Report(0)
	require.Len(t, r.Keys, 4)
	require.Equal(t, "patient", r.Keys[0].Key)
	require.Equal(t, bykey.Key{Key: "noisy", Attempts: 2, Spent: 2, Succeeded: 2, Mean: events.Times{Run: time.Second}}, r.Keys[1])
	require.Equal(t, bykey.Key{Attempts: 998, Spent: 998, Succeeded: 998, Mean: events.Times{Run: time.Second}}, r.Others)

	for i := range 10 { // all waiting
		call++
		s.Add(events.Event{At: at(float64(10 + i)), Kind: events.Queued, Call: call, Key: fmt.Sprint("waiting ", i)})
	}
	r = s.Report(0)
	require.Equal(t, 10+1, r.Keys[0].Waiting+r.Keys[1].Waiting+r.Keys[2].Waiting+r.Keys[3].Waiting+r.Others.Waiting)
	require.Equal(t, at(13), r.Others.Since, "three found room")
	require.Len(t, r.Keys, 4)
}

// TestLostEvents checks that after a loss no call is known to wait until its next event.
func TestLostEvents(t *testing.T) {
	sums := sumsOf(run()...)
	sums.Add(events.Event{At: at(8), Missed: 3, Kind: events.Granted, Call: 3, Key: "noisy", Cost: 2})
	r := sums.Report(0)
	require.EqualValues(t, 3, r.Missed)
	require.Equal(t, 1, r.Keys[0].Running)
	require.Zero(t, r.Keys[0].Waiting)
	require.EqualValues(t, 2, r.Keys[0].Attempts)
}

// TestBounds checks that sums of anything do not overflow, and that open calls and calls that come and go take bounded memory.
func TestBounds(t *testing.T) {
	huge := events.Event{Kind: events.Granted, Call: 1, Cost: math.MaxInt64}
	over := events.Event{Kind: events.Failed, Call: 1, Times: events.Times{Run: math.MaxInt64}}
	debt := events.Event{Kind: events.Granted, Call: 2, Cost: -5}
	k := sumsOf(huge, over, huge, over, debt).Report(0).Keys[0]
	require.EqualValues(t, int64(math.MaxInt64), k.Spent)
	require.Zero(t, k.Mean)

	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var s bykey.Sums
	s.Add(events.Event{At: at(0), Kind: events.Queued, Call: 1})
	for i := range 300_000 {
		s.Add(events.Event{At: at(1), Kind: events.Queued, Call: uint64(i + 2)})
		s.Add(events.Event{At: at(2), Kind: events.Canceled, Call: uint64(i + 2)})
	}
	require.Less(t, heap()-before, int64(1<<20))
	require.Equal(t, at(0), s.Report(0).Keys[0].Since)
	for i := range 300_000 {
		s.Add(events.Event{At: at(3), Kind: events.Queued, Call: uint64(i + 1<<20)})
	}
	require.Equal(t, 1<<18, s.Report(0).Keys[0].Waiting)
	runtime.KeepAlive(&s)
}

// TestManyAtOnce reads reports while events are added.
func TestManyAtOnce(t *testing.T) {
	var s bykey.Sums
	var wait sync.WaitGroup
	wait.Go(func() {
		for range 100 {
			for _, ev := range run() {
				s.Add(ev)
			}
		}
	})
	for range 100 {
		for _, k := range s.Report(2).Keys {
			require.GreaterOrEqual(t, k.Waiting, 0)
		}
	}
	wait.Wait()
	require.EqualValues(t, 100, s.Report(0).Keys[0].Attempts)
}
