package headers

import (
	"math"
	"strings"
	"time"
)

// This file parses the structured fields of the IETF's draft-ietf-httpapi-ratelimit-headers. The drafts
// differ:
//
//	up to 5:  RateLimit-Limit: 2, 2;w=60                     with RateLimit-Remaining and RateLimit-Reset
//	6:        RateLimit-Limit: 2                             with those, and RateLimit-Policy: 2;w=60
//	7:        RateLimit: limit=2, remaining=1, reset=60      with RateLimit-Policy: 2;w=60
//	8 to 11:  RateLimit: "p";r=1;t=60                        with RateLimit-Policy: "p";q=2;w=60
//
// A field is malformed if a required value is missing, negative or of the wrong type.

// limitField parses RateLimit-Limit. It keeps the policies that early drafts have in it for ratelimit.
func (r *reader) limitField() int64 {
	const field = "Ratelimit-Limit"
	text := r.joined(field)
	if !strings.ContainsAny(text, ";,") {
		return r.count(field)
	}
	items, ok := parseList(text)
	limit, policy := int64(-1), int64(-1)
	for i := range items {
		it := &items[i]
		if !it.isCount() || it.params.w.kind != absent && !it.params.w.isCount() {
			ok = false
			break
		}
		if it.params.w.kind == absent {
			limit = minKnown(limit, it.n)
		} else {
			policy = minKnown(policy, it.n)
		}
	}
	if !ok {
		r.doubt(field)
		return -1
	}
	r.policyItems = items
	if limit < 0 {
		limit = policy
	}
	return limit
}

// ratelimit parses RateLimit and RateLimit-Policy. It runs after limitField, because a policy may give the
// window of that budget.
func (r *reader) ratelimit() {
	if text := r.joined("Ratelimit"); text != "" {
		ok := false
		if strings.HasPrefix(text, `"`) {
			ok = r.draft8(text)
		} else {
			ok = r.draft7(text)
		}
		if !ok {
			r.doubt("Ratelimit")
		}
	}
	if text := r.joined("Ratelimit-Policy"); text != "" && !r.policies(text) {
		r.doubt("Ratelimit-Policy")
	}
	for i := range r.policyItems {
		if it := &r.policyItems[i]; it.params.w.kind == integer {
			r.addPolicy(Budget{Limit: it.n, Window: it.params.w.seconds()}, true)
		}
	}
}

// draft7 parses draft 7's RateLimit, which has the one limit that will be reached first.
func (r *reader) draft7(text string) bool {
	f, ok := parseDictionary(text)
	if !ok || !f.limit.isCount() || !f.reset.isCount() || f.remaining.kind != absent && !f.remaining.isCount() {
		return false
	}
	b := Budget{Limit: f.limit.n, Remaining: -1, Reset: r.resetTime(f.reset)}
	if f.remaining.kind == integer {
		b.Remaining = f.remaining.n
	}
	r.add(b, "Ratelimit")
	return true
}

// draft8 parses draft 8's RateLimit, which has the remaining quota of each policy.
func (r *reader) draft8(text string) bool {
	items, ok := parseList(text)
	for i := range items {
		it, p := &items[i], &items[i].params
		ok = ok && it.kind == str && p.r.isCount() && (p.t.kind == absent || p.t.isCount()) && p.hasValidPartition()
	}
	if !ok {
		return false
	}
	for i := range items {
		it, p := &items[i], &items[i].params
		b := Budget{Name: it.text, Partition: p.pk.text, Limit: -1, Remaining: p.r.n}
		if p.t.kind == integer {
			b.Reset = r.resetTime(p.t)
		}
		r.add(b, "Ratelimit")
	}
	return true
}

// policies parses RateLimit-Policy, which identifies policies by number up to draft 7 and by name from
// draft 8 on.
func (r *reader) policies(text string) bool {
	items, ok := parseList(text)
	for i := range items {
		it, p := &items[i], &items[i].params
		ok = ok && it.kind == items[0].kind && (p.w.kind == absent || p.w.isCount())
		switch it.kind {
		case str:
			ok = ok && p.q.isCount() && (p.qu.kind == absent || p.qu.kind == str) && p.hasValidPartition()
		case integer:
			ok = ok && it.isCount() && p.w.kind == integer && !hasNumber(items[:i], it.n)
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
			r.addPolicy(Budget{Limit: it.n, Window: p.w.seconds()}, true)
		} else {
			r.addPolicy(Budget{Name: it.text, Partition: p.pk.text, Unit: p.qu.text, Limit: p.q.n, Window: p.w.seconds()}, false)
		}
	}
	return true
}

// hasNumber reports whether items has the number n. Draft 7 forbids two policies with the same number,
// because RateLimit refers to them by it.
func hasNumber(items []item, n int64) bool {
	for i := range items {
		if items[i].n == n {
			return true
		}
	}
	return false
}

// addPolicy adds the data of a policy to its budget. If the response has no such budget, addPolicy adds
// one with unknown Remaining.
func (r *reader) addPolicy(p Budget, byNumber bool) {
	for i := r.firstDraft; i < len(r.seen.Budgets); i++ {
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

// joined returns the lines of a list field as one (RFC 9651, section 4.2).
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

// resetTime returns the time that is v seconds from now, or the Unix time v.
func (r *reader) resetTime(v bare) time.Time {
	return r.now.Add(waitOf(decimal{whole: uint64(v.n), scale: 1}, time.Second, r))
}

// isCount reports whether v is an integer that is not negative.
func (v *bare) isCount() bool { return v.kind == integer && v.n >= 0 }

func (v *bare) seconds() time.Duration {
	if v.n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(v.n) * time.Second
}

// hasValidPartition reports whether the partition key is absent or of the right type.
func (f *fields) hasValidPartition() bool { return f.pk.kind == absent || f.pk.kind == binary }
