package headers

import (
	"net/http"
	"strings"
	"time"
)

// mostSkew is the most that a server's clock may differ from ours. Beyond it the Date is ignored, since the server's clock was never set
// or ours is a test's.
const mostSkew = 24 * time.Hour

// theirs returns the present time by the server's clock, with which the server's points in time are compared. It parses Date on first
// use, since few responses need it.
func (r *reader) theirs() time.Time {
	if r.server.IsZero() {
		r.server = r.now
		if at, ok := r.dated(); ok {
			r.server = at
		}
	}
	return r.server
}

// dated returns when the response was made, plus the time for which caches have kept it.
func (r *reader) dated() (at time.Time, ok bool) {
	const field = "Date"
	text := r.text(field)
	if text == "" {
		return at, false
	}
	at, err := http.ParseTime(text)
	if err != nil || strings.Contains(text, ",") && !strings.HasSuffix(text, " GMT") {
		r.doubt(field)
		return at, false
	}
	if age := r.text("Age"); age != "" {
		n, rest, whole := leading(age)
		if whole && rest == "" {
			at = at.Add(n.times(time.Second))
		} else {
			r.doubt("Age")
		}
	}
	if at.Sub(r.now).Abs() > mostSkew {
		r.doubt(field)
		return at, false
	}
	return at, true
}
