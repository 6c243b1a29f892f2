package scheduler

import (
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler/internal/durations"
	"example.com/fairlead/scheduler/internal/safetext"
)

// ProgressState says what a call that does not run waits for.
type ProgressState uint8

// The states of progress.
const (
	Waiting  ProgressState = iota + 1 // for tokens or a slot
	Retrying                          // for its backoff to end, after a failed attempt
	Later                             // for the instant of its NotBefore or Delay
)

// String returns "waiting", "retrying" or "later".
func (s ProgressState) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Retrying:
		return "retrying"
	case Later:
		return later
	}
	return fmt.Sprintf("ProgressState(%d)", uint8(s))
}

// Progress says how a call is doing: see [OnProgress].
type Progress struct {
	State       ProgressState
	Call        uint64        // the call's number, in order of arrival
	Name        string        // as given by [Name]
	Key         string        // as given by [Key]
	Attempt     int           // Waiting, Later: the next attempt; Retrying: the one that failed
	MaxAttempts int           // the most attempts its policy allows
	Position    int           // Waiting: its place in the queue of its key, from 1
	Wait        time.Duration // Waiting: the estimated wait for its tokens
	Delay       time.Duration // Retrying, Later: the wait until it queues
	Budget      string        // the name of the budget that Available is of: of several, the first by name; "" if there is only one
	Available   int64         // tokens in it; negative in debt
	Err         error         // the latest attempt's error; nil before the first
}

// progressOf returns the progress that an event of a waiting call reports.
func progressOf(ev *events.Event) Progress {
	p := Progress{
		State: Waiting, Call: ev.Call, Name: ev.Name, Key: ev.Key, Attempt: ev.Attempt, MaxAttempts: ev.MaxAttempts,
		Position: ev.Position, Wait: ev.Wait, Delay: ev.Delay, Budget: ev.Budget, Available: ev.Available, Err: ev.Err,
	}
	switch ev.Kind {
	case events.Retrying:
		p.State = Retrying
	case events.Later:
		p.State = Later
	}
	return p
}

// String returns one line without control characters, such as
//
//	attempt 1 of 6 failed: 503 Service Unavailable; next in 1s, 12 tokens left
func (p Progress) String() string {
	var b strings.Builder
	label := p.Name
	if p.Key != "" {
		label = strings.TrimSpace(fmt.Sprintf("%s of key %q", label, p.Key))
	}
	if label != "" {
		fmt.Fprintf(&b, "%s: ", safetext.Line(label))
	}
	switch p.State {
	case Waiting:
		fmt.Fprintf(&b, "attempt %d of %d waits for tokens: number %d in the queue, about %v to go", p.Attempt, p.MaxAttempts, p.Position, durations.Round(p.Wait))
	case Retrying:
		fmt.Fprintf(&b, "attempt %d of %d failed: %v; next in %v", p.Attempt, p.MaxAttempts, safetext.Line(safetext.Of(p.Err)), durations.Round(p.Delay))
	case Later:
		fmt.Fprintf(&b, "attempt %d of %d comes later: it queues in %v", p.Attempt, p.MaxAttempts, durations.Round(p.Delay))
	default:
		b.WriteString(p.State.String())
	}
	fmt.Fprintf(&b, ", %s left", safetext.Line(tokens(p.Available, p.Budget)))
	return b.String()
}

// tokens returns an amount in a budget, such as "1 token" or "59 requests".
func tokens(n int64, budget string) string {
	switch {
	case budget != "":
		return fmt.Sprintf("%d %s", n, budget)
	case n == 1:
		return "1 token"
	}
	return fmt.Sprintf("%d tokens", n)
}
