package headers

import (
	"math"
	"math/bits"
	"net/http"
	"strings"
	"time"
)

// decimal is a number with a fraction: whole + part/over. A whole number that is too big stays at the
// biggest; a fraction has at most eighteen digits, rounded up, so that no wait is undercut.
type decimal struct{ whole, part, over uint64 }

// leading reads the decimal at the start of s: digits, and perhaps a point and more
// digits. Nothing else, such as signs, exponents, NaN or underscores, is how a server counts.
func leading(s string) (d decimal, rest string, ok bool) {
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
	d.over = 1
	if i+1 >= len(s) || s[i] != '.' || !isDigit(s[i+1]) {
		return d, s[i:], true
	}
	up := uint64(0)
	for i++; i < len(s) && isDigit(s[i]); i++ {
		switch digit := uint64(s[i] - '0'); {
		case d.over < 1e18:
			d.part, d.over = 10*d.part+digit, 10*d.over
		case digit > 0:
			up = 1
		}
	}
	d.part += up
	return d, s[i:], true
}

// times is how long d units are, rounded up to the nanosecond and at most the longest duration.
func (d decimal) times(unit time.Duration) time.Duration {
	over, whole := bits.Mul64(d.whole, uint64(unit))
	hi, lo := bits.Mul64(d.part, uint64(unit))
	part, left := bits.Div64(hi, lo, d.over)
	if left > 0 {
		part++
	}
	sum, carry := bits.Add64(whole, part, 0)
	if over > 0 || carry > 0 || sum > math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(sum)
}

// whole reads a count: a decimal, without its fraction. One that is too big stays at the biggest.
func whole(s string) (n int64, ok bool) {
	d, rest, ok := leading(s)
	return int64(min(d.whole, math.MaxInt64)), ok && rest == ""
}

// The numbers that no server can mean as a wait: they are a time since 1970.
const (
	longestSeconds = 1e9  // is 31 years; as a Unix time it was in 2001
	earliestMillis = 1e11 // is in 1973; as seconds it would be in the year 5138
	latestMillis   = 1e15 // is in the year 33658, and so is saturation
)

// until returns how long it is from now to the moment in s: a number of units, or a Unix time if it is too big for that; a
// duration such as 6m0s; a date. It is negative if the moment has passed.
func until(s string, unit time.Duration, r *reader) (d time.Duration, ok bool) {
	n, rest, ok := leading(s)
	switch {
	case !ok:
		return date(s, r)
	case rest != "":
		if d, ok = duration(s); ok {
			return d, true
		}
		return date(s, r)
	}
	return after(n, unit, r), true
}

// after returns how long n units are, or, if n is too big for that, how long it is from now to the
// Unix time n.
func after(n decimal, unit time.Duration, r *reader) (d time.Duration) {
	switch limit := uint64(longestSeconds * (time.Second / unit)); {
	case n.whole <= limit:
		return n.times(unit)
	case n.whole > latestMillis:
		return math.MaxInt64
	case n.whole >= earliestMillis:
		return time.UnixMilli(int64(n.whole)).Sub(r.theirs())
	}
	d = time.Unix(int64(n.whole), 0).Sub(r.theirs())
	part := decimal{part: n.part, over: n.over}.times(time.Second)
	return d + min(part, math.MaxInt64-max(d, 0))
}

// duration reads what Go's time.Duration prints, with days for those who have them. Unlike
// time.ParseDuration it has no signs, and stays at the longest duration where that would fail.
func duration(s string) (sum time.Duration, ok bool) {
	for s != "" {
		n, rest, ok := leading(s)
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

// date reads RFC 3339 and the three forms of HTTP (RFC 9110, section 5.6.7).
func date(s string, r *reader) (d time.Duration, ok bool) {
	if len(s) < len("Sun Nov  6 08:49:37 1994") && len(s) < len("2006-01-02T15:04:05Z") {
		return 0, false // parsing in vain costs more than all the rest
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.Sub(r.theirs()), true
	}
	at, err := http.ParseTime(s)
	if err != nil || strings.Contains(s, ",") && !strings.HasSuffix(s, " GMT") {
		return 0, false // other zones are read by the machine's own names of them
	}
	return at.Sub(r.theirs()), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
