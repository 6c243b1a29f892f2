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

// refusals withholds refusals that may not be their lines' fault. Once a request that was sent later is
// answered, they become results. If too many come in a row, the run stops.
type refusals struct {
	sent atomic.Int64 // numbers requests in sending order

	mu     sync.Mutex
	latest int64   // the latest request that was answered
	streak []int64 // the refused requests after that one

	withheld  []outcome
	anyAnswer bool // a line was answered in this run
}

// onAnswer records an answer. It ends the streak of refusals of earlier requests only, since a key may have been
// revoked in between.
func (r *refusals) onAnswer(sent int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = max(r.latest, sent)
	r.streak = slices.DeleteFunc(r.streak, func(refused int64) bool { return refused < r.latest })
}

// add records a refusal, and returns the length of the streak.
func (r *refusals) add(sent int64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sent > r.latest {
		r.streak = append(r.streak, sent)
	}
	return len(r.streak)
}

// answeredSince reports whether a request that was sent after this one was answered.
func (r *refusals) answeredSince(sent int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sent < r.latest
}

// countRefusal counts a final failure, and stops the run after too many. It does not leave that to handleResult,
// which comes only after more requests have been sent.
func (b *batch) countRefusal(l *line, who blame, err error) {
	if b.cfg.stopAfter > 0 && who != theLine && b.refusals.add(l.sent) >= b.cfg.stopAfter {
		b.stop(fmt.Sprintf("%d requests in a row failed (%s)", b.cfg.stopAfter, short(err.Error())), errRefused)
	}
}

// stopError is the reason why a run has stopped by itself.
type stopError struct {
	brief string // for the message while attempts still run
	why   error  // for the message at the end of the run
}

func (e *stopError) Error() string { return e.why.Error() }

func (e *stopError) Unwrap() error { return e.why }

// stop ends the run early. Nothing more is sent, and lines without a result are left to the next run.
func (b *batch) stop(brief string, why error) {
	_ = b.s.Pause() // until the drain begins
	defer b.endDrain()
	b.cancelSoft(&stopError{brief, why})
}

// stopReason returns why the run has stopped by itself, or nil.
func (b *batch) stopReason() (why *stopError) {
	if errors.As(context.Cause(b.soft), &why) {
		return why
	}
	return nil
}

// handleResult writes the outcome of a line, withholds it, or leaves the line to the next run.
func (b *batch) handleResult(res outcome) error {
	switch {
	case errors.Is(res.Err, scheduler.ErrClosed), errors.Is(res.Err, context.Canceled), errors.Is(res.Err, errLeft):
		b.leave(res)
		return nil
	case b.cfg.stopAfter > 0 && blameFor(res.Err) != theLine:
		if b.soft.Err() != nil || !b.refusals.answeredSince(res.Input.sent) {
			b.refusals.withheld = append(b.refusals.withheld, shortenBody(res))
			return nil
		}
	case res.Err == nil && b.soft.Err() == nil:
		b.refusals.anyAnswer = true
		if err := b.releaseRefusals(); err != nil {
			return err
		}
	}
	return b.write(res)
}

// errRefused stops a run after too many refusals. Its text is not shown, since the end of the run lists them.
var errRefused = errors.New("too many refusals in a row")

// leave leaves a line to the next run.
func (b *batch) leave(res outcome) { b.leftover[res.Input.name()] = res }

// write writes a line's result.
func (b *batch) write(res outcome) error {
	if tooLong := new(bucket.CostError); errors.As(res.Err, &tooLong) {
		res.Err = b.cfg.overBudget(res.Input, tooLong)
	}
	if err := b.out.write(resultOf(res.Input, res.Value, res.Err)); err != nil {
		b.cancelAttempts() // other results can't be written either
		return fmt.Errorf("writing a result: %w: fix that, and the same command continues", err)
	}
	b.tally.count(res)
	return nil
}

// maxWithheld bounds the bytes of a withheld refusal's body. Up to maxStopAfter refusals are withheld.
const maxWithheld = 4096

// shortenBody cuts the body of a withheld refusal to maxWithheld bytes.
func shortenBody(res outcome) outcome {
	var status *statusError
	if errors.As(res.Err, &status) && len(status.Body) > maxWithheld {
		text := string(status.Body)
		_ = json.Unmarshal(status.Body, &text) // a body that is not a JSON string is cut as it is
		status.Body = asJSON([]byte(truncated(text, maxWithheld)))
	}
	return res
}

// releaseRefusals writes the withheld refusals whose later requests were answered.
func (b *batch) releaseRefusals() error {
	all := b.refusals.withheld
	b.refusals.withheld = nil
	for _, res := range all {
		if !b.refusals.answeredSince(res.Input.sent) {
			b.refusals.withheld = append(b.refusals.withheld, res)
		} else if err := b.write(res); err != nil {
			return err
		}
	}
	return nil
}

// finishRefusals decides at the end about the refusals that are still withheld. If the run was stopped, their
// lines are left to the next run. Otherwise they become results if any line was answered. Refusals about the URL
// become results in any case, since a 404 is often about its line.
func (b *batch) finishRefusals() error {
	all := b.refusals.withheld
	b.refusals.withheld = nil
	for _, res := range all {
		if b.soft.Err() != nil || blameFor(res.Err) != theURL && !b.refusals.anyAnswer {
			b.refusals.withheld = append(b.refusals.withheld, res)
			b.leave(res)
		} else if err := b.write(res); err != nil {
			return err
		}
	}
	return nil
}

// whyStopped returns the error for the user if the run has stopped by itself, or nil.
func (b *batch) whyStopped() error {
	why := b.stopReason()
	switch kept := b.refusals.withheld; {
	case len(kept) > 0 && (why == nil || errors.Is(why, errRefused)):
		return fmt.Errorf("%s", refusalText(kept))
	case why != nil:
		return fmt.Errorf("%w\n  the same command continues from here", why)
	}
	return nil
}

// refusalText lists the refusals that have stopped a run, and says what to do.
func refusalText(kept []outcome) string {
	var why reasons
	var todo []string
	for _, res := range kept {
		why.add(resultOf(res.Input, nil, res.Err).reason())
		if remedy := remedies[blameFor(res.Err)]; !slices.Contains(todo, remedy) {
			todo = append(todo, remedy)
		}
	}
	return fmt.Sprintf("no line is answered any more, and the cause is not in the lines:\n  %s\n  %s, and the same command continues from here; with -stop-after 0, refusals are the lines' answers",
		strings.Join(why.lines(), "\n  "), strings.Join(todo, " or "))
}

// remedies says what the user can do about refusals.
var remedies = map[blame]string{
	theAccount: "fix -header or the account",
	theURL:     "fix -url",
	theServer:  "fix -url",
	theOutage:  "wait until the server answers again",
}

// sayAway reports that the server can't be reached, after the first probe and then less and less often.
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
	if b.stopReason() != nil {
		return
	}
	_ = b.s.Resume()
	b.say(fmt.Sprintf("the server is back after %v", away.Round(100*time.Millisecond)))
}
