package retry

import (
	"context"
	"reflect"
	"time"
)

// Classify judges an error by its markers and methods. It is the default [Classifier]. It looks
// through any wrapping and [errors.Join] for
//
//   - the markers [RateLimited], [After], [AfterAlone], [Transient] and [Permanent];
//   - a method RetryAfter() time.Duration that returns more than zero (rate limited, with that wait);
//   - a method RateLimited() bool that returns true (rate limited);
//   - a method Permanent() bool that returns true (final).
//
// An error with none of them is final, and so is nil: an error that is not marked is not retried. To
// retry it, mark it, or use [Network] or [Any]. Texts are never read.
//
// Permanent wins over the others, and rate limited over transient. Of several waits the longest counts.
// It has the widest [Scope] of all markers with a wait, and it names a budget only if all of them name
// that budget. From narrow to wide, the scopes are [ScopeCall], [ScopeKey], [ScopeDefault] and
// [ScopeAll].
//
// Classify does not look into an [ExhaustedError]. Its cause has had its retries, and a retried call
// inside another would multiply them. Classify looks into a [WaitTooLongError], so that a more patient
// caller may wait. To prevent that, mark it as [Permanent].
func Classify(err error) Verdict {
	v, _ := Marked(err)
	return v
}

// Any retries every failure that is not marked as final. It is a [Classifier]. If [Classify] finds a
// marker or a method, that decides. Otherwise these errors are final:
//
//   - [context.Canceled];
//   - an [ExhaustedError], since its cause has had its retries.
//
// All other errors are transient. So a retry may also repeat a mistake of the caller, such as a
// request that the server calls malformed: mark such errors as [Permanent]. A retry repeats the
// call. Use Any only where it may run twice.
func Any(err error) Verdict {
	if v, ok := Marked(err); ok || err == nil {
		return v
	}
	final := false
	walk(err, func(err error, _ *mark) {
		_, exhausted := err.(*ExhaustedError)
		final = final || exhausted || matches(err, context.Canceled)
	})
	if final {
		return Verdict{}
	}
	return Verdict{Kind: KindTransient}
}

// Marked returns the verdict of the markers and methods in err, as [Classify] does. It reports whether
// there are any. A final verdict with true comes from [Permanent] or a method of that name. A classifier that must not overrule
// markers should begin with Marked.
func Marked(err error) (v Verdict, ok bool) {
	permanent, weight := false, 0
	walk(err, func(err error, outer *mark) {
		found, has := markedVerdict(err)
		if !has {
			return
		}
		if _, isMark := err.(*mark); !isMark && outer != nil { // for the scope, a marker wins over the methods inside it
			found.Scope, found.Budget = outer.verdict.Scope, outer.verdict.Budget
		}
		ok = true
		permanent = permanent || !found.Retryable()
		switch w := found.weight(); {
		case w > weight:
			v.Scope, v.Budget, weight = found.Scope, found.Budget, w
		case w == weight:
			v.Scope = v.Scope.wider(found.Scope)
			if v.Budget != found.Budget {
				v.Budget = ""
			}
		}
		v.Kind = max(v.Kind, found.Kind)
		v.Wait = max(v.Wait, found.Wait)
	})
	if permanent {
		return Verdict{}, true
	}
	return v, ok
}

// weight ranks a verdict among several in one error. Only those of the highest weight decide about
// Scope and Budget. Those with a wait weigh most, then those that are rate limited or set one of the
// two.
func (v Verdict) weight() int {
	switch {
	case v.Wait > 0:
		return 2
	case v.Kind == KindRateLimited || v.Scope != ScopeDefault || v.Budget != "":
		return 1
	}
	return 0
}

// markedVerdict returns the verdict of a marker or of an error's methods. It does not look at the
// errors that err wraps.
func markedVerdict(err error) (v Verdict, ok bool) {
	if m, ok := err.(*mark); ok {
		return m.verdict, true
	}
	if e, ok := err.(interface{ Permanent() bool }); ok && e.Permanent() {
		return Verdict{}, true
	}
	if e, ok := err.(interface{ RetryAfter() time.Duration }); ok {
		if d := e.RetryAfter(); d > 0 {
			return Verdict{Kind: KindRateLimited, Wait: d}, true
		}
	}
	if e, ok := err.(interface{ RateLimited() bool }); ok && e.RateLimited() {
		return Verdict{Kind: KindRateLimited}, true
	}
	return Verdict{}, false
}

// walk visits err and all errors that it wraps, in the order of errors.Is, each with the innermost
// marker around it. Unlike errors.Is, it skips typed nil pointers and stops at an ExhaustedError.
func walk(err error, visit func(err error, outer *mark)) { descend(err, nil, visit) }

func descend(err error, outer *mark, visit func(error, *mark)) {
	for err != nil && !isNilPointer(err) {
		visit(err, outer)
		switch e := err.(type) {
		case *ExhaustedError:
			return
		case *mark:
			err, outer = e.err, e
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				descend(err, outer, visit)
			}
			return
		default:
			return
		}
	}
}

// isNilPointer reports whether err holds a nil pointer, whose methods might panic.
func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
