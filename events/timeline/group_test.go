package timeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
)

// keyed returns the events of calls of a noisy key, of another, and of none. A server holds the other for two seconds.
func keyed() []events.Event {
	slow := errors.New("429 slow down")
	return []events.Event{
		{At: at(0), Kind: events.Queued, Call: 1, Key: "noisy", Attempt: 1, Cost: 1},
		{At: at(0), Kind: events.Queued, Call: 2, Key: "noisy", Attempt: 1, Cost: 1},
		{At: at(0), Kind: events.Queued, Call: 3, Name: "plain", Attempt: 1, Cost: 1},
		{At: at(0), Kind: events.Queued, Call: 4, Name: "first", Key: "acme", Attempt: 1, Cost: 1},
		{At: at(1), Kind: events.Granted, Call: 1, Key: "noisy", Attempt: 1, Cost: 1},
		{At: at(2), Kind: events.Succeeded, Call: 1, Key: "noisy", Attempt: 1, Cost: 1, Times: events.Times{Tokens: time.Second, Run: time.Second}},
		{At: at(2), Kind: events.Granted, Call: 4, Name: "first", Key: "acme", Attempt: 1, Cost: 1},
		{At: at(3), Kind: events.Held, Call: 4, Key: "acme", Delay: 2 * time.Second, Err: slow},
		{At: at(3), Kind: events.Failed, Call: 4, Name: "first", Key: "acme", Attempt: 1, Cost: 1, Err: slow,
			Times: events.Times{Queue: 2 * time.Second, Turn: 1500 * time.Millisecond, Run: time.Second}},
		{At: at(3), Kind: events.Queued, Call: 5, Key: "acme", Attempt: 1, Cost: 1},
		{At: at(4), Kind: events.Granted, Call: 3, Name: "plain", Attempt: 1, Cost: 1},
		{At: at(6), Kind: events.Refused, Key: "noisy", Err: slow},
	}
}

// TestGroups checks that the calls of each key are together, in the order in which the keys came and after those
// without a key, and that a hold of one key is shown only there.
func TestGroups(t *testing.T) {
	tl := timelineOf(keyed()...)
	page := readPage(t, tl)
	require.Equal(t, []string{"no key", "3 plain", "noisy", "1 ", "2 ", "acme", "✗ 4 first", "5 "}, page.names)
	require.Equal(t, []string{
		"no key: 0 calls ended",
		`call 3 "plain" not over, 1 attempt, after 6s (queue 2s, tokens 2s, run 2s)`,
		`key "noisy": 1 call ended: 1 succeeded; 1 more call refused; on average a call took 2s (tokens 1s, run 1s)`,
		`call 1 of key "noisy" succeeded, 1 attempt, after 2s (tokens 1s, run 1s)`,
		`call 2 of key "noisy" not over, 0 attempts, after 6s (queue 4s, tokens 2s)`,
		`key "acme": 1 call ended: 1 failed; on average a call took 3s (queue 2s (turn 1.5s), run 1s)`,
		`call 4 "first" of key "acme" failed, 1 attempt, after 3s (queue 2s (turn 1.5s), run 1s): 429 slow down`,
		`call 5 of key "acme" not over, 0 attempts, after 3s (tokens 1s, hold 2s)`,
	}, page.titles)
	require.Equal(t, 1, page.focus)
	require.Contains(t, page.text, `aria-label="5 calls"`)
	require.Contains(t, page.text, "(turn: the part of queue in which only calls of other keys were ahead)")
	require.Equal(t, 1, page.classes["break"])
	require.Contains(t, page.text, `<rect class="break" x="5000.0" y="80" width="3333.3" height="48"/>`, "behind the heading and the two calls of acme")

	var svg bytes.Buffer
	require.NoError(t, tl.WriteSVG(&svg))
	require.Equal(t, 1+1, strings.Count(svg.String(), `class="break"`), "and the legend")
	require.Contains(t, svg.String(), fmt.Sprintf(`<rect class="break" x="510.0" y="%d" width="246.7" height="42"/>`, 188+5*14))
	require.Contains(t, svg.String(), `<g><title>key &#34;acme&#34;: 1 call ended`)
	require.Contains(t, svg.String(), fmt.Sprintf(`height="%d" viewBox`, 188+8*14+36))
}

// TestGroupsInATrace checks that each key is a process with threads for its calls and its holds.
func TestGroupsInATrace(t *testing.T) {
	var got []string
	threads := map[int]bool{}
	for _, ev := range readTrace(t, timelineOf(keyed()...)).TraceEvents {
		switch {
		case ev.Pid == 1:
			require.NotEqual(t, "hold", ev.Name, "no hold of all")
		case ev.Name == "process_name":
			got = append(got, fmt.Sprint("process ", ev.Pid, " ", ev.Args.Name))
		case ev.Name == "thread_name":
			require.False(t, threads[ev.Tid])
			threads[ev.Tid] = true
			got = append(got, fmt.Sprint(ev.Pid, " ", ev.Args.Name))
		case ev.Name == "hold" && ev.Pid == 4:
			got = append(got, fmt.Sprint("hold ", ev.Ts, " for ", ev.Dur))
		case ev.Args.Call == 4:
			require.Equal(t, "acme", ev.Args.Key)
		}
	}
	require.Equal(t, []string{
		"process 2 no key", `2 call 3 "plain"`,
		`process 3 key "noisy"`, `3 call 1 of key "noisy"`, `3 call 2 of key "noisy"`,
		`process 4 key "acme"`, "4 holds", "hold 3000000.000 for 2000000.000", `4 call 4 "first" of key "acme"`, `4 call 5 of key "acme"`,
		"hold 3000000.000 for 2000000.000",
	}, got)
}

// TestManyKeys checks that only so many keys have a group, that the calls of the others are drawn below them, and that
// the output says how many others there are.
func TestManyKeys(t *testing.T) {
	crowd := func(keys, most int) *timeline.Timeline {
		tl := timeline.Timeline{MaxKeys: most}
		for i := range keys {
			tl.Add(events.Event{At: at(0), Kind: events.Queued, Call: uint64(i + 1), Key: "user " + strconv.Itoa(i+1), Attempt: 1})
		}
		return &tl
	}
	require.Equal(t, []string{"user 1", "1 ", "user 2", "2 ", "1 other key", "3 "}, readPage(t, crowd(3, 2)).names)
	page := readPage(t, crowd(60, 0))
	require.Equal(t, []string{"user 50", "50 ", "10 other keys", "51 "}, page.names[98:102])
	require.Len(t, page.names, 60+51)
	require.Contains(t, page.text, "The calls of 10 other keys are in one group, the last.")
	require.Contains(t, page.titles, `call 51 of key "user 51" not over, 0 attempts, after 0s`)
	require.NotContains(t, readPage(t, crowd(50, 0)).text, "in one group", "each has its own")
	require.Contains(t, readTrace(t, crowd(10_051, 0)).OtherData.Summary, "The calls of 10000 or more other keys are in one group, the last.")
	require.NotContains(t, readTrace(t, crowd(10_049, 0)).OtherData.Summary, "or more")
}

// TestHoldOfAnotherKey checks that a hold of a key without a group is not drawn, and that the output says so.
func TestHoldOfAnotherKey(t *testing.T) {
	tl := timeline.Timeline{MaxKeys: 1}
	for _, ev := range keyed() {
		tl.Add(ev)
	}
	page := readPage(t, &tl)
	require.Zero(t, page.classes["break"])
	require.Contains(t, page.text, "Of what happened to the scheduler, 1 thing is not drawn.")
}

// TestGroupWithoutCalls checks that a key of which no call is kept has a heading with its sums.
func TestGroupWithoutCalls(t *testing.T) {
	tl := timeline.Timeline{MaxCalls: 2}
	for i := range 8 {
		key := []string{"noisy", "acme"}[i%2]
		tl.Add(events.Event{At: at(float64(i)), Kind: events.Succeeded, Call: uint64(i + 1), Key: key, Attempt: 1,
			Times: events.Times{Queue: time.Second, Turn: time.Duration(i%2) * time.Second}})
	}
	tl.Add(events.Event{At: at(9), Kind: events.Queued, Call: 10, Key: "quiet"})
	page := readPage(t, &tl)
	require.Equal(t, []string{"noisy", "1 ", "5 ", "acme", "quiet"}, page.names)
	require.Contains(t, page.titles, `key "acme": 4 calls ended: 4 succeeded; on average a call took 1s (queue 1s (turn 1s))`)
	require.Contains(t, page.text, "On average a call took 1s (queue 1s (turn 500ms)).")
}

// TestTurnThatCannotBe checks that times whose turn is longer than their queue are not added up.
func TestTurnThatCannotBe(t *testing.T) {
	for _, turn := range []time.Duration{-1, 2 * time.Second, 1 << 62} {
		tl := timelineOf(events.Event{At: at(1), Kind: events.Succeeded, Call: 1, Key: "acme", Times: events.Times{Queue: time.Second, Turn: turn}})
		require.NotContains(t, readPage(t, tl).text, "n average")
	}
}

// TestKeysAreText checks that no key becomes markup, and that long ones that differ at their ends are told apart.
func TestKeysAreText(t *testing.T) {
	long := strings.Repeat("k", 200)
	tl := timelineOf(
		events.Event{At: at(0), Kind: events.Queued, Call: 1, Key: "</title><script>\x1b[2J"},
		events.Event{At: at(0), Kind: events.Queued, Call: 2, Key: long + "1"},
		events.Event{At: at(0), Kind: events.Queued, Call: 3, Key: long + "2"},
	)
	page := readPage(t, tl)
	require.Equal(t, 1, strings.Count(page.text, "<script>"))
	short := strings.Repeat("k", 120) + "…"
	require.Equal(t, []string{"</title><script>\ufffd[2J", "1 ", short, "2 ", short, "3 "}, page.names)
	var svg bytes.Buffer
	require.NoError(t, tl.WriteSVG(&svg))
	require.Contains(t, svg.String(), ">"+strings.Repeat("k", 19)+"…</text>")
}
