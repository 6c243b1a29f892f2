package headers

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Observations is what one response says about its server's limits. The zero Observations is
// that of a response that says nothing.
type Observations struct {
	At          time.Time     // when: the now that was given to Parse
	RetryAfter  time.Duration // how long the server asks to wait from then on; 0: it doesn't ask
	NoRetry     bool          // the server asks not to retry
	ShouldRetry bool          // the server asks to retry, whatever the status; never with NoRetry
	DefaultWait time.Duration // what the server wants waited after a refusal that says no wait: GitHub's minute; otherwise 0
	Budgets     []Budget      // each budget that is spoken of, in the order of the package's list above
	Doubtful    []string      // fields that were not believed, or not all of it, such as "Retry-After"
}

// Budget is what is known of one of the server's budgets. A server may have several with the same Name, or
// none: a draft 7 server names none of its policies.
type Budget struct {
	Name      string        // "requests", "input-tokens", GitHub's resource, a policy's name; "" if it has none
	Partition string        // of a policy that is kept per partition: the key, as base64; otherwise ""
	Unit      string        // what is counted, if the policy says: "content-bytes", "concurrent-requests"; otherwise ""
	Limit     int64         // the most that can be had in a window; -1 if unknown
	Remaining int64         // what is left of it; -1 if unknown, never above a known Limit
	Reset     time.Time     // when it is full again, by the clock of At; may be before At; zero if unknown
	Window    time.Duration // how long it takes from empty to full; 0 if unknown
}

// maxBudgets is how many policies a field may have to be believed. Real servers have a handful;
// a megabyte of them would keep us busy.
const maxBudgets = 64

// Parse reads the header, or trailer, h of a response that came at the time now. Of the fields that say how long to
// wait, the first that is there and says more than nothing counts: Retry-After-Ms, X-Ms-Retry-After-Ms,
// X-Amz-Retry-After, Grpc-Retry-Pushback-Ms, and Retry-After, which is the coarsest. A wait
// until a time that has passed is no wait. Names of fields match in any case.
func Parse(h http.Header, now time.Time) Observations {
	r := reader{header: canonical(h), now: now}
	r.seen.At = now
	r.retry()
	r.families()
	r.ratelimit()
	r.shopify()
	return r.seen
}

// reader is a Parse in progress.
type reader struct {
	header http.Header
	now    time.Time
	server time.Time // the present time by the server's clock; zero until it is needed
	seen   Observations
	drafts int    // the first of seen.Budgets that the IETF's fields told of
	early  []item // policies in RateLimit-Limit
}

// retry reads what is said about the next attempt.
func (r *reader) retry() {
	milliseconds := [...]string{"Retry-After-Ms", "X-Ms-Retry-After-Ms", "X-Amz-Retry-After"}
	for _, field := range milliseconds {
		r.asked(r.until(field, time.Millisecond))
	}
	r.pushback()
	r.asked(r.until("Retry-After", time.Second))
	for _, v := range r.header["X-Should-Retry"] {
		switch v = trim(v); {
		case strings.EqualFold(v, "false"):
			r.seen.NoRetry = true
		case strings.EqualFold(v, "true"):
			r.seen.ShouldRetry = true
		case v != "":
			r.doubt("X-Should-Retry")
		}
	}
	r.seen.ShouldRetry = r.seen.ShouldRetry && !r.seen.NoRetry
	if r.header["X-Github-Request-Id"] != nil || r.header["X-Ratelimit-Resource"] != nil {
		r.seen.DefaultWait = time.Minute
	}
}

func (r *reader) asked(wait time.Duration, said bool) {
	if said && r.seen.RetryAfter == 0 {
		r.seen.RetryAfter = max(wait, 0)
	}
}

// pushback reads gRPC's own field as gRPC does (proposal A6): what is negative, malformed or there more than
// once means not to retry.
func (r *reader) pushback() {
	const field = "Grpc-Retry-Pushback-Ms"
	values := r.header[field]
	if len(values) == 0 {
		return
	}
	ms, err := strconv.ParseInt(trim(values[0]), 10, 64)
	if err != nil || len(values) > 1 {
		r.doubt(field)
	}
	if err != nil || len(values) > 1 || ms < 0 {
		r.seen.NoRetry = true
		return
	}
	r.asked(decimal{whole: uint64(ms), over: 1}.times(time.Millisecond), true)
}

// family is a set of fields that tell of one budget.
type family struct {
	name, limit, remaining, reset string
	used, named                   string // "" where there is no such field
}

// theFamilies are spelled as net/http spells them.
var theFamilies = [...]family{
	{name: "requests", limit: "X-Ratelimit-Limit-Requests", remaining: "X-Ratelimit-Remaining-Requests", reset: "X-Ratelimit-Reset-Requests"},
	{name: "tokens", limit: "X-Ratelimit-Limit-Tokens", remaining: "X-Ratelimit-Remaining-Tokens", reset: "X-Ratelimit-Reset-Tokens"},
	{name: "requests", limit: "Anthropic-Ratelimit-Requests-Limit", remaining: "Anthropic-Ratelimit-Requests-Remaining", reset: "Anthropic-Ratelimit-Requests-Reset"},
	{name: "tokens", limit: "Anthropic-Ratelimit-Tokens-Limit", remaining: "Anthropic-Ratelimit-Tokens-Remaining", reset: "Anthropic-Ratelimit-Tokens-Reset"},
	{name: "input-tokens", limit: "Anthropic-Ratelimit-Input-Tokens-Limit", remaining: "Anthropic-Ratelimit-Input-Tokens-Remaining", reset: "Anthropic-Ratelimit-Input-Tokens-Reset"},
	{name: "output-tokens", limit: "Anthropic-Ratelimit-Output-Tokens-Limit", remaining: "Anthropic-Ratelimit-Output-Tokens-Remaining", reset: "Anthropic-Ratelimit-Output-Tokens-Reset"},
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Reset", used: "X-Ratelimit-Used", named: "X-Ratelimit-Resource"},
	{limit: "Ratelimit-Limit", remaining: "Ratelimit-Remaining", reset: "Ratelimit-Reset", used: "Ratelimit-Observed", named: "Ratelimit-Name"},
}

func (r *reader) families() {
	for i := range theFamilies {
		f := &theFamilies[i]
		b := Budget{Name: f.name, Limit: -1, Remaining: r.count(f.remaining)}
		if f.limit == "Ratelimit-Limit" {
			r.drafts = len(r.seen.Budgets)
			b.Limit = r.expiringLimit()
		} else {
			b.Limit = r.count(f.limit)
		}
		if until, said := r.until(f.reset, time.Second); said {
			b.Reset = r.now.Add(until)
		}
		if b.Limit < 0 && b.Remaining < 0 && b.Reset.IsZero() {
			continue
		}
		if f.named != "" {
			b.Name = r.text(f.named)
			if used := r.count(f.used); used >= 0 && b.Limit >= 0 {
				b.Remaining = least(b.Remaining, max(b.Limit-used, 0))
			}
		}
		r.add(b, f.remaining)
	}
}

// shopify reads "2/80": two of eighty are used.
func (r *reader) shopify() {
	const field = "X-Shopify-Shop-Api-Call-Limit"
	for _, v := range r.header[field] {
		used, limit, _ := strings.Cut(trim(v), "/")
		n, ok := whole(used)
		m, also := whole(limit)
		if !ok || !also {
			r.doubt(field)
			continue
		}
		if n > m {
			r.doubt(field)
		}
		r.add(Budget{Limit: m, Remaining: max(m-n, 0)}, field)
		return // one shop, one bucket
	}
}

// add takes a budget down. What it says to have left comes from a field, which is doubted
// if that is more than there can be.
func (r *reader) add(b Budget, field string) {
	if b.Limit >= 0 && b.Remaining > b.Limit {
		b.Remaining = b.Limit
		r.doubt(field)
	}
	if r.seen.Budgets == nil {
		r.seen.Budgets = make([]Budget, 0, 4)
	}
	r.seen.Budgets = append(r.seen.Budgets, b)
}

func (r *reader) doubt(field string) {
	if !slices.Contains(r.seen.Doubtful, field) {
		r.seen.Doubtful = append(r.seen.Doubtful, field)
	}
}

// text is the first value of a field.
func (r *reader) text(field string) string {
	if values := r.header[field]; len(values) > 0 {
		return trim(values[0])
	}
	return ""
}

// count reads how much: the least that the field says, -1 if it doesn't say. Azure says -1
// itself where it doesn't know.
func (r *reader) count(field string) int64 {
	n := int64(-1)
	for _, line := range r.header[field] {
		for more := line != ""; more; {
			var part string
			part, line, more = strings.Cut(line, ",")
			part = trim(part)
			m, ok := whole(part)
			switch {
			case part == "" || part == "-1":
			case !ok:
				r.doubt(field)
			default:
				n = least(n, m)
			}
		}
	}
	return n
}

// least is the smaller of two counts, of which the first may be unknown.
func least(a, b int64) int64 {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// until reads how long from now: the longest that the field says. It is negative for
// a time that has passed.
func (r *reader) until(field string, unit time.Duration) (longest time.Duration, said bool) {
	longest = math.MinInt64
	for _, line := range r.header[field] {
		if line = trim(line); line == "" || line == "-1" { // Azure: unknown
			continue
		}
		d, ok := until(line, unit, r)
		if !ok {
			d, ok = untilAll(line, unit, r)
		}
		if ok {
			longest, said = max(longest, d), true
		} else {
			r.doubt(field)
		}
	}
	return longest, said
}

// untilAll reads several lines of which a proxy made one. No date has two parts that are times by themselves.
func untilAll(line string, unit time.Duration, r *reader) (longest time.Duration, ok bool) {
	longest = math.MinInt64
	for part := range strings.SplitSeq(line, ",") {
		d, ok := until(trim(part), unit, r)
		if !ok {
			return 0, false
		}
		longest = max(longest, d)
	}
	return longest, true
}

// canonical is h itself if its names are spelled as net/http spells them. A map made by hand, or by another
// library, may not be; then it is copied, in an order that is always the same.
func canonical(h http.Header) http.Header {
	for name := range h {
		if !isCanonical(name) {
			names := make([]string, 0, len(h))
			for name := range h {
				names = append(names, name)
			}
			slices.Sort(names)
			c := make(http.Header, len(h))
			for _, name := range names {
				key := http.CanonicalHeaderKey(name)
				c[key] = append(c[key], h[name]...)
			}
			return c
		}
	}
	return h
}

// isCanonical says whether each word of a name starts with a capital and has no other.
func isCanonical(name string) bool {
	start := true
	for i := range len(name) {
		c := name[i]
		if start && 'a' <= c && c <= 'z' || !start && 'A' <= c && c <= 'Z' {
			return false
		}
		start = c == '-'
	}
	return true
}

func trim(s string) string { return strings.Trim(s, " \t") }
