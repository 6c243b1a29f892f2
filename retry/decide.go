package retry

import (
	"strconv"
	"time"
)

// Action says what becomes of a call after a failed attempt.
type Action uint8

// The actions. All but Again end the call.
const (
	Fail      Action = iota // the error is final: return it unchanged
	Exhausted               // no retry is left: see [ExhaustedError]
	TooLong                 // the server's wait is above MaxServerWait: see [WaitTooLongError]
	Again                   // try again after Decision.Delay
)

// String says the action in a word or three, such as "retry" or "retries exhausted".
func (a Action) String() string {
	switch a {
	case Fail:
		return "fail"
	case Exhausted:
		return "retries exhausted"
	case TooLong:
		return "server wait too long"
	case Again:
		return "retry"
	}
	return "Action(" + strconv.Itoa(int(a)) + ")"
}

// Decision is the answer of [Policy.Decide]. The zero Decision ends the call with its error.
type Decision struct {
	Action Action
	Delay  time.Duration // how long to wait before the next attempt; zero unless Action is Again
}

// String reads like "retry in 2s" or "retries exhausted".
func (d Decision) String() string {
	if d.Action == Again {
		return "retry in " + d.Delay.String()
	}
	return d.Action.String()
}

// Decide says what becomes of a call whose attempt-th attempt, the first being 1, failed with an
// error that was judged to be v. In this order:
//
//   - neither transient nor rate limited: Fail;
//   - the last attempt that the policy allows: Exhausted;
//   - a server wait above MaxServerWait: TooLong;
//   - a server wait: Again, after [Policy.ServerWait];
//   - otherwise: Again, after [Policy.Delay].
//
// A server's wait takes the place of the backoff, be it longer or shorter, and of its Max. It is a pure
// function, and allocates nothing.
func (p Policy) Decide(call uint64, attempt int, v Verdict) Decision {
	p.fill()
	switch {
	case !v.Retryable():
		return Decision{Action: Fail}
	case max(attempt, 1) > p.retries():
		return Decision{Action: Exhausted}
	case v.Wait > max(p.MaxServerWait, 0):
		return Decision{Action: TooLong}
	case v.Wait > 0:
		return Decision{Action: Again, Delay: p.ServerWait(call, attempt, v.Wait)}
	}
	return Decision{Action: Again, Delay: p.delay(call, attempt)}
}
