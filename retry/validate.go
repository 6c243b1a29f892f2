package retry

import (
	"errors"
	"fmt"
	"math"
)

// Validate returns nil if the policy is valid. Otherwise it returns one error for each invalid field,
// joined. Each names the field, its value and what to write instead.
func (p Policy) Validate() error {
	var faults []error
	fault := func(field string, value any, advice string) {
		faults = append(faults, fmt.Errorf("retry: Policy.%s is %v: %s", field, value, advice))
	}
	if p.MaxRetries < None {
		fault("MaxRetries", p.MaxRetries, "give a positive number, 0 for the default of 5 or retry.None for no retries")
	}
	if p.Initial < 0 {
		fault("Initial", p.Initial, "give a positive duration or 0 for the default of 1s")
	}
	if p.Max < 0 {
		fault("Max", p.Max, "give a positive duration or 0 for the default of 1m0s")
	}
	if p.Max > 0 && p.Max < p.Initial {
		fault("Max", p.Max, fmt.Sprintf("it must not be below Policy.Initial, which is %v: raise the one or lower the other", p.Initial))
	}
	// Negated, so that NaN is a fault too. It compares false with everything.
	if p.Multiplier != 0 && !(p.Multiplier >= 1 && p.Multiplier <= math.MaxFloat64) {
		fault("Multiplier", p.Multiplier, "give a finite number of 1 or more, or 0 for the default of 2")
	}
	if p.Jitter != None && !(p.Jitter >= 0 && p.Jitter <= 1) {
		fault("Jitter", p.Jitter, "give a fraction up to 1, 0 for the default of 0.1 or retry.None for no jitter")
	}
	if p.FullJitter && p.Jitter != 0 && p.Jitter != None {
		fault("Jitter", p.Jitter, "Policy.FullJitter takes its place: leave out one of the two")
	}
	if p.MaxServerWait < None {
		fault("MaxServerWait", p.MaxServerWait, "give a positive duration, 0 for the default of 2m0s or retry.None to accept no server wait")
	}
	if p.MaxElapsed < 0 {
		fault("MaxElapsed", p.MaxElapsed, "give a positive duration or 0 for no limit")
	}
	return errors.Join(faults...)
}
