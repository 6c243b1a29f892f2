package headers

import (
	"math"
	"strings"
	"time"
)

// This is what the IETF's draft-ietf-httpapi-ratelimit-headers means by its structured fields. It changed:
//
//	up to 5:  RateLimit-Limit: 2, 2;w=60                     with RateLimit-Remaining and RateLimit-Reset
//	6:        RateLimit-Limit: 2                             with those, and RateLimit-Policy: 2;w=60
//	7:        RateLimit: limit=2, remaining=1, reset=60      with RateLimit-Policy: 2;w=60
//	8 to 11:  RateLimit: "p";r=1;t=60                        with RateLimit-Policy: "p";q=2;w=60
//
// What a draft requires has to be there, of the right type and not negative; otherwise the field is malformed.

// expiringLimit reads RateLimit-Limit. The policies that early drafts have in it are kept for later.
func (r *reader) expiringLimit() int64 {
	const field = "Ratelimit-Limit"
	text := r.joined(field)
	if !strings.ContainsAny(text, ";,") {
		return r.count(field)
	}
	items, ok := list(text)
	limit, policy := int64(-1), int64(-1)
	for i := range items {
		it := &items[i]
		if !it.natural() || it.params.w.kind != absent && !it.params.w.natural() {
			ok = false
			break
		}
		if it.params.w.kind == absent {
			limit = least(limit, it.n)
		} else {
			policy = least(policy, it.n)
		}
	}
	if !ok {
		r.doubt(field)
		return -1
	}
	r.early = items
	if limit < 0 {
		limit = policy
	}
	return limit
}

// ratelimit reads RateLimit and RateLimit-Policy. It comes after the budget of RateLimit-Limit, whose
// window is a policy's, too.
func (r *reader) ratelimit() {
	if text := r.joined("Ratelimit"); text != "" {
		ok := false
		if strings.HasPrefix(text, `"`) {
			ok = r.serviceLimits(text)
		} else {
			ok = r.expiring(text)
		}
		if !ok {
			r.doubt("Ratelimit")
		}
	}
	if text := r.joined("Ratelimit-Policy"); text != "" && !r.policies(text) {
		r.doubt("Ratelimit-Policy")
	}
	for i := range r.early {
		if it := &r.early[i]; it.params.w.kind == integer {
			r.policy(Budget{Limit: it.n, Window: it.params.w.seconds()}, true)
		}
	}
}

// expiring reads draft 7's RateLimit: the one limit that is closest to its end.
func (r *reader) expiring(text string) bool {
	f, ok := dictionary(text)
	if !ok || !f.limit.natural() || !f.reset.natural() || f.remaining.kind != absent && !f.remaining.natural() {
		return false
	}
	b := Budget{Limit: f.limit.n, Remaining: -1, Reset: r.later(f.reset)}
	if f.remaining.kind == integer {
		b.Remaining = f.remaining.n
	}
	r.add(b, "Ratelimit")
	return true
}

// serviceLimits reads draft 8's RateLimit: what is left of each policy.
func (r *reader) serviceLimits(text string) bool {
	items, ok := list(text)
	for i := range items {
		it, p := &items[i], &items[i].params
		ok = ok && it.kind == str && p.r.natural() && (p.t.kind == absent || p.t.natural()) && p.partition()
	}
	if !ok {
		return false
	}
	for i := range items {
		it, p := &items[i], &items[i].params
		b := Budget{Name: it.text, Partition: p.pk.text, Limit: -1, Remaining: p.r.n}
		if p.t.kind == integer {
			b.Reset = r.later(p.t)
		}
		r.add(b, "Ratelimit")
	}
	return true
}

// policies reads RateLimit-Policy: numbers up to draft 7, names from draft 8 on.
func (r *reader) policies(text string) bool {
	items, ok := list(text)
	for i := range items {
		it, p := &items[i], &items[i].params
		ok = ok && it.kind == items[0].kind && (p.w.kind == absent || p.w.natural())
		switch it.kind {
		case str:
			ok = ok && p.q.natural() && (p.qu.kind == absent || p.qu.kind == str) && p.partition()
		case integer:
			ok = ok && it.natural() && p.w.kind == integer && !hasNumber(items[:i], it.n)
		default:
			ok = false
		}
	}
	if !ok {
		return false
	}
	for i := range items {
		it, p := &items[i], &items[i].params
		if it.kind == integer {
			r.policy(Budget{Limit: it.n, Window: p.w.seconds()}, true)
		} else {
			r.policy(Budget{Name: it.text, Partition: p.pk.text, Unit: p.qu.text, Limit: p.q.n, Window: p.w.seconds()}, false)
		}
	}
	return true
}

// hasNumber finds two policies of one number, which draft 7 forbids: nobody could tell which one RateLimit means.
func hasNumber(items []item, n int64) bool {
	for i := range items {
		if items[i].n == n {
			return true
		}
	}
	return false
}

// policy tells the budget that it is of what it says. If nothing was said of that one, it is a
// budget of its own, of which it is unknown what remains.
func (r *reader) policy(p Budget, byNumber bool) {
	for i := r.drafts; i < len(r.seen.Budgets); i++ {
		b := &r.seen.Budgets[i]
		switch {
		case byNumber && b.Limit == p.Limit && (b.Window == 0 || b.Window == p.Window):
			b.Window = p.Window
			return
		case !byNumber && b.Limit < 0 && b.Name == p.Name && (b.Partition == p.Partition || b.Partition == "" || p.Partition == ""):
			b.Limit, b.Window, b.Unit = p.Limit, p.Window, p.Unit
			if b.Remaining > b.Limit {
				b.Remaining = b.Limit
				r.doubt("Ratelimit")
			}
			return
		}
	}
	p.Remaining = -1
	r.add(p, "Ratelimit-Policy")
}

// joined is a list's field as one line (RFC 9651, section 4.2).
func (r *reader) joined(field string) string {
	switch lines := r.header[field]; len(lines) {
	case 0:
		return ""
	case 1:
		return trim(lines[0])
	default:
		return trim(strings.Join(lines, ", "))
	}
}

// later is that many seconds from now, or a Unix time.
func (r *reader) later(v bare) time.Time {
	return r.now.Add(after(decimal{whole: uint64(v.n), over: 1}, time.Second, r))
}

// natural says whether v is there and is what a draft calls a non-negative Integer.
func (v *bare) natural() bool { return v.kind == integer && v.n >= 0 }

func (v *bare) seconds() time.Duration {
	if v.n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(v.n) * time.Second
}

// partition says whether the key, if there is one, is a key.
func (f *fields) partition() bool { return f.pk.kind == absent || f.pk.kind == binary }
