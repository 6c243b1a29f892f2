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
// Permanent wins over the others, rate limited over transient, and of several waits the longest counts. If several markers have a wait,
// it is for this call alone only if all of them say so. It is about a budget only if all of them name that budget.
// An [ExhaustedError] is not looked into: its cause has had its retries, and retrying them once
// more, by a retried call inside another, would multiply them. A [WaitTooLongError] is looked into, so that
// a more patient caller may wait: mark it as [Permanent] where that is not wanted. Texts are never read.
// A nil error is final.
func Classify(err error) Verdict {
	v, _ := Marked(err)
	return v
}

// Marked returns the verdict of the markers in err, and whether there are any. [Classify] goes by it. A final verdict
// with true comes from [Permanent]. Begin with Marked in a classifier that must not overrule markers.
func Marked(err error) (v Verdict, ok bool) {
	permanent, weight := false, 0
	walk(err, func(err error, around *mark) {
		said, speaks := verdictOf(err)
		if !speaks {
			return
		}
		if _, marker := err.(*mark); !marker && around != nil { // a method's word on the scope yields to the marker around it
			said.Alone, said.Budget = around.verdict.Alone, around.verdict.Budget
		}
		ok = true
		permanent = permanent || !said.Retryable()
		switch w := said.weight(); {
		case w > weight:
			v.Alone, v.Budget, weight = said.Alone, said.Budget, w
		case w == weight:
			v.Alone = v.Alone && said.Alone
			if v.Budget != said.Budget {
				v.Budget = ""
			}
		}
		v.Kind = max(v.Kind, said.Kind)
		v.Wait = max(v.Wait, said.Wait)
	})
	if permanent {
		return Verdict{}, true
	}
	return v, ok
}

// weight ranks a marker among several. Only those of the highest weight say which calls and budget the refusal is about: markers
// with a wait, or else those that are rate limited or say so themselves.
func (v Verdict) weight() int {
	switch {
	case v.Wait > 0:
		return 2
	case v.Kind == KindRateLimited || v.Alone || v.Budget != "":
		return 1
	}
	return 0
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

// walk visits err and all that it wraps, in the order of errors.Is, each with the innermost marker around it. Unlike errors.Is it
// survives a typed nil pointer, which says nothing, and it stops at an ExhaustedError.
func walk(err error, visit func(err error, around *mark)) { descend(err, nil, visit) }

func descend(err error, around *mark, visit func(error, *mark)) {
	for err != nil && !isNilPointer(err) {
		visit(err, around)
		switch e := err.(type) {
		case *ExhaustedError:
			return
		case *mark:
			err, around = e.err, e
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				descend(err, around, visit)
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
