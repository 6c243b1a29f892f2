package retry

import (
	"strings"
	"time"

	"example.com/fairlead/retry/internal/durations"
)

// mark is an error with a verdict.
type mark struct {
	err     error
	verdict Verdict
}

// RateLimited marks err as a refusal because of a rate limit. The server did not say how long to wait,
// so the policy's backoff applies. RateLimited returns nil if err is nil.
func RateLimited(err error) error { return Verdict{Kind: KindRateLimited}.Mark(err) }

// After marks err as a refusal because of a rate limit, where the server asked to wait d. No retry comes
// sooner, and a scheduler holds all its calls for that time. If err holds other waits, the longest
// counts. If d is zero or less, After is the same as [RateLimited]. It returns nil if err is nil.
func After(err error, d time.Duration) error {
	return Verdict{Kind: KindRateLimited, Wait: d}.Mark(err)
}

// AfterAlone marks err as [After] does, but the wait is for this call alone. A scheduler neither holds
// nor slows down other calls. Use it for a refusal that concerns one model, one account or one object
// of a server. If err has a method RetryAfter, its wait is then for this call alone too. If err holds
// another marker with a wait and a wider [Scope], the longest wait counts for that scope. AfterAlone
// returns nil if err is nil.
func AfterAlone(err error, d time.Duration) error {
	return Verdict{Kind: KindRateLimited, Scope: ScopeCall, Wait: d}.Mark(err)
}

// Transient marks err as a temporary failure that is worth a retry after the policy's backoff. It
// returns nil if err is nil.
func Transient(err error) error { return Verdict{Kind: KindTransient}.Mark(err) }

// Permanent marks err as final. It wins over all other markers in the tree of errors, and over the
// judgement of [Network]. It returns nil if err is nil.
func Permanent(err error) error { return Verdict{}.Mark(err) }

// Error returns the text of the marked error, with the wait or "rate limited" if the verdict has it.
func (m *mark) Error() string {
	text, note := m.err.Error(), ""
	switch {
	case !m.verdict.Retryable():
	case m.verdict.Wait > 0:
		note = " (retry after " + durations.Up(m.verdict.Wait).String() + ")"
	case m.verdict.Kind == KindRateLimited:
		note = " (rate limited)"
	}
	if strings.HasSuffix(text, note) { // a marker inside says the same
		return text
	}
	return text + note
}

// Unwrap returns the marked error.
func (m *mark) Unwrap() error { return m.err }
