package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// attempt makes one attempt at a line. Its context ends with the drain. An attempt that has
// begun may finish all the same, since it is paid for.
func (b *batch) attempt(ctx context.Context, l *line) (*response, error) {
	if l.err != nil {
		return nil, l.err
	}
	r, err := b.outage.reach(ctx, func() reply { return b.ask(ctx, l) })
	l.attempts++
	if err != nil {
		l.last = r.err
		return nil, err
	}
	if r.err != nil {
		return nil, b.failed(ctx, l, r.err)
	}
	b.refusals.answer(l.sent)
	b.holdAnswer(ctx, l, r.answer)
	return r.answer, nil
}

// ask sends a line's request once, settles its cost, and then adapts to what the answer says of the
// server's limits, since those include that cost.
func (b *batch) ask(ctx context.Context, l *line) reply {
	b.out.touch()
	l.sent = b.refusals.sent.Add(1)
	asked := b.ear.ask()
	r := b.send.send(l)
	if !r.away {
		b.pay(ctx, l, r)
		b.ear.hear(asked, l, r.seen, r.err == nil)
	}
	return r
}

// pay pays for what net/http has sent again by itself, and for the usage in the answer.
func (b *batch) pay(ctx context.Context, l *line, r reply) {
	again := int64(max(0, r.sends-1))
	tokens, known := l.tokens, false
	if r.answer != nil {
		if used, ok := consumed(r.answer.Body); ok {
			b.used.Add(used)
			tokens, known = used, true
		}
	}
	// After a drain the scheduler is closed, and takes no more calls.
	if again > 0 {
		_ = scheduler.Settle(ctx, requestBudget, 1+again)
	}
	if b.cfg.tokens.on() && (known || again > 0) {
		_ = scheduler.Settle(ctx, tokenBudget, tokens+again*l.tokens)
	}
}

// failed returns the error of a failed attempt for the scheduler. If the line is tried again, the
// error has no body, since so many lines may back off that memory would not hold the bodies.
func (b *batch) failed(ctx context.Context, l *line, err error) error {
	if !errors.Is(err, context.Canceled) { // an attempt that was cut off says nothing
		l.last = err
	}
	var status *statusError
	answered := errors.As(err, &status)
	v, who := retry.Classify(err), about(err)
	if v.Retryable() {
		who = theOutage
	}
	switch most := max(0, b.cfg.policy.MaxServerWait); {
	case v.Wait > most:
		brief := fmt.Sprintf("the server asks to come back in %v", v.Wait.Round(time.Second))
		at := time.Now().Add(v.Wait).Format(time.DateTime)
		b.stop(brief, fmt.Errorf("%s, at %s, and -max-server-wait is %v: %w", brief, at, most, err))
		return fmt.Errorf("%w: %v", errLeft, err)
	case v.Retryable() && l.attempts <= b.cfg.retries:
		if answered {
			status.Body = nil
		}
		return err
	}
	b.refuse(l, who, err)
	if answered {
		b.holdAnswer(ctx, l, &status.response)
	}
	return err
}

// holdAnswer waits until there is room for an answer among those that are not written yet.
func (b *batch) holdAnswer(ctx context.Context, l *line, answer *response) {
	l.answer = int64(len(answer.Body))
	b.answers.take(ctx, l.answer)
}
