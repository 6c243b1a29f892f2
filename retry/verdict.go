package retry

import (
	"strconv"
	"time"
)

// Kind sorts errors by what should follow them.
type Kind uint8

// The kinds. The zero Kind is final, so that nothing is retried by accident.
const (
	KindFinal       Kind = iota // retrying cannot help, or nobody said that it does
	KindTransient               // a passing failure, such as a lost connection
	KindRateLimited             // refused for coming too often
)

// String names the kind: "final", "transient" or "rate limited".
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

// Verdict is a [Classifier]'s judgement of an error. The zero Verdict is final. Verdicts can be compared.
type Verdict struct {
	Kind   Kind
	Alone  bool          // the refusal concerns this call alone: other calls are neither held nor slowed down
	Wait   time.Duration // how long the server asked to wait; zero or less if it did not say
	Budget string        // the scheduler's budget that is used up, if the server said so; or ""
}

// Retryable says whether the verdict allows another attempt. An unknown Kind does not.
func (v Verdict) Retryable() bool {
	return v.Kind == KindTransient || v.Kind == KindRateLimited
}

// Mark marks err with the whole verdict, so that [Classify] and [Network] find it again. It covers [RateLimited],
// [After], [AfterAlone] and [Transient], and also a budget. A final verdict marks err as [Permanent]. Mark returns nil
// if err is nil.
func (v Verdict) Mark(err error) error {
	if err == nil {
		return nil
	}
	return &mark{err, v}
}

// String returns text like "final", "rate limited, retry after 30s" or "rate limited, retry after 30s, this call
// alone".
func (v Verdict) String() string {
	if !v.Retryable() {
		return v.Kind.String()
	}
	s := v.Kind.String()
	if v.Wait > 0 {
		s += ", retry after " + v.Wait.String()
	}
	if v.Alone {
		s += ", this call alone"
	}
	if v.Budget != "" {
		s += ", budget " + strconv.Quote(v.Budget)
	}
	return s
}

// A Classifier judges the error of a failed attempt. It may be called from many goroutines at once, and
// is asked only about errors that are not nil. [Classify] and [Network] are two; one
// of your own may fall back on them.
type Classifier func(err error) Verdict
