package timeline_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
)

// crowd adds the events of n calls that all come at once. One is granted each second and runs for a second.
func crowd(n int, add func(events.Event)) {
	for i := range n {
		add(events.Event{At: at(0), Kind: events.Queued, Call: uint64(i + 1), Name: "one of many", Attempt: 1, Cost: 1})
	}
	for i := range n {
		now := float64(i)
		ev := events.Event{At: at(now), Kind: events.Granted, Call: uint64(i + 1), Name: "one of many", Attempt: 1, Cost: 1}
		add(ev)
		ev.Kind = events.Started
		add(ev)
		ev.Kind, ev.At = events.Succeeded, at(now+1)
		ev.Times = events.Times{Queue: time.Duration(max(0, i-1)) * time.Second, Tokens: time.Duration(min(i, 1)) * time.Second, Run: time.Second}
		add(ev)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestManyCalls checks that of 200,000 calls some from all over the run are drawn, and that the
// output says so. Counts and sums include all calls, and the timeline takes little memory.
func TestManyCalls(t *testing.T) {
	var tl timeline.Timeline
	before := heap()
	crowd(200_000, tl.Add)
	require.Less(t, heap()-before, int64(16<<20))
	tr, page := readTrace(t, &tl), readPage(t, &tl)
	calls := tr.calls(t)
	require.Len(t, calls, 782)
	for i, c := range calls {
		require.Equal(t, uint64(1+256*i), c.whole.Args.Call)
	}
	require.Equal(t, 782, page.rows)
	require.Equal(t, 1, page.focus, "the tab key reaches one call, and the arrows the others")
	require.Len(t, page.names, 782)
	require.Less(t, len(page.text), 1<<20)
	require.Contains(t, page.text, ">36h</span>")
	for _, text := range []string{tr.OtherData.Summary, page.text} {
		require.Contains(t, text, "200000 calls in 55h33m20s: 200000 succeeded; 200000 attempts; up to 199999 waited at once. "+
			"On average a call took 27h46m40.5s (queue 27h46m38.5s, tokens 999.995ms, run 1s).")
		require.Contains(t, text, "One call in 256 is drawn, 782 of the 200000 that are over; sums and curves are of all.")
	}
	var counters int
	for _, ev := range tr.TraceEvents {
		if ev.Ph == "C" && ev.Name == "calls waiting" {
			counters++
			off := nanos(t, ev.Ts)/time.Second + time.Duration(ev.Args.Value) - 200_000 // one fewer each second
			require.LessOrEqual(t, off.Abs(), time.Duration(250))
		}
	}
	require.Greater(t, counters, 900)
	require.Less(t, counters, 2000)
}

// TestMaxCalls checks that calls that have not ended count too, and that later ones may replace earlier ones.
func TestMaxCalls(t *testing.T) {
	tl := timeline.Timeline{MaxCalls: 5}
	crowd(5, tl.Add)
	require.Len(t, readTrace(t, &tl).calls(t), 5)
	require.NotContains(t, readTrace(t, &tl).OtherData.Summary, "drawn")
	tl.Add(events.Event{At: at(9), Kind: events.Queued, Call: 6})
	require.Len(t, readTrace(t, &tl).calls(t), 3)
	tl.Add(events.Event{At: at(9), Kind: events.Queued, Call: 7})
	require.Contains(t, readTrace(t, &tl).OtherData.Summary, "One call in 2 is drawn, 3 of the 5 that are over;")
	require.Len(t, readPage(t, &tl).titles, 4)
}

// TestManyHolds checks that any number of holds, pauses and attempts takes bounded space, also
// for a call that waits through all of them.
func TestManyHolds(t *testing.T) {
	var list []events.Event
	list = append(list, events.Event{At: at(0), Kind: events.Queued, Call: 1, Attempt: 1})
	for i := range 3000 {
		list = append(list,
			events.Event{At: at(float64(10 * i)), Kind: events.Held, Call: 2, Delay: 2 * time.Second},
			events.Event{At: at(float64(10*i + 1)), Kind: events.Paused},
			events.Event{At: at(float64(10*i + 4)), Kind: events.Resumed},
			events.Event{At: at(float64(10*i + 5)), Kind: events.RateChanged, Rate: 0.5})
	}
	list = append(list, events.Event{At: at(5), Kind: events.Queued, Call: 2, Attempt: 1})
	for i := range 3000 {
		now := 30_000 + float64(i)
		list = append(list,
			events.Event{At: at(now), Kind: events.Granted, Call: 2, Attempt: i + 1},
			events.Event{At: at(now + 0.25), Kind: events.Retrying, Call: 2, Attempt: i + 1},
			events.Event{At: at(now + 0.5), Kind: events.Queued, Call: 2, Attempt: i + 2})
	}
	tl := timelineOf(list...)
	tr := readTrace(t, tl)
	spans := map[int]int{}
	for _, ev := range tr.TraceEvents {
		if ev.Ph == "X" && ev.Pid == 1 {
			spans[ev.Tid]++
		}
	}
	require.Equal(t, map[int]int{1: 1000, 2: 1000}, spans)
	require.Contains(t, tr.OtherData.Summary, "Of what happened to the scheduler, 6000 things are not drawn.")
	calls := tr.calls(t)
	require.Len(t, calls[0].parts, 3, "all holds as one, the queue behind call 2, and being next")
	require.Equal(t, 4000*time.Second, nanos(t, calls[0].parts[0].Dur), "a hold and a pause that overlap are not counted twice")
	require.Equal(t, "the order of its parts is not known", calls[1].whole.Args.Note)
	require.Less(t, strings.Count(readPage(t, tl).text, `class="break"`), 3*2001)
}

// TestManyAtOnce writes a timeline while events are added.
func TestManyAtOnce(t *testing.T) {
	var tl timeline.Timeline
	var wait sync.WaitGroup
	wait.Go(func() { crowd(200, tl.Add) })
	for range 5 {
		readTrace(t, &tl).calls(t)
		readPage(t, &tl)
	}
	wait.Wait()
	require.Len(t, readTrace(t, &tl).calls(t), 200)
}

// TestDrawnAtTheBound checks that a call that has not ended, and has all the spans that it may keep, is drawn
// with its parts and its total time.
func TestDrawnAtTheBound(t *testing.T) {
	list := []events.Event{{At: at(0), Kind: events.Queued, Call: 1, Attempt: 1}}
	for i := range 42 { // three spans each: waits, runs, backs off
		now := float64(3 * i)
		list = append(list,
			events.Event{At: at(now + 1), Kind: events.Granted, Call: 1, Attempt: i + 1},
			events.Event{At: at(now + 2), Kind: events.Retrying, Call: 1, Attempt: i + 1},
			events.Event{At: at(now + 3), Kind: events.Queued, Call: 1, Attempt: i + 2})
	}
	list = append(list,
		events.Event{At: at(127), Kind: events.Granted, Call: 1, Attempt: 43},
		events.Event{At: at(128), Kind: events.Retrying, Call: 1, Attempt: 43}, // ends span 128
		events.Event{At: at(129), Kind: events.Paused})
	tl := timelineOf(list...)
	for range 2 { // drawing changes nothing
		c := readTrace(t, tl).calls(t)[0]
		require.Len(t, c.parts, 129)
		require.Empty(t, c.whole.Args.Note)
		require.Equal(t, 129*time.Second, nanos(t, c.whole.Dur))
	}
	tl.Add(events.Event{At: at(130), Kind: events.Queued, Call: 1, Attempt: 44}) // span 129 is kept no more
	c := readTrace(t, tl).calls(t)[0]
	require.Equal(t, "the order of its parts is not known", c.whole.Args.Note)
}
