package headers

import (
	"net/http"
	"strings"
	"time"
)

// maxSkew is the most that a server's clock may differ from ours. If the difference is larger, the Date
// is ignored, because the server's clock was never set or ours is a test's.
const maxSkew = 24 * time.Hour

// serverNow returns the current time by the server's clock. It parses Date on first use, because few
// responses need it.
func (r *reader) serverNow() time.Time {
	if r.server.IsZero() {
		r.server = r.now
		if at, ok := r.responseTime(); ok {
			r.server = at
		}
	}
	return r.server
}

// responseTime returns the time at which the response was made, plus its age in caches.
func (r *reader) responseTime() (at time.Time, ok bool) {
	const field = "Date"
	text := r.first(field)
	if text == "" {
		return at, false
	}
	at, err := http.ParseTime(text)
	if err != nil || strings.Contains(text, ",") && !strings.HasSuffix(text, " GMT") {
		r.doubt(field)
		return at, false
	}
	if age := r.first("Age"); age != "" {
		n, rest, whole := cutDecimal(age)
		if whole && rest == "" {
			at = at.Add(n.times(time.Second))
		} else {
			r.doubt("Age")
		}
	}
	if at.Sub(r.now).Abs() > maxSkew {
		r.doubt(field)
		return at, false
	}
	return at, true
}
