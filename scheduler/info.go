package scheduler

import (
	"context"
	"time"
)

// Info describes an attempt of a call: see [CallInfo].
type Info struct {
	Call    uint64    // the call's number, as in events
	Name    string    // the call's [Name]
	Key     string    // the call's [Key]
	Attempt int       // the number of the attempt, from 1
	Cost    int64     // tokens that the attempt paid, as in events; [Settle] does not change it
	Granted time.Time // when it was granted; zero if a Do did not wait for its first attempt and no clock was read
}

// CallInfo describes the running attempt whose function was given ctx or a context that ctx is derived
// from. It is for log lines and headers, and for functions that do something else at a later attempt. It
// may be called from any goroutine.
//
// It works in calls of [Scheduler.Submit] and [Stream], and of [Scheduler.Do] with [Cost] or [CostOf]. A
// Cost(1) will do. The function of any other Do has the context of Do's caller. There CallInfo describes
// the call around that Do, if there is one. If calls are nested, also in calls of other schedulers,
// CallInfo describes the innermost.
//
// It reports false for the context of no call, and once the function has returned.
func CallInfo(ctx context.Context) (Info, bool) {
	if ctx == nil {
		return Info{}, false
	}
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return Info{}, false
	}
	a.mu.Lock() // so the call is not used for another meanwhile
	defer a.mu.Unlock()
	if a.done {
		return Info{}, false
	}
	return a.info(), true
}

// info describes the attempt, which runs. It reads only what the owner does not change meanwhile.
func (a *attempt) info() Info {
	c := a.call
	info := Info{Name: c.Options().Name, Key: c.Key(), Attempt: a.number, Cost: c.Cost}
	r, origin := c.runner, a.s.origin
	if r == nil || r.permit.number == 0 {
		info.Call, info.Granted = c.ID, origin.Add(c.Granted())
		return info
	}
	info.Call = r.permit.number // the owner may not know the call yet
	switch {
	case a.number > 1:
		info.Granted = origin.Add(c.Granted())
	case r.began != 0:
		info.Granted = origin.Add(r.began)
	}
	return info
}
