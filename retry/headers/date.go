package headers

import (
	"net/http"
	"strings"
	"time"
)

// mostSkew is how far our clock and a server's may be apart. A Date beyond that is no clock's: it was never set, or our time is a test's.
const mostSkew = 24 * time.Hour

// theirs returns now by the server's clock, to compare its points in time with. It reads Date when it is first asked, which few responses
// need.
func (r *reader) theirs() time.Time {
	if r.server.IsZero() {
		r.server = r.now
		if at, ok := r.dated(); ok {
			r.server = at
		}
	}
	return r.server
}

// dated reads when the response was made, and adds the time that caches have kept it.
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
