package timeline_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files in testdata anew; check them in the diff")

// noon is the beginning of the runs that are made by hand.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// handMade returns the events of a run with one call at a time, two tokens and one more each
// second. Call 1 fails and holds all calls, call 2 waits for its token twice, call 3 is canceled
// during a pause, and call 4 does not end.
func handMade() []events.Event {
	refused := errors.New("503 \"<b>&amp;\nslow down")
	return []events.Event{
		{At: at(0), Kind: events.Queued, Call: 1, Name: "one", Attempt: 1, Cost: 1, Available: 2, Position: 1},
		{At: at(0), Kind: events.Granted, Call: 1, Name: "one", Attempt: 1, Cost: 1, Available: 1},
		{At: at(0), Kind: events.Started, Call: 1, Name: "one", Attempt: 1, Cost: 1, Available: 1},
		{At: at(0.25), Kind: events.Queued, Call: 2, Name: "<two>", Attempt: 1, Cost: 3, Available: 1, Position: 1},
		{At: at(0.5), Kind: events.Queued, Call: 3, Attempt: 1, Cost: 1, Available: 1, Position: 2},
		{At: at(1), Kind: events.Held, Call: 1, Name: "one", Available: 2, Delay: 2 * time.Second, Until: at(3), Err: refused},
		{At: at(1), Kind: events.Retrying, Call: 1, Name: "one", Attempt: 1, Cost: 1, Available: 2, Delay: 2 * time.Second, Until: at(3), Err: refused},
		{At: at(3), Kind: events.Queued, Call: 1, Name: "one", Attempt: 2, Cost: 1, Available: 2, Position: 1},
		{At: at(3), Kind: events.Granted, Call: 1, Name: "one", Attempt: 2, Cost: 1, Available: 1},
		{At: at(3), Kind: events.Started, Call: 1, Name: "one", Attempt: 2, Cost: 1, Available: 1},
		{At: at(4), Kind: events.Succeeded, Call: 1, Name: "one", Attempt: 2, Cost: 1, Available: 2,
			Times: events.Times{Backoff: 2 * time.Second, Run: 2 * time.Second}},
		{At: at(5), Kind: events.Granted, Call: 2, Name: "<two>", Attempt: 1, Cost: 3, Available: 0},
		{At: at(5), Kind: events.Started, Call: 2, Name: "<two>", Attempt: 1, Cost: 3, Available: 0},
		{At: at(5.5), Kind: events.RateChanged, Available: 0, Rate: 0.5},
		{At: at(6), Kind: events.Exhausted, Call: 2, Name: "<two>", Attempt: 1, Cost: 3, Available: 1, Err: refused,
			Times: events.Times{Queue: 0, Tokens: 1750 * time.Millisecond, Slot: 1 * time.Second, Hold: 2 * time.Second, Run: time.Second}},
		{At: at(6), Kind: events.Paused, Available: 1},
		{At: at(6.5), Kind: events.Refused, Available: 1, Err: refused},
		{At: at(7), Kind: events.Canceled, Call: 3, Attempt: 0, Cost: 1, Available: 1, Err: errors.New("not wanted"),
			Times: events.Times{Queue: 2500 * time.Millisecond, Slot: time.Second, Hold: 3 * time.Second}},
		{At: at(7.5), Kind: events.Resumed, Available: 1},
		{At: at(7.5), Kind: events.Queued, Call: 4, Name: "four", Attempt: 1, Cost: 2, Available: 1, Position: 1},
		{At: at(8), Kind: events.ShutDown, Available: 1},
	}
}

// TestGolden compares the trace and the page of a run with golden files. Style and script are files
// of their own.
func TestGolden(t *testing.T) {
	tl := timelineOf(handMade()...)
	readTrace(t, tl).calls(t)
	readPage(t, tl)
	var trace, page bytes.Buffer
	require.NoError(t, tl.WriteTrace(&trace))
	require.NoError(t, tl.WriteHTML(&page))
	html := page.String()
	for _, file := range []string{"colours.css", "page.css", "page.js"} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, html, string(content))
		html = strings.Replace(html, string(content), "("+file+")\n", 1)
	}
	for file, got := range map[string]string{"testdata/trace.json": trace.String(), "testdata/page.html": html} {
		if *rewrite {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "if that is right: go test ./events/timeline -run Golden -rewrite")
	}
}

// TestNothing checks timelines with no event or only one.
func TestNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		tl    *timeline.Timeline
		calls int
	}{
		{"no event", &timeline.Timeline{}, 0},
		{"a call's first", timelineOf(events.Event{At: noon, Kind: events.Queued, Call: 1}), 1},
		{"a call's last", timelineOf(events.Event{At: noon, Kind: events.Succeeded, Call: 1}), 1},
		{"a call that was refused", timelineOf(events.Event{At: noon, Kind: events.Refused, Err: errors.New("no")}), 0},
		{"the end", timelineOf(events.Event{At: noon, Kind: events.ShutDown}), 0},
		{"no kind", timelineOf(events.Event{Call: 7}), 0},
		{"a kind of the future", timelineOf(events.Event{At: noon, Kind: 99, Call: 7}), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Len(t, readTrace(t, c.tl).calls(t), c.calls)
			page := readPage(t, c.tl)
			require.Equal(t, c.calls, page.rows)
			require.Contains(t, page.text, "<h1>Timeline</h1>")
		})
	}
}

// TestLostEvents checks that a call's times are drawn even if only its last event was seen.
func TestLostEvents(t *testing.T) {
	tl := timelineOf(events.Event{
		At: at(10), Missed: 12, Kind: events.Succeeded, Call: 7, Name: "seven", Attempt: 2,
		Times: events.Times{Queue: time.Second, Tokens: 2 * time.Second, Backoff: 3 * time.Second, Run: 4 * time.Second},
	})
	tr := readTrace(t, tl)
	c := tr.calls(t)[0]
	require.Equal(t, at(0).Format(time.RFC3339Nano), tr.OtherData.Start, "the call began before its first event that was seen")
	require.Equal(t, "the order of its parts is not known", c.whole.Args.Note)
	require.Equal(t, events.Times{Queue: time.Second, Tokens: 2 * time.Second, Backoff: 3 * time.Second, Run: 4 * time.Second}, c.times(t))
	require.Contains(t, tr.OtherData.Summary, "12 events lost because the reader was too slow.")
	page := readPage(t, tl)
	require.Contains(t, page.text, "12 events lost because the reader was too slow.")
	require.Equal(t, []string{`call 7 "seven" succeeded, 2 attempts, after 10s (queue 1s, tokens 2s, backoff 3s, run 4s) (the order of its parts is not known)`}, page.titles)
}

// TestLostOfACallThatIsNotOver checks that a call that lost an event and has not ended has no parts.
func TestLostOfACallThatIsNotOver(t *testing.T) {
	life := []events.Event{
		{At: at(0), Kind: events.Queued, Call: 1, Attempt: 1},
		{At: at(1), Kind: events.Granted, Call: 1, Attempt: 1},
		{At: at(2), Kind: events.Started, Call: 1, Attempt: 1},
		{At: at(3), Kind: events.Retrying, Call: 1, Attempt: 1},
		{At: at(4), Kind: events.Queued, Call: 1, Attempt: 2},
		{At: at(5), Kind: events.Granted, Call: 1, Attempt: 2},
	}
	whole := readTrace(t, timelineOf(life...)).calls(t)[0]
	require.Empty(t, whole.whole.Args.Note)
	require.Equal(t, events.Times{Tokens: time.Second, Slot: time.Second, Backoff: time.Second, Run: 2 * time.Second}.Total(), whole.times(t).Total())
	for _, lost := range []int{0, 1, 3, 4} {
		rest := append(append([]events.Event{}, life[:lost]...), life[lost+1:]...)
		c := readTrace(t, timelineOf(rest...)).calls(t)[0]
		require.Equal(t, "the order of its parts is not known", c.whole.Args.Note, "without %v", life[lost])
		require.Empty(t, c.parts)
	}
}

// TestWhatAWaitWasFor checks that the number of tokens tells whether a call that was next waited for
// tokens or for a slot.
func TestWhatAWaitWasFor(t *testing.T) {
	c := readTrace(t, timelineOf(
		events.Event{At: at(0), Kind: events.Queued, Call: 1, Attempt: 1, Cost: 2, Available: 3},
		events.Event{At: at(1), Kind: events.Granted, Call: 2, Attempt: 1, Cost: 3, Available: 0},
		events.Event{At: at(3), Kind: events.Granted, Call: 1, Attempt: 1, Cost: 2, Available: 0},
		events.Event{At: at(4), Kind: events.Retrying, Call: 1, Attempt: 1, Cost: 2, Available: 1},
		events.Event{At: at(5), Kind: events.Queued, Call: 1, Attempt: 2, Cost: 2, Available: 2},
		events.Event{At: at(6), Kind: events.Granted, Call: 1, Attempt: 2, Cost: 2, Available: 0},
		events.Event{At: at(6), Kind: events.Retrying, Call: 1, Attempt: 2, Cost: 2, Available: 0},
		events.Event{At: at(6), Kind: events.Queued, Call: 1, Attempt: 3, Cost: 2, Available: 0},
		events.Event{At: at(7), Kind: events.Granted, Call: 1, Attempt: 3, Cost: 2, Available: 0},
		events.Event{At: at(7), Kind: events.Succeeded, Call: 1, Attempt: 3, Cost: 2, Available: 0,
			Times: events.Times{Queue: time.Second, Tokens: 3 * time.Second, Slot: time.Second, Backoff: time.Second, Run: time.Second}},
		events.Event{At: at(8), Kind: events.Queued, Call: 1, Attempt: 1}, // of another scheduler
	)).calls(t)[0]
	var names []string
	for _, ev := range c.parts {
		names = append(names, ev.Name)
	}
	require.Equal(t, []string{"queue", "tokens", "run", "backoff", "slot", "run", "tokens", "run"}, names)
	require.Equal(t, "succeeded", c.whole.Args.Outcome)
}

// TestTimesThatDoNotFit checks that the times of a call are drawn when they contradict its events.
func TestTimesThatDoNotFit(t *testing.T) {
	for _, times := range []events.Times{
		{Queue: time.Second},
		{Queue: time.Second, Run: time.Second},
		{Queue: 5 * time.Second, Backoff: time.Second, Run: 2 * time.Second},
		{Queue: 6 * time.Second, Run: 2 * time.Second},
	} {
		c := readTrace(t, timelineOf(
			events.Event{At: at(0), Kind: events.Queued, Call: 1, Attempt: 1},
			events.Event{At: at(5), Kind: events.Granted, Call: 1, Attempt: 1},
			events.Event{At: at(7), Kind: events.Succeeded, Call: 1, Attempt: 1, Times: times},
		)).calls(t)[0]
		require.Equal(t, times, c.times(t))
		require.Equal(t, "the order of its parts is not known", c.whole.Args.Note)
	}
}

// TestNamesAreText checks that no name becomes markup or brings in a control character.
func TestNamesAreText(t *testing.T) {
	evil := "</title></script><script>alert(1)</script>\"'&\x00\x1b[31m\n\u202egnp.exe \xff" + strings.Repeat("long ", 100)
	tl := timelineOf(
		events.Event{At: at(0), Kind: events.Queued, Call: 1, Name: evil},
		events.Event{At: at(1), Kind: events.Granted, Call: 1, Name: evil},
		events.Event{At: at(2), Kind: events.Failed, Call: 1, Name: evil, Err: errors.New(evil), Times: events.Times{Queue: time.Second, Run: time.Second}},
		events.Event{At: at(2), Kind: events.RateChanged, Err: errors.New(evil)},
	)
	page := readPage(t, tl)
	require.Equal(t, 1, strings.Count(page.text, "<script>"))
	require.Contains(t, page.names[0], "</title></script><script>alert(1)</script>\"'&\ufffd\ufffd[31m \ufffdgnp.exe \ufffdlong")
	require.Less(t, len([]rune(page.titles[0])), 400)
	c := readTrace(t, tl).calls(t)[0]
	require.Contains(t, c.whole.Args.Error, "\ufffd[31m \ufffdgnp.exe \ufffdlong")
	require.Equal(t, c.whole.Args.Error, c.parts[1].Args.Error)
}

// rude is an error whose method panics with a value that panics when it is printed.
type rude struct{}

func (rude) Error() string { panic(rude{}) }

func TestErrorsThatPanic(t *testing.T) {
	tl := timelineOf(
		events.Event{At: at(0), Kind: events.Granted, Call: 1},
		events.Event{At: at(1), Kind: events.Failed, Call: 1, Err: rude{}, Times: events.Times{Run: time.Second}},
	)
	require.Equal(t, "a timeline_test.rude, whose Error method panicked", readTrace(t, tl).calls(t)[0].whole.Args.Error)
}

// failing is a file on a disk that has room for a number of bytes.
type failing struct{ room int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	tl := timelineOf(handMade()...)
	for _, room := range []int{0, 4096} {
		require.ErrorIs(t, tl.WriteTrace(&failing{room}), errFull)
		require.ErrorIs(t, tl.WriteHTML(&failing{room}), errFull)
	}
}
