package retry

import (
	"strconv"
	"time"

	"example.com/fairlead/retry/internal/durations"
)

// Action says what happens to a call after a failed attempt.
type Action uint8

// The actions. All but Again end the call.
const (
	Fail      Action = iota // the error is final and is returned unchanged
	Exhausted               // no retry is left; see [ExhaustedError]
	TooLong                 // the server's wait is above MaxServerWait; see [WaitTooLongError]
	Again                   // try again after Decision.Delay
)

// String returns a text such as "retry" or "retries exhausted".
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

// Decision is the result of [Policy.Decide]. The zero Decision ends the call with its error.
type Decision struct {
	Action Action
	Delay  time.Duration // the wait before the next attempt; zero unless Action is Again
}

// String returns a text such as "retry in 2s" or "retries exhausted".
func (d Decision) String() string {
	if d.Action == Again {
		return "retry in " + durations.Round(d.Delay).String()
	}
	return d.Action.String()
}

// Decide returns what happens to a call after an attempt that failed with verdict v. The first attempt
// is 1. The first case that applies counts:
//
//   - Fail if v is neither transient nor rate limited;
//   - Exhausted if the policy allows no further attempt;
//   - TooLong if the server's wait is above MaxServerWait;
//   - Again after [Policy.ServerWait] if there is a server's wait;
//   - Again after [Policy.Delay] otherwise.
//
// A server's wait replaces the backoff, even if it is shorter, or longer than Max. MaxElapsed plays no
// part, since Decide does not know when the first attempt began. Decide is a pure
// function and does not allocate.
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
