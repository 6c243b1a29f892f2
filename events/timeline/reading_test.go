package timeline_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
)

// trace is the content of a trace file.
type trace struct {
	OtherData   struct{ Start, Summary string }
	TraceEvents []traceEvent
}

type traceEvent struct {
	Name, Ph string
	Ts, Dur  json.Number
	Pid, Tid int
	Args     struct {
		Name, Key, Outcome, Error, Note, Times string
		Call                                   uint64
		Attempt                                int
		Value                                  int64
	}
}

// nanos converts a number of microseconds to nanoseconds, without rounding.
func nanos(t require.TestingT, n json.Number) time.Duration {
	require.Regexp(t, `^\d+\.\d{3}$`, n)
	d, err := time.ParseDuration(string(n) + "us")
	require.NoError(t, err)
	return d
}

func timelineOf(list ...events.Event) *timeline.Timeline {
	var tl timeline.Timeline
	for _, ev := range list {
		tl.Add(ev)
	}
	return &tl
}

func readTrace(t require.TestingT, tl *timeline.Timeline) (tr trace) {
	var b bytes.Buffer
	require.NoError(t, tl.WriteTrace(&b))
	dec := json.NewDecoder(&b)
	require.NoError(t, dec.Decode(&tr))
	require.False(t, dec.More())
	return tr
}

// drawnCall holds a call's spans in a trace, the one of the whole call and those of its parts.
type drawnCall struct {
	whole traceEvent
	parts []traceEvent
}

// calls returns the calls of a trace. It checks that the parts of each call cover its whole span
// without a gap, unless the call has no parts.
func (tr trace) calls(t require.TestingT) (all []drawnCall) {
	var end time.Duration
	left := time.Duration(0)
	over := func() {
		if n := len(all); n > 0 && len(all[n-1].parts) > 0 {
			require.Zero(t, left, "the parts of %s don't add up to its length", all[n-1].whole.Name)
		}
	}
	holds := map[int]bool{} // the threads of holds of single keys
	for _, ev := range tr.TraceEvents {
		if ev.Name == "thread_name" && ev.Pid >= 2 && ev.Args.Name == "holds" {
			holds[ev.Tid] = true
		}
		if ev.Ph != "X" || ev.Pid < 2 || holds[ev.Tid] {
			continue
		}
		from, length := nanos(t, ev.Ts), nanos(t, ev.Dur)
		if ev.Args.Call != 0 {
			over()
			all = append(all, drawnCall{whole: ev})
			require.Equal(t, len(all)+len(holds), ev.Tid)
			end, left = from, length
			continue
		}
		c := &all[len(all)-1]
		require.Equal(t, c.whole.Tid, ev.Tid)
		require.Equal(t, end, from, "a gap before %s of %s", ev.Name, c.whole.Name)
		end, left = end+length, left-length
		c.parts = append(c.parts, ev)
	}
	over()
	return all
}

// times adds up the parts of a call.
func (c drawnCall) times(t require.TestingT) (sum events.Times) {
	for _, ev := range c.parts {
		field := map[string]*time.Duration{
			"queue": &sum.Queue, "tokens": &sum.Tokens, "slot": &sum.Slot, "hold": &sum.Hold, "backoff": &sum.Backoff, "later": &sum.Later, "run": &sum.Run,
		}[ev.Name]
		require.NotNil(t, field, ev.Name)
		*field += nanos(t, ev.Dur)
	}
	return sum
}

// htmlPage has the parts of a page that the tests check.
type htmlPage struct {
	text        string
	classes     map[string]int // the number of elements of each class
	titles      []string       // of the calls
	names       []string       // of the calls, beside them
	rows, focus int            // the number of calls, and of those that the tab key reaches
}

var outside = regexp.MustCompile(`(?i)https?:|//|url\(|@import|\ssrc=|\shref=`)

// readPage reads a page. It checks that the page is well-formed and refers to no other file.
func readPage(t require.TestingT, tl *timeline.Timeline) htmlPage {
	var b bytes.Buffer
	require.NoError(t, tl.WriteHTML(&b))
	p := htmlPage{text: b.String(), classes: map[string]int{}}
	dec := xml.NewDecoder(strings.NewReader(p.text))
	var path []xml.StartElement
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			require.Empty(t, path)
			return p
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Copy())
			for _, class := range strings.Fields(attribute(token, "class")) {
				p.classes[class]++
			}
			for _, a := range token.Attr {
				require.False(t, strings.HasPrefix(a.Name.Local, "on"), "a script in an attribute: %s", a.Name.Local)
			}
			require.NotContains(t, []string{"img", "image", "link", "iframe", "object", "use", "a"}, token.Name.Local)
			if token.Name.Local == "g" {
				p.rows++
				if attribute(token, "tabindex") == "0" {
					p.focus++
				}
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			switch {
			case len(path) > 1 && path[len(path)-2].Name.Local == "g":
				p.titles = append(p.titles, string(token))
			case len(path) > 1 && attribute(path[len(path)-2], "class") == "names":
				p.names = append(p.names, string(token))
			case len(path) > 0 && (path[len(path)-1].Name.Local == "style" || path[len(path)-1].Name.Local == "script"):
				require.NotRegexp(t, outside, string(token))
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
