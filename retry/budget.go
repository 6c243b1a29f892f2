package retry

import (
	"errors"
	"fmt"
)

// Budget limits how many retries all calls make together. Without one, a server that is down gets a
// multiple of its usual load, which may keep it down (a retry storm).
//
// The budget is a token bucket of retries, which is full at first. Each call adds Ratio when its first
// attempt begins, and each second adds PerSecond. A retry takes 1 when its backoff is over. If there is
// not so much, the call ends with an [ExhaustedError] instead, or with Wait it waits until there is. The
// zero Budget has the defaults: one retry for ten calls, or one a second if there are few, and ten at once.
//
// A Budget is a comparable value without state. See the Google SRE book, chapter "Handling Overload".
type Budget struct {
	// Ratio is how many retries each call adds, in thousandths of a retry, from 0.001 to 1. Zero means
	// 0.1.
	Ratio float64

	// PerSecond is how many retries each second adds, in thousandths of a retry, from 0.001 to a
	// million. Zero means 1.
	PerSecond float64

	// Burst is how many retries the budget holds at most, from 1 to a million. Zero means 10.
	Burst int

	// Wait lets a retry wait until the budget has 1, instead of ending its call. Retries wait in the order
	// in which their backoffs ended, outside the queue, so that they delay no first attempt. A wait ends with
	// the call's context, or when the MaxElapsed of its [Policy] has passed. With Wait a server that is down
	// for long makes the number of calls that wait grow. False means that the call ends.
	Wait bool
}

// maxBudget bounds the numbers of a Budget, so that they can be counted in thousandths.
const maxBudget = 1_000_000

// WithDefaults returns b with each zero field set to its default.
func (b Budget) WithDefaults() Budget {
	if b.Ratio == 0 {
		b.Ratio = 0.1
	}
	if b.PerSecond == 0 {
		b.PerSecond = 1
	}
	if b.Burst == 0 {
		b.Burst = 10
	}
	return b
}

// Validate returns nil if the budget is valid. Otherwise it returns one error for each invalid field,
// joined.
func (b Budget) Validate() error {
	b = b.WithDefaults()
	var faults []error
	if !(b.Ratio >= 0.001 && b.Ratio <= 1) { // negated, so that NaN is a fault too
		faults = append(faults, fmt.Errorf("retry: Budget.Ratio is %v: give a number from 0.001 to 1, or 0 for the default of 0.1", b.Ratio))
	}
	if !(b.PerSecond >= 0.001 && b.PerSecond <= maxBudget) {
		faults = append(faults, fmt.Errorf("retry: Budget.PerSecond is %v: give a number from 0.001 to %d, or 0 for the default of 1", b.PerSecond, maxBudget))
	}
	if b.Burst < 1 || b.Burst > maxBudget {
		faults = append(faults, fmt.Errorf("retry: Budget.Burst is %d: give a number from 1 to %d, or 0 for the default of 10", b.Burst, maxBudget))
	}
	return errors.Join(faults...)
}

// String returns a text such as "0.1 retries a call and 1 a second, at most 10 at once".
func (b Budget) String() string {
	b = b.WithDefaults()
	text := fmt.Sprintf("%v retries a call and %v a second, at most %d at once", b.Ratio, b.PerSecond, b.Burst)
	if b.Wait {
		text += ", and others wait"
	}
	return text
}
