package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// refusals keeps back refusals that may not be their lines' fault. As soon as a request that went out
// later is answered, they become results. If too many come in a row, the run stops.
type refusals struct {
	sent atomic.Int64 // numbers the requests in the order in which they go out

	mu     sync.Mutex
	latest int64   // the number of the latest request that was answered
	row    []int64 // the numbers of the refused requests after that one

	kept     []outcome
	answered bool // a line was answered in this run
}

// answer counts an answer. Refusals of requests that went out after the answered one stay in the row,
// since a key may have been revoked in between.
func (r *refusals) answer(sent int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = max(r.latest, sent)
	r.row = slices.DeleteFunc(r.row, func(refused int64) bool { return refused < r.latest })
}

// refuse counts a refusal, and returns how many are now in a row.
func (r *refusals) refuse(sent int64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sent > r.latest {
		r.row = append(r.row, sent)
	}
	return len(r.row)
}

// settled reports whether a request that went out after a refused one was answered.
func (r *refusals) settled(sent int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sent < r.latest
}

// refuse counts a final failure. It stops the run itself, since more requests have gone out by the time
// take gets the outcome.
func (b *batch) refuse(l *line, who blame, err error) {
	if b.cfg.stopAfter > 0 && who != theLine && b.refusals.refuse(l.sent) >= b.cfg.stopAfter {
		b.stop(fmt.Sprintf("no request was answered, %d times in a row (%s)", b.cfg.stopAfter, short(err.Error())), errRefused)
	}
}

// stopError is the reason why a run has stopped by itself.
type stopError struct {
	brief string // for the message while requests still run
	why   error  // for the end of the run
}

func (e *stopError) Error() string { return e.why.Error() }

func (e *stopError) Unwrap() error { return e.why }

// stop ends the run early. Nothing more is sent, and lines without a result are left to the next
// run.
func (b *batch) stop(brief string, why error) {
	_ = b.s.Pause() // until the drain begins
	defer b.endDrain()
	b.halt(&stopError{brief, why})
}

// stopping returns why the run was stopped, or nil.
func (b *batch) stopping() (why *stopError) {
	if errors.As(context.Cause(b.soft), &why) {
		return why
	}
	return nil
}

// take writes the outcome of a line, leaves the line to the next run, or keeps the outcome
// back.
func (b *batch) take(res outcome) error {
	switch {
	case errors.Is(res.Err, scheduler.ErrClosed), errors.Is(res.Err, context.Canceled), errors.Is(res.Err, errLeft):
		b.leave(res)
		return nil
	case b.cfg.stopAfter > 0 && about(res.Err) != theLine:
		if b.soft.Err() != nil || !b.refusals.settled(res.Input.sent) {
			b.refusals.kept = append(b.refusals.kept, keep(res))
			return nil
		}
	case res.Err == nil && b.soft.Err() == nil:
		b.refusals.answered = true
		if err := b.writeSettled(); err != nil {
			return err
		}
	}
	return b.write(res)
}

// errRefused is the reason to stop after too many refusals. The end of the run says which they
// were.
var errRefused = errors.New("too many refusals in a row")

// leave leaves a line to the next run.
func (b *batch) leave(res outcome) { b.leftover[res.Input.name()] = res }

// write writes a line's result.
func (b *batch) write(res outcome) error {
	if tooLong := new(bucket.CostError); errors.As(res.Err, &tooLong) {
		res.Err = b.cfg.overBudget(res.Input, tooLong)
	}
	if err := b.out.write(resultOf(res.Input, res.Value, res.Err)); err != nil {
		b.kill() // nor can those under way be written
		return fmt.Errorf("writing a result: %w: the same command goes on once that is mended", err)
	}
	b.tally.count(res)
	return nil
}

// mostKept bounds the bytes of a refusal's body while it is kept back, since there may be
// mostStopAfter of them.
const mostKept = 4096

// keep shortens the body of a refusal that is kept back.
func keep(res outcome) outcome {
	var status *statusError
	if errors.As(res.Err, &status) && len(status.Body) > mostKept {
		text := string(status.Body)
		_ = json.Unmarshal(status.Body, &text) // what is not JSON is kept as a string
		status.Body = asJSON([]byte(bounded(text, mostKept)))
	}
	return res
}

// writeSettled writes the refusals that an answer has settled as their lines' results.
func (b *batch) writeSettled() error {
	all := b.refusals.kept
	b.refusals.kept = nil
	for _, res := range all {
		if !b.refusals.settled(res.Input.sent) {
			b.refusals.kept = append(b.refusals.kept, res)
		} else if err := b.write(res); err != nil {
			return err
		}
	}
	return nil
}

// settleRefusals decides at the end about the refusals that are still kept back. If the run was stopped,
// they are left to the next one. Otherwise they become results if a line was answered. Those about the
// URL do in any case, since the server has answered and there were few of them.
func (b *batch) settleRefusals() error {
	all := b.refusals.kept
	b.refusals.kept = nil
	for _, res := range all {
		if b.soft.Err() != nil || about(res.Err) != theURL && !b.refusals.answered {
			b.refusals.kept = append(b.refusals.kept, res)
			b.leave(res)
		} else if err := b.write(res); err != nil {
			return err
		}
	}
	return nil
}

// whyStopped returns the error for the user if the run was stopped, or nil.
func (b *batch) whyStopped() error {
	why := b.stopping()
	switch kept := b.refusals.kept; {
	case len(kept) > 0 && (why == nil || errors.Is(why, errRefused)):
		return fmt.Errorf("%s", refusalText(kept))
	case why != nil:
		return fmt.Errorf("%w\n  the same command goes on from here", why)
	}
	return nil
}

// refusalText returns which refusals have stopped a run, and what to do.
func refusalText(kept []outcome) string {
	var why reasons
	var todo []string
	for _, res := range kept {
		why.add(resultOf(res.Input, nil, res.Err).reason())
		if remedy := remedies[about(res.Err)]; !slices.Contains(todo, remedy) {
			todo = append(todo, remedy)
		}
	}
	return fmt.Sprintf("no line is answered any more, for a reason that is not the lines':\n  %s\n  %s, and the same command goes on from here; with -stop-after 0, refusals are the lines' answers",
		strings.Join(why.lines(), "\n  "), strings.Join(todo, " or "))
}

// remedies has what the user can do about refusals.
var remedies = map[blame]string{
	theAccount: "mend -header or the account",
	theURL:     "mend -url",
	theServer:  "mend -url",
	theOutage:  "wait until the server answers again",
}

// sayAway reports that the server can't be reached, at the first probe and then more and more
// rarely.
func (b *batch) sayAway(probe int, err error, wait time.Duration) {
	if probe == 1 {
		_ = b.s.Pause()
		if b.soft.Err() != nil {
			b.endDrain()
		}
	}
	if probe&(probe-1) == 0 {
		b.say(fmt.Sprintf("the server can't be reached (%v): one request at a time probes whether it is back, and no line loses a retry; try %d is in %v", short(err.Error()), probe, wait.Round(time.Millisecond)))
	}
}

// sayBack reports that the server is back.
func (b *batch) sayBack(away time.Duration) {
	if b.stopping() != nil {
		return
	}
	_ = b.s.Resume()
	b.say(fmt.Sprintf("the server is back after %v", away.Round(100*time.Millisecond)))
}
