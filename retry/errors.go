package retry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/retry/internal/durations"
)

var (
	// ErrExhausted matches every [ExhaustedError] in errors.Is.
	ErrExhausted = errors.New("retry: retries exhausted")

	// ErrWaitTooLong matches every [WaitTooLongError] in errors.Is.
	ErrWaitTooLong = errors.New("retry: server's wait is too long")
)

// ExhaustedError is the error of a call that has no retries left, whose next attempt would begin after
// the policy's MaxElapsed, or whose retry the [Budget] did not have. In errors.Is and errors.As it
// matches [ErrExhausted] and the last attempt's error.
type ExhaustedError struct {
	Attempts int           // the number of attempts
	Waited   time.Duration // the sum of the waits between the attempts
	Errors   []error       // the error of each attempt, oldest first

	MaxElapsed time.Duration // the policy's MaxElapsed if the call ended because of it; else zero
	Elapsed    time.Duration // if MaxElapsed is set: how long after the first attempt the next would begin

	// RetryAt is when the call would have its turn again, if it ended because of MaxElapsed or its last attempt was told to
	// wait by a server. It is zero in other cases, and if it is not known.
	RetryAt time.Time

	Budget *Budget // the retry budget that was used up, if that ended the call; else nil
	Key    string  // the key of the call, if Budget is that of the key; else ""
}

// Error returns a text such as "retry: retries exhausted: 6 attempts failed, 31.2s waited in between, the
// last with: too many requests".
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %d attempt", ErrExhausted, e.Attempts)
	if e.Attempts != 1 {
		b.WriteByte('s')
	}
	b.WriteString(" failed")
	if e.Waited > 0 {
		fmt.Fprintf(&b, ", %v waited in between", durations.Round(e.Waited))
	}
	if e.MaxElapsed > 0 {
		fmt.Fprintf(&b, ", the next would begin %v after the first and Policy.MaxElapsed is %v", durations.Up(e.Elapsed), e.MaxElapsed)
	}
	switch {
	case e.Budget != nil && e.Key != "":
		fmt.Fprintf(&b, ", the retry budget of the key %q (%v) was used up", e.Key, e.Budget)
	case e.Budget != nil:
		fmt.Fprintf(&b, ", the retry budget of all calls (%v) was used up", e.Budget)
	}
	if last := e.Unwrap(); last != nil {
		fmt.Fprintf(&b, ", the last with: %v", last)
	}
	return b.String()
}

// Is reports whether target is [ErrExhausted].
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// Unwrap returns the last attempt's error, or nil if Errors is empty. The earlier errors are only in
// Errors, because errors.Is should not match an error after which the call went on.
func (e *ExhaustedError) Unwrap() error {
	if len(e.Errors) == 0 {
		return nil
	}
	return e.Errors[len(e.Errors)-1]
}

// WaitTooLongError is the error of a call if a server asked for a longer wait than the policy accepts.
// In errors.Is and errors.As it matches [ErrWaitTooLong] and the attempt's error.
type WaitTooLongError struct {
	Wait    time.Duration // the wait that the server asked for
	Max     time.Duration // the policy's MaxServerWait; None if it accepts no server wait
	RetryAt time.Time     // when to try again, not before the end of the server's wait; zero if that is not known
	Err     error         // the attempt's error
}

// Error returns a text with the server's wait, the longest wait that the policy accepts, and what to do.
func (e *WaitTooLongError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: it asks for %v, ", ErrWaitTooLong, durations.Up(e.Wait))
	if e.Max > 0 {
		fmt.Fprintf(&b, "Policy.MaxServerWait is %v: raise it or try again ", e.Max)
	} else {
		b.WriteString("Policy.MaxServerWait accepts none: raise it or try again ")
	}
	if e.RetryAt.IsZero() {
		b.WriteString("later")
	} else {
		fmt.Fprintf(&b, "at %s", e.RetryAt.Format(time.RFC3339))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Is reports whether target is [ErrWaitTooLong].
func (e *WaitTooLongError) Is(target error) bool { return target == ErrWaitTooLong }

// Unwrap returns the attempt's error.
func (e *WaitTooLongError) Unwrap() error { return e.Err }
