// Package limits converts the fractional rates of other libraries to Fairlead's limits.
package limits

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
)

// period is the Per of limits of one token a second or more. With it, nine digits after the point count.
const period = 1e9 * time.Second

// PerSecond returns a limit of rate tokens a second. A Limit is a ratio of whole numbers, so it is within a
// billionth of the rate. Rates below one token in 292 years, even zero, become that. Rates above 9·10⁹, and
// limits without a capacity, are invalid.
func PerSecond(rate float64, capacity int) bucket.Limit {
	l := bucket.Limit{Capacity: int64(capacity)}
	switch refill := math.Round(rate * period.Seconds()); {
	case refill >= math.MaxInt64:
		l.Refill = -1 // invalid; 0 without a capacity would mean the default limit
	case rate >= 1:
		l.Refill, l.Per = int64(refill), period
	default:
		l.Refill, l.Per = 1, math.MaxInt64
		if per := math.Round(float64(time.Second) / rate); 0 < per && per < math.MaxInt64 {
			l.Per = time.Duration(per)
		}
	}
	return l
}
