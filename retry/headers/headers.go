package headers

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Observations holds what one response says about its server's limits. The zero Observations is that of
// a response that says nothing.
type Observations struct {
	At          time.Time     // the now that was given to Parse
	RetryAfter  time.Duration // the wait that the server asks for, counted from At; 0 if it asks for none
	NoRetry     bool          // the server asks not to retry
	ShouldRetry bool          // the server asks to retry, whatever the status; never with NoRetry
	DefaultWait time.Duration // the wait after a refusal that asks for no wait, such as GitHub's minute; otherwise 0
	Budgets     []Budget      // the budgets in the response, in the order of the package's list of servers
	Doubtful    []string      // fields that were ignored at least in part, such as "Retry-After"
}

// Budget is one of the server's budgets. Several may have the same Name or none. For example, a draft 7
// server does not name its policies.
type Budget struct {
	Name      string        // "requests", "input-tokens", GitHub's resource or a policy's name; "" if it has none
	Partition string        // the partition key of the policy, as base64; "" if it has none
	Unit      string        // the unit of the policy, such as "content-bytes" or "concurrent-requests"; "" if not given
	Limit     int64         // the most that a window allows; -1 if unknown
	Remaining int64         // the part of Limit that remains; -1 if unknown, never above a known Limit
	Reset     time.Time     // when it is full again, by the clock of At; may be before At; zero if unknown
	Window    time.Duration // the time from empty to full; 0 if unknown
}

// maxBudgets is the most policies that a field may have. Real servers have a handful, and a megabyte of
// them would take long to process.
const maxBudgets = 64

// Parse parses the header or trailer h of a response that arrived at now. Of the fields that ask to wait,
// the first with a wait above zero counts, in this order: Retry-After-Ms, X-Ms-Retry-After-Ms,
// X-Amz-Retry-After, Grpc-Retry-Pushback-Ms and Retry-After. A wait until a time that has passed is no
// wait. Field names match in any case.
func Parse(h http.Header, now time.Time) Observations {
	r := reader{header: canonical(h), now: now}
	r.seen.At = now
	r.retry()
	r.budgets()
	r.ratelimit()
	r.shopify()
	return r.seen
}

// reader is the state of a Parse.
type reader struct {
	header      http.Header
	now         time.Time
	server      time.Time // now by the server's clock; zero until it is needed
	seen        Observations
	firstDraft  int    // the index of the first of seen.Budgets that is from an IETF field
	policyItems []item // the policies in RateLimit-Limit
}

// retry parses the fields about the next attempt.
func (r *reader) retry() {
	milliseconds := [...]string{"Retry-After-Ms", "X-Ms-Retry-After-Ms", "X-Amz-Retry-After"}
	for _, field := range milliseconds {
		r.setRetryAfter(r.wait(field, time.Millisecond))
	}
	r.pushback()
	r.setRetryAfter(r.wait("Retry-After", time.Second))
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

func (r *reader) setRetryAfter(wait time.Duration, ok bool) {
	if ok && r.seen.RetryAfter == 0 {
		r.seen.RetryAfter = max(wait, 0)
	}
}

// pushback parses gRPC's field as gRPC does (proposal A6). If it is negative, malformed or occurs more
// than once, the call must not be retried.
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
	r.setRetryAfter(decimal{whole: uint64(ms), scale: 1}.times(time.Millisecond), true)
}

// family is a set of fields about one budget.
type family struct {
	name, limit, remaining, reset string
	used, named                   string // "" if there is no such field
}

// families has the names as net/http spells them.
var families = [...]family{
	{name: "requests", limit: "X-Ratelimit-Limit-Requests", remaining: "X-Ratelimit-Remaining-Requests", reset: "X-Ratelimit-Reset-Requests"},
	{name: "tokens", limit: "X-Ratelimit-Limit-Tokens", remaining: "X-Ratelimit-Remaining-Tokens", reset: "X-Ratelimit-Reset-Tokens"},
	{name: "requests", limit: "Anthropic-Ratelimit-Requests-Limit", remaining: "Anthropic-Ratelimit-Requests-Remaining", reset: "Anthropic-Ratelimit-Requests-Reset"},
	{name: "tokens", limit: "Anthropic-Ratelimit-Tokens-Limit", remaining: "Anthropic-Ratelimit-Tokens-Remaining", reset: "Anthropic-Ratelimit-Tokens-Reset"},
	{name: "input-tokens", limit: "Anthropic-Ratelimit-Input-Tokens-Limit", remaining: "Anthropic-Ratelimit-Input-Tokens-Remaining", reset: "Anthropic-Ratelimit-Input-Tokens-Reset"},
	{name: "output-tokens", limit: "Anthropic-Ratelimit-Output-Tokens-Limit", remaining: "Anthropic-Ratelimit-Output-Tokens-Remaining", reset: "Anthropic-Ratelimit-Output-Tokens-Reset"},
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Reset", used: "X-Ratelimit-Used", named: "X-Ratelimit-Resource"},
	{limit: "Ratelimit-Limit", remaining: "Ratelimit-Remaining", reset: "Ratelimit-Reset", used: "Ratelimit-Observed", named: "Ratelimit-Name"},
}

func (r *reader) budgets() {
	for i := range families {
		f := &families[i]
		b := Budget{Name: f.name, Limit: -1, Remaining: r.count(f.remaining)}
		if f.limit == "Ratelimit-Limit" {
			r.firstDraft = len(r.seen.Budgets)
			b.Limit = r.limitField()
		} else {
			b.Limit = r.count(f.limit)
		}
		if wait, ok := r.wait(f.reset, time.Second); ok {
			b.Reset = r.now.Add(wait)
		}
		if b.Limit < 0 && b.Remaining < 0 && b.Reset.IsZero() {
			continue
		}
		if f.named != "" {
			b.Name = r.first(f.named)
			if used := r.count(f.used); used >= 0 && b.Limit >= 0 {
				b.Remaining = minKnown(b.Remaining, max(b.Limit-used, 0))
			}
		}
		r.add(b, f.remaining)
	}
}

// shopify parses a field such as "2/80", which means that 2 of 80 are used.
func (r *reader) shopify() {
	const field = "X-Shopify-Shop-Api-Call-Limit"
	for _, v := range r.header[field] {
		used, limit, _ := strings.Cut(trim(v), "/")
		n, ok := parseCount(used)
		m, ok2 := parseCount(limit)
		if !ok || !ok2 {
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

// add adds a budget. Its Remaining comes from the given field, which is doubtful if that is above the
// limit.
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

// first returns the first value of a field.
func (r *reader) first(field string) string {
	if values := r.header[field]; len(values) > 0 {
		return trim(values[0])
	}
	return ""
}

// count returns the smallest count in a field, or -1 if it has none. Azure sends -1 for unknown.
func (r *reader) count(field string) int64 {
	n := int64(-1)
	for _, line := range r.header[field] {
		for more := line != ""; more; {
			var part string
			part, line, more = strings.Cut(line, ",")
			part = trim(part)
			m, ok := parseCount(part)
			switch {
			case part == "" || part == "-1":
			case !ok:
				r.doubt(field)
			default:
				n = minKnown(n, m)
			}
		}
	}
	return n
}

// minKnown returns the smaller of two counts, of which the first may be unknown.
func minKnown(a, b int64) int64 {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// wait returns the longest wait in a field and reports whether there is one. A wait until a time that has
// passed is negative.
func (r *reader) wait(field string, unit time.Duration) (longest time.Duration, ok bool) {
	longest = math.MinInt64
	for _, line := range r.header[field] {
		if line = trim(line); line == "" || line == "-1" { // Azure: unknown
			continue
		}
		d, parsed := parseWait(line, unit, r)
		if !parsed {
			d, parsed = parseWaits(line, unit, r)
		}
		if parsed {
			longest, ok = max(longest, d), true
		} else {
			r.doubt(field)
		}
	}
	return longest, ok
}

// parseWaits returns the longest wait of several that a proxy joined by commas. A date has a comma too, but
// its parts are no waits.
func parseWaits(line string, unit time.Duration, r *reader) (longest time.Duration, ok bool) {
	longest = math.MinInt64
	for part := range strings.SplitSeq(line, ",") {
		d, ok := parseWait(trim(part), unit, r)
		if !ok {
			return 0, false
		}
		longest = max(longest, d)
	}
	return longest, true
}

// canonical returns h with its names spelled as net/http spells them. It copies h only if it has other
// names, as a map made by hand may have. The order of the values does not depend on the map's order.
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

// isCanonical reports whether each word of a name starts with a capital letter and has no other.
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
