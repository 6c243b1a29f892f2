package retry

import "time"

// mark is an error with the verdict that a marker gave it.
type mark struct {
	err     error
	verdict Verdict
}

// RateLimited marks err as a refusal for coming too often, where the server did not say how
// long to wait: the policy's backoff applies. It returns nil if err is nil.
func RateLimited(err error) error { return Verdict{Kind: KindRateLimited}.Mark(err) }

// After marks err as a refusal for coming too often, where the server said to wait d. The wait holds all calls of a scheduler. No
// retry comes sooner. If the error holds several waits, the longest counts. A d of zero or less is the same as [RateLimited]. It
// returns nil if err is nil.
func After(err error, d time.Duration) error {
	return Verdict{Kind: KindRateLimited, Wait: d}.Mark(err)
}

// AfterAlone marks err as After does, but the wait is for this call alone: a scheduler neither holds nor slows down other calls. Use it
// for a refusal that concerns one model, one account or one object of a server. It also limits the wait that err itself has by a method
// RetryAfter to this call. If err holds another marker with a wait for all calls, the longest wait counts, and it holds all calls. It
// returns nil if err is nil.
func AfterAlone(err error, d time.Duration) error {
	return Verdict{Kind: KindRateLimited, Alone: true, Wait: d}.Mark(err)
}

// Transient marks err as a passing failure that is worth a retry after the policy's backoff. It returns
// nil if err is nil.
func Transient(err error) error { return Verdict{Kind: KindTransient}.Mark(err) }

// Permanent marks err as final. It wins over every other marker, inside or outside of it or
// beside it in an [errors.Join], and over what [Network] sees. It returns nil if err is nil.
func Permanent(err error) error { return Verdict{}.Mark(err) }

// Error is the text of the marked error, with the verdict where it tells a reader something.
func (m *mark) Error() string {
	switch {
	case !m.verdict.Retryable():
	case m.verdict.Wait > 0:
		return m.err.Error() + " (retry after " + m.verdict.Wait.String() + ")"
	case m.verdict.Kind == KindRateLimited:
		return m.err.Error() + " (rate limited)"
	}
	return m.err.Error()
}

// Unwrap gives errors.Is and errors.As the marked error.
func (m *mark) Unwrap() error { return m.err }
