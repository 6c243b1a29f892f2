package retry

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrExhausted is what an [ExhaustedError] is, for errors.Is.
	ErrExhausted = errors.New("retries exhausted")

	// ErrWaitTooLong is what a [WaitTooLongError] is, for errors.Is.
	ErrWaitTooLong = errors.New("server's wait is too long")
)

// ExhaustedError ends a call whose every attempt failed. It is [ErrExhausted] and, for errors.Is
// and errors.As, also the last attempt's error.
type ExhaustedError struct {
	Attempts int           // how many attempts were made
	Waited   time.Duration // how long the call waited between its attempts, all waits together
	Errors   []error       // the error of each attempt, oldest first
}

// Error reads like "retries exhausted: 6 attempts failed, 31.2s waited in between, the last with:
// too many requests".
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %d attempt", ErrExhausted, e.Attempts)
	if e.Attempts != 1 {
		b.WriteByte('s')
	}
	b.WriteString(" failed")
	if e.Waited > 0 {
		fmt.Fprintf(&b, ", %v waited in between", readable(e.Waited))
	}
	if last := e.Unwrap(); last != nil {
		fmt.Fprintf(&b, ", the last with: %v", last)
	}
	return b.String()
}

// Is says that e is [ErrExhausted].
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// Unwrap returns the last attempt's error, or nil if Errors is empty. The earlier ones are in Errors
// alone: what a call has recovered from should not match errors.Is.
func (e *ExhaustedError) Unwrap() error {
	if len(e.Errors) == 0 {
		return nil
	}
	return e.Errors[len(e.Errors)-1]
}

// WaitTooLongError ends a call that a server told to wait for longer than the policy accepts. It is
// [ErrWaitTooLong] and, for errors.Is and errors.As, also the attempt's error.
type WaitTooLongError struct {
	Wait    time.Duration // what the server asked for
	Max     time.Duration // the policy's MaxServerWait; None if it accepts no server wait
	RetryAt time.Time     // when the server's wait is over: the time at which to try again
	Err     error         // the attempt's error
}

// Error says what the server asked for, what the policy accepts and what to do.
func (e *WaitTooLongError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: it asks for %v, ", ErrWaitTooLong, readable(e.Wait))
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

// Is says that e is [ErrWaitTooLong].
func (e *WaitTooLongError) Is(target error) bool { return target == ErrWaitTooLong }

// Unwrap returns the attempt's error.
func (e *WaitTooLongError) Unwrap() error { return e.Err }

// readable drops the digits of a long duration that only a machine wants.
func readable(d time.Duration) time.Duration {
	if d < time.Second {
		return d
	}
	return d.Round(time.Millisecond)
}
