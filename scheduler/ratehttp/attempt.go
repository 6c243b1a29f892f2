package ratehttp

import (
	"net/http"
	"net/url"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// Attempt is an attempt that has ended. [Transport.Classify] and [Transport.Repeatable] decide by it. Tests may build one by hand.
type Attempt struct {
	Request  *http.Request  // the request given to the Transport; its body is used up
	Response *http.Response // nil if there was no response
	Err      error          // why there was no response; nil if there was one

	x *exchange // nil if the attempt was built by hand
}

// Verdict returns the verdict of a nil [Transport.Classify]. For a response this is [headers.Observations.Verdict], for an error
// [retry.Network]. If the server says which budget is used up, Verdict.Budget names it. If several are, it names the one that is
// full again last.
//
// Points in time are compared with the scheduler's clock. An attempt that was built by hand uses [clock.System] and no budgets.
func (a Attempt) Verdict() retry.Verdict {
	if a.Response == nil {
		return retry.Network(&url.Error{Err: a.Err}) // inside a url.Error, as from a client, an EOF is a lost connection
	}
	return a.judge(a.observations())
}

func (a Attempt) observations() headers.Observations {
	return headers.Parse(a.Response.Header, a.now())
}

func (a Attempt) now() time.Time {
	if a.x == nil {
		return clock.System().Now()
	}
	return a.x.s.Now()
}

func (a Attempt) judge(seen headers.Observations) retry.Verdict {
	v := seen.Verdict(a.Response.StatusCode)
	if a.x != nil && v.Kind == retry.KindRateLimited {
		v.Budget = a.x.usedUp(seen)
	}
	return v
}

// usedUp returns the scheduler's budget that is empty according to the server, or "" if there is none. Of several it returns the one
// that is full again last.
func (x *exchange) usedUp(seen headers.Observations) (name string) {
	var last time.Time
	for i := range seen.Budgets {
		b := &seen.Budgets[i]
		if b.Remaining != 0 || !ofRequests(b) {
			continue
		}
		if ours, ok := x.t.budget(x.s, x.key, b.Name); ok && (name == "" || b.Reset.After(last)) {
			name, last = ours, b.Reset
		}
	}
	return name
}
