package retry

import (
	"strconv"
	"time"

	"example.com/fairlead/retry/internal/durations"
)

// Kind is the kind of a failure, which decides whether it is retried.
type Kind uint8

// The kinds. The zero Kind is final, so that nothing is retried by accident.
const (
	KindFinal       Kind = iota // a retry cannot help, or is not known to help
	KindTransient               // a temporary failure, such as a lost connection
	KindRateLimited             // a refusal because of a rate limit
)

// String returns "final", "transient" or "rate limited".
func (k Kind) String() string {
	switch k {
	case KindFinal:
		return "final"
	case KindTransient:
		return "transient"
	case KindRateLimited:
		return "rate limited"
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Verdict is a [Classifier]'s judgement of an error. The zero Verdict is final. Verdicts are comparable
// with ==.
type Verdict struct {
	Kind   Kind
	Scope  Scope         // which calls are held or slowed down
	Wait   time.Duration // the wait that the server asked for; zero or less if it asked for none
	Budget string        // the name of the budget that the server says is used up, or ""
}

// Retryable reports whether the verdict allows another attempt. An unknown Kind does not.
func (v Verdict) Retryable() bool {
	return v.Kind == KindTransient || v.Kind == KindRateLimited
}

// Mark marks err with the whole verdict, which [Classify] and [Network] then return. It can do what
// [RateLimited], [After], [AfterAlone] and [Transient] do, and can also set any [Scope] and name a
// budget. A final verdict marks err as [Permanent]. Mark returns nil if err is nil.
func (v Verdict) Mark(err error) error {
	if err == nil {
		return nil
	}
	return &mark{err, v}
}

// String returns a text such as "final" or "rate limited, retry after 30s, this call alone".
func (v Verdict) String() string {
	if !v.Retryable() {
		return v.Kind.String()
	}
	s := v.Kind.String()
	if v.Wait > 0 {
		s += ", retry after " + durations.Up(v.Wait).String()
	}
	if v.Scope != ScopeDefault {
		s += ", " + v.Scope.String()
	}
	if v.Budget != "" {
		s += ", budget " + strconv.Quote(v.Budget)
	}
	return s
}

// Classifier judges the error of a failed attempt, which is never nil. It may be called by many
// goroutines at once. [Classify], [Network] and [Any] are classifiers, and one of your own may call them.
type Classifier func(err error) Verdict
