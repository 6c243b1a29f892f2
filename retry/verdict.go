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

// Verdict is what a [Classifier] makes of an error. The zero Verdict is final.
type Verdict struct {
	Kind Kind
	Wait time.Duration // how long the server asked to wait; zero or less if it did not say
}

// Retryable says whether the verdict allows another attempt. An unknown Kind does not.
func (v Verdict) Retryable() bool {
	return v.Kind == KindTransient || v.Kind == KindRateLimited
}

// String reads like "final" or "rate limited, retry after 30s".
func (v Verdict) String() string {
	if v.Retryable() && v.Wait > 0 {
		return v.Kind.String() + ", retry after " + v.Wait.String()
	}
	return v.Kind.String()
}

// A Classifier judges the error of a failed attempt. It may be called from many goroutines at once, and
// is asked only about errors that are not nil. [Classify] and [Network] are two; one
// of your own may fall back on them.
type Classifier func(err error) Verdict
