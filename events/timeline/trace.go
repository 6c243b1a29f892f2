package timeline

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// WriteTrace writes a JSON file in the Trace Event format, which Perfetto and chrome://tracing
// open. The process "calls" has a thread for each call, in order of their numbers. If calls have
// keys, there is such a process for each key. A thread has one span for the call and inside it one for each thing that the call spent its time on. The
// process "scheduler" has holds, pauses, other events, and two counters: the tokens and the
// number of waiting calls. Times are in microseconds since the start, with three exact decimals.
func (t *Timeline) WriteTrace(w io.Writer) error {
	p := t.draw()
	tw := traceWriter{b: bufio.NewWriter(w)}
	fmt.Fprint(tw.b, `{"displayTimeUnit":"ms","otherData":`)
	tw.json(map[string]any{"start": p.start.UTC().Format(time.RFC3339Nano), "summary": p.summary()})
	fmt.Fprint(tw.b, `,"traceEvents":[`)
	tw.name(schedulerProcess, 0, "process_name", "scheduler")
	tw.name(schedulerProcess, holdsThread, "thread_name", "holds")
	tw.name(schedulerProcess, pausesThread, "thread_name", "pauses")
	if p.groups == nil {
		tw.name(callsProcess, 0, "process_name", "calls")
	}
	for _, s := range p.holds {
		tw.span(schedulerProcess, holdsThread, "hold", s.from, s.to, nil)
	}
	for _, s := range p.pauses {
		tw.span(schedulerProcess, pausesThread, "pause", s.from, s.to, nil)
	}
	for _, m := range p.marks {
		tw.event(traceEvent{Name: m.what, Phase: "i", At: micros(m.at), Process: schedulerProcess, Scope: "g"})
	}
	for _, q := range p.points {
		tw.counter("tokens", q.at, q.tokens)
		tw.counter("calls waiting", q.at, int64(q.waiting))
	}
	tw.calls(&p)
	fmt.Fprint(tw.b, "\n]}\n")
	return tw.b.Flush()
}

const (
	schedulerProcess = 1
	holdsThread      = 1
	pausesThread     = 2
	callsProcess     = 2
)

// traceEvent is an entry of the trace.
type traceEvent struct {
	Name     string         `json:"name"`
	Phase    string         `json:"ph"`
	At       micros         `json:"ts"`
	Duration *micros        `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Scope    string         `json:"s,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// micros is a time that is written in microseconds, exact to the nanosecond.
type micros time.Duration

// MarshalJSON returns a decimal number. It does not go through floating point.
func (m micros) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%03d", m/1000, m%1000), nil // instants and times are not negative
}

type traceWriter struct {
	b     *bufio.Writer // keeps the first error, and Flush returns it
	after string
}

func (w *traceWriter) json(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // never fails for strings and numbers
	}
	_, _ = w.b.Write(text)
}

func (w *traceWriter) event(ev traceEvent) {
	fmt.Fprint(w.b, w.after+"\n")
	w.json(ev)
	w.after = ","
}

func (w *traceWriter) name(process, thread int, what, name string) {
	w.event(traceEvent{Name: what, Phase: "M", Process: process, Thread: thread, Args: map[string]any{"name": name}})
}

func (w *traceWriter) span(process, thread int, name string, from, to time.Duration, args map[string]any) {
	d := micros(to - from)
	w.event(traceEvent{Name: name, Phase: "X", At: micros(from), Duration: &d, Process: process, Thread: thread, Args: args})
}

func (w *traceWriter) counter(name string, at time.Duration, v int64) {
	w.event(traceEvent{Name: name, Phase: "C", At: micros(at), Process: schedulerProcess, Args: map[string]any{"value": v}})
}

// calls writes all calls. If there are keys, the calls and holds of each key are a process.
func (w *traceWriter) calls(p *picture) {
	if p.groups == nil {
		for i, c := range p.calls {
			w.call(callsProcess, i+1, c)
		}
		return
	}
	thread := 0
	for i := range p.groups {
		g, process := &p.groups[i], callsProcess+i
		w.name(process, 0, "process_name", p.name(g))
		w.sort("process_sort_index", process, 0, process)
		if len(g.holds) > 0 {
			thread++
			w.name(process, thread, "thread_name", "holds")
			w.sort("thread_sort_index", process, thread, 0)
		}
		for _, s := range g.holds {
			w.span(process, thread, "hold", s.from, s.to, nil)
		}
		for _, c := range g.calls {
			thread++
			w.call(process, thread, c)
		}
	}
}

// sort says where a process stands, or a thread of a process.
func (w *traceWriter) sort(what string, process, thread, place int) {
	w.event(traceEvent{Name: what, Phase: "M", Process: process, Thread: thread, Args: map[string]any{"sort_index": place}})
}

// call writes a call as a thread. Threads are numbered anew, as a call's number may be too large for one.
func (w *traceWriter) call(process, thread int, c call) {
	w.name(process, thread, "thread_name", c.title())
	w.sort("thread_sort_index", process, thread, thread)
	args := map[string]any{"call": c.number, "outcome": c.ending(), "attempts": c.attempts, "times": c.times.String()}
	if c.key != "" {
		args["key"] = c.key
	}
	if c.err != "" {
		args["error"] = c.err
	}
	if c.lost {
		args["note"] = unordered
	}
	w.span(process, thread, c.title()+" "+c.ending(), c.from, c.to, args)
	for _, s := range c.spans {
		args := map[string]any{}
		if s.attempt > 0 {
			args["attempt"] = s.attempt
		}
		if s.err != "" {
			args["error"] = s.err
		}
		w.span(process, thread, partNames[s.part], s.from, s.to, args)
	}
}
