package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// attempt makes one attempt at a line. Its context ends with the drain. An attempt that has begun may finish
// even then, since it is paid for.
func (b *batch) attempt(ctx context.Context, l *line) (*response, error) {
	if l.err != nil {
		return nil, l.err
	}
	r, err := b.outage.reach(ctx, func() reply { return b.roundTrip(ctx, l) })
	l.attempts++
	if err != nil {
		l.last = r.err
		return nil, err
	}
	if r.err != nil {
		return nil, b.attemptFailed(ctx, l, r.err)
	}
	b.refusals.onAnswer(l.sent)
	b.reserveAnswer(ctx, l, r.answer)
	return r.answer, nil
}

// roundTrip sends a line's request once, settles its cost, and then applies the limits in the answer, which
// include that cost.
func (b *batch) roundTrip(ctx context.Context, l *line) reply {
	b.out.touch()
	l.sent = b.refusals.sent.Add(1)
	asked := b.serverLimits.begin()
	r := b.send.send(l)
	if !r.away {
		b.settle(ctx, l, r)
		b.serverLimits.finish(asked, l, r.seen, r.err == nil)
	}
	return r
}

// settle charges the requests that net/http sent again by itself, and corrects the tokens to the answer's usage.
func (b *batch) settle(ctx context.Context, l *line, r reply) {
	resent := int64(max(0, r.sends-1))
	tokens, known := l.tokens, false
	if r.answer != nil {
		if used, ok := usedTokens(r.answer.Body); ok {
			b.tokensUsed.Add(used)
			tokens, known = used, true
		}
	}
	// Once a drain has closed the scheduler, Settle returns an error, which does not matter.
	if resent > 0 {
		_ = scheduler.Settle(ctx, requestBudget, 1+resent)
		_ = scheduler.Settle(ctx, scheduler.KeyBudget, 1+resent) // nor does it without such a budget
	}
	if b.cfg.tokens.enabled() && (known || resent > 0) {
		_ = scheduler.Settle(ctx, tokenBudget, tokens+resent*l.tokens)
	}
}

// attemptFailed turns a failed attempt into the error for the scheduler. If the line will be retried, the error
// has no body: the bodies of all lines that back off may not fit in memory.
func (b *batch) attemptFailed(ctx context.Context, l *line, err error) error {
	if !errors.Is(err, context.Canceled) { // a canceled attempt says nothing about the server
		l.last = err
	}
	var status *statusError
	answered := errors.As(err, &status)
	v, who := retry.Classify(err), blameFor(err)
	if v.Retryable() {
		who = theOutage
	}
	switch maxWait := max(0, b.cfg.policy.MaxServerWait); {
	case v.Wait > maxWait:
		brief := fmt.Sprintf("the server asks to wait %v", v.Wait.Round(time.Second))
		at := time.Now().Add(v.Wait).Format(time.DateTime)
		b.stop(brief, fmt.Errorf("%s, until %s, and -max-server-wait is %v: %w", brief, at, maxWait, err))
		return fmt.Errorf("%w: %v", errLeft, err)
	case v.Retryable() && l.attempts <= b.cfg.retries:
		if answered {
			status.Body = nil
		}
		return err
	}
	b.countRefusal(l, who, err)
	if answered {
		b.reserveAnswer(ctx, l, &status.response)
	}
	return err
}

// reserveAnswer waits until the answers that are not written yet leave room for this one.
func (b *batch) reserveAnswer(ctx context.Context, l *line, answer *response) {
	l.answerBytes = int64(len(answer.Body))
	b.answerBytes.acquire(ctx, l.answerBytes)
}
