package headers

import (
	"math"
	"math/bits"
	"net/http"
	"strings"
	"time"
)

// decimal is the number whole + frac/scale. A whole part that is too large saturates. The fraction has at
// most 18 digits and is rounded up, so that no wait is too short.
type decimal struct{ whole, frac, scale uint64 }

// cutDecimal parses the decimal at the start of s, which is digits and perhaps a point and more digits. It
// accepts no sign, exponent, NaN or underscore.
func cutDecimal(s string) (d decimal, rest string, ok bool) {
	i := 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		digit := uint64(s[i] - '0')
		if d.whole > (math.MaxUint64-digit)/10 {
			d.whole = math.MaxUint64
		} else {
			d.whole = 10*d.whole + digit
		}
	}
	if i == 0 {
		return d, s, false
	}
	d.scale = 1
	if i+1 >= len(s) || s[i] != '.' || !isDigit(s[i+1]) {
		return d, s[i:], true
	}
	up := uint64(0)
	for i++; i < len(s) && isDigit(s[i]); i++ {
		switch digit := uint64(s[i] - '0'); {
		case d.scale < 1e18:
			d.frac, d.scale = 10*d.frac+digit, 10*d.scale
		case digit > 0:
			up = 1
		}
	}
	d.frac += up
	return d, s[i:], true
}

// times returns the duration of d units, rounded up to the nanosecond and at most the longest duration.
func (d decimal) times(unit time.Duration) time.Duration {
	over, whole := bits.Mul64(d.whole, uint64(unit))
	hi, lo := bits.Mul64(d.frac, uint64(unit))
	frac, rest := bits.Div64(hi, lo, d.scale)
	if rest > 0 {
		frac++
	}
	sum, carry := bits.Add64(whole, frac, 0)
	if over > 0 || carry > 0 || sum > math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(sum)
}

// parseCount parses a decimal and drops its fraction. A number that is too large saturates.
func parseCount(s string) (n int64, ok bool) {
	d, rest, ok := cutDecimal(s)
	return int64(min(d.whole, math.MaxInt64)), ok && rest == ""
}

// Bounds that tell waits from Unix times.
const (
	maxSeconds = 1e9  // a wait of 31 years; as a Unix time, in 2001
	minMillis  = 1e11 // as milliseconds, in 1973; as seconds, in the year 5138
	maxMillis  = 1e15 // as milliseconds, in the year 33658; a larger number is the longest wait
)

// parseWait parses a number of units, a Unix time, a duration such as 6m0s, or a date. It returns the wait
// from now on, which is negative if the time has passed.
func parseWait(s string, unit time.Duration, r *reader) (d time.Duration, ok bool) {
	n, rest, ok := cutDecimal(s)
	switch {
	case !ok:
		return parseDate(s, r)
	case rest != "":
		if d, ok = parseDuration(s); ok {
			return d, true
		}
		return parseDate(s, r)
	}
	return waitOf(n, unit, r), true
}

// waitOf returns the duration of n units. If n is too large for that, it returns the wait until the Unix
// time n.
func waitOf(n decimal, unit time.Duration, r *reader) (d time.Duration) {
	switch limit := uint64(maxSeconds * (time.Second / unit)); {
	case n.whole <= limit:
		return n.times(unit)
	case n.whole > maxMillis:
		return math.MaxInt64
	case n.whole >= minMillis:
		return time.UnixMilli(int64(n.whole)).Sub(r.serverNow())
	}
	d = time.Unix(int64(n.whole), 0).Sub(r.serverNow())
	part := decimal{frac: n.frac, scale: n.scale}.times(time.Second)
	return d + min(part, math.MaxInt64-max(d, 0))
}

// parseDuration works like time.ParseDuration, but also knows days and accepts no sign. It saturates at
// the longest duration.
func parseDuration(s string) (sum time.Duration, ok bool) {
	for s != "" {
		n, rest, ok := cutDecimal(s)
		if !ok {
			return 0, false
		}
		end := 0
		for end < len(rest) && !isDigit(rest[end]) {
			end++
		}
		var unit time.Duration
		switch rest[:end] {
		case "ns":
			unit = time.Nanosecond
		case "us", "µs", "μs":
			unit = time.Microsecond
		case "ms":
			unit = time.Millisecond
		case "s":
			unit = time.Second
		case "m":
			unit = time.Minute
		case "h":
			unit = time.Hour
		case "d":
			unit = 24 * time.Hour
		default:
			return 0, false
		}
		sum += min(n.times(unit), math.MaxInt64-sum)
		s = rest[end:]
	}
	return sum, true
}

// parseDate parses a time in the form of RFC 3339, or in one of HTTP's three forms (RFC 9110, section
// 5.6.7), and returns the wait until then.
func parseDate(s string, r *reader) (d time.Duration, ok bool) {
	if len(s) < len("Sun Nov  6 08:49:37 1994") && len(s) < len("2006-01-02T15:04:05Z") {
		return 0, false // a failed time.Parse would cost more than the rest
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.Sub(r.serverNow()), true
	}
	at, err := http.ParseTime(s)
	if err != nil || strings.Contains(s, ",") && !strings.HasSuffix(s, " GMT") {
		return 0, false // the meaning of another zone would depend on this machine
	}
	return at.Sub(r.serverNow()), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
