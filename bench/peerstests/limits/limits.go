// Package limits makes Fairlead's limits of the fractional rates of other libraries.
package limits

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
)

// long is what a rate that is no whole number is counted over: so a ninth digit after
// the point still makes a difference.
const long = 1e9 * time.Second

// PerSecond is rate tokens a second, with so much capacity. A Limit is a ratio of whole
// numbers; the one returned is within a billionth of the rate, but for what no Limit can be:
// below one token in 292 years, and so for a rate of zero, it is that; above 9·10⁹ it
// is invalid, as it is without a capacity.
func PerSecond(rate float64, capacity int) bucket.Limit {
	l := bucket.Limit{Capacity: int64(capacity)}
	switch refill := math.Round(rate * long.Seconds()); {
	case refill >= math.MaxInt64:
		l.Refill = -1 // not 0: with no capacity either, that would be the default limit
	case rate >= 1:
		l.Refill, l.Per = int64(refill), long
	default:
		l.Refill, l.Per = 1, math.MaxInt64
		if per := math.Round(float64(time.Second) / rate); 0 < per && per < math.MaxInt64 {
			l.Per = time.Duration(per)
		}
	}
	return l
}
