package retry

import (
	"reflect"
	"time"
)

// Classify is the default [Classifier]. It retries what says of itself that it may be
// retried, and nothing else. Anywhere in the error, through any wrapping and [errors.Join], it knows
//
//   - the markers [RateLimited], [After], [Transient] and [Permanent];
//   - a method RetryAfter() time.Duration: above zero, the error is rate limited with that wait;
//   - a method RateLimited() bool: if true, the error is rate limited.
//
// Permanent wins over the others, rate limited over transient, and of several waits the longest counts.
// An [ExhaustedError] is not looked into: its cause has had its retries, and retrying them once
// more, by a retried call inside another, would multiply them. A [WaitTooLongError] is looked into, so that
// a more patient caller may wait: mark it as [Permanent] where that is not wanted. Texts are never read.
// A nil error is final.
func Classify(err error) Verdict {
	v, _ := spoken(err)
	return v
}

// spoken collects what the errors in err's tree say of themselves. If none says anything, ok is
// false; a final verdict with ok true is a Permanent.
func spoken(err error) (v Verdict, ok bool) {
	permanent := false
	walk(err, func(err error) {
		said, speaks := verdictOf(err)
		if !speaks {
			return
		}
		ok = true
		permanent = permanent || said.Kind == KindFinal
		v.Kind = max(v.Kind, said.Kind)
		v.Wait = max(v.Wait, said.Wait)
	})
	if permanent {
		return Verdict{}, true
	}
	return v, ok
}

// verdictOf is what one error, without those it wraps, says of itself.
func verdictOf(err error) (v Verdict, ok bool) {
	if m, is := err.(*mark); is {
		return m.verdict, true
	}
	if e, is := err.(interface{ RetryAfter() time.Duration }); is {
		if d := e.RetryAfter(); d > 0 {
			return Verdict{Kind: KindRateLimited, Wait: d}, true
		}
	}
	if e, is := err.(interface{ RateLimited() bool }); is && e.RateLimited() {
		return Verdict{Kind: KindRateLimited}, true
	}
	return Verdict{}, false
}

// walk visits err and all that it wraps, in the order of errors.Is. Unlike errors.Is it survives
// a nil pointer in an error's clothes, which says nothing, and it stops at an ExhaustedError.
func walk(err error, visit func(error)) {
	for err != nil && !isNilPointer(err) {
		visit(err)
		switch e := err.(type) {
		case *ExhaustedError:
			return
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err, visit)
			}
			return
		default:
			return
		}
	}
}

// isNilPointer says whether err holds a nil pointer, whose methods may well panic.
func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
