package retry

import "time"

// mark is an error with a verdict that somebody gave it.
type mark struct {
	err     error
	verdict Verdict
}

// RateLimited marks err as a refusal for coming too often, where the server did not say how
// long to wait: the policy's backoff applies. It returns nil if err is nil.
func RateLimited(err error) error { return marked(err, Verdict{Kind: KindRateLimited}) }

// After marks err as a refusal for coming too often, where the server said to wait d. No retry
// comes sooner; if the error holds several waits, the longest counts. A d of zero or less
// says nothing, and is the same as [RateLimited]. It returns nil if err is nil.
func After(err error, d time.Duration) error {
	return marked(err, Verdict{Kind: KindRateLimited, Wait: d})
}

// Transient marks err as a passing failure that is worth a retry after the policy's backoff. It returns
// nil if err is nil.
func Transient(err error) error { return marked(err, Verdict{Kind: KindTransient}) }

// Permanent marks err as final. It wins over every other marker, inside or outside of it or
// beside it in an [errors.Join], and over what [Network] sees. It returns nil if err is nil.
func Permanent(err error) error { return marked(err, Verdict{Kind: KindFinal}) }

func marked(err error, v Verdict) error {
	if err == nil {
		return nil
	}
	return &mark{err, v}
}

// Error is the text of the marked error, with the verdict where it tells a reader something.
func (m *mark) Error() string {
	switch {
	case m.verdict.Wait > 0:
		return m.err.Error() + " (retry after " + m.verdict.Wait.String() + ")"
	case m.verdict.Kind == KindRateLimited:
		return m.err.Error() + " (rate limited)"
	}
	return m.err.Error()
}

// Unwrap gives errors.Is and errors.As the marked error.
func (m *mark) Unwrap() error { return m.err }
