package headers_test

import (
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// FuzzParse checks that for any header nothing panics, no wait is negative and no count is out of bounds,
// and that results come only from fields that are there.
func FuzzParse(f *testing.F) {
	for _, lines := range []string{
		"Retry-After: 120\nX-Should-Retry: true\nRetry-After-Ms: 1.5",
		"Retry-After: Sun, 01 Mar 2026 12:00:30 GMT\nX-Github-Request-Id: 1",
		"Retry-After: Sunday, 01-Mar-26 12:00:30 GMT\nRetry-After: -0\nX-Ms-Retry-After-Ms: 9223372036854775808",
		"X-Ratelimit-Limit-Requests: 60\nX-Ratelimit-Remaining-Requests: 61\nX-Ratelimit-Reset-Requests: 6m0s",
		"Anthropic-Ratelimit-Tokens-Remaining: 0\nAnthropic-Ratelimit-Tokens-Reset: 2026-03-01T12:00:01.5Z",
		"X-Ratelimit-Limit: 5000\nX-Ratelimit-Used: 5001\nX-Ratelimit-Reset: 1772370000.5\nX-Ratelimit-Resource: core",
		"Ratelimit-Limit: 10, 10;w=1, 50;w=60\nRatelimit-Remaining: 9, 8\nRatelimit-Reset: 1772370000000",
		"Ratelimit: limit=2, remaining=3, reset=60\nRatelimit-Policy: 2;w=60, 3;w=999999999999999",
		"Ratelimit: \"p\"; r=1; t=60, \"q\";r=0;pk=:YQ==:\nRatelimit-Policy: \"p\"; q=0; w=60;qu=\"requests\", \"q\";q=1;pk=:YQ==:",
		"Ratelimit: \"\\\\\";r=1;a=%\"%c3%bc\";b=@7;c=?1;d=1.5;e=*x",
		"Grpc-Retry-Pushback-Ms: 5\nX-Amz-Retry-After: 7, 9\nX-Shopify-Shop-Api-Call-Limit: 81/80",
		"Grpc-Retry-Pushback-Ms: -9223372036854775809\nretry-after: 99999999999999999999h1ns",
	} {
		f.Add(lines, 429, int64(1772366400), int64(0))
	}
	f.Add("Retry-After: Mon, 01 Jan 0001 00:00:00 GMT\nX-Ratelimit-Remaining: 0\nX-Ratelimit-Reset: 99999999999", 403, int64(-62135596800), int64(1))
	f.Add("Retry-After: 1000000001\nX-Ratelimit-Reset: 1000000001.999999999999999999999", 503, int64(1)<<62, int64(999999999))
	f.Fuzz(func(t *testing.T, lines string, status int, sec, nsec int64) {
		h, now := fields(lines), time.Unix(sec, nsec)
		seen := headers.Parse(h, now)
		check(t, seen, h)
		v := seen.Verdict(status)
		switch {
		case v.Wait < 0 || v.Wait > 0 && v.Kind != retry.KindRateLimited:
			t.Errorf("%d: %v with %v", status, v.Kind, v.Wait)
		case v.Retryable() && (status < 400 || seen.NoRetry):
			t.Errorf("%d: %v, NoRetry %v", status, v, seen.NoRetry)
		case v.Kind == retry.KindRateLimited && v.Wait < seen.RetryAfter:
			t.Errorf("%v waits less than RetryAfter %v", v, seen.RetryAfter)
		case retry.Classify(seen.Mark(status, errors.New("refused"))) != v:
			t.Errorf("%d: the mark says other than %v", status, v)
		}

		lower := http.Header{}
		for name, values := range h {
			lower[strings.Map(toLower, name)] = values
		}
		if again := headers.Parse(lower, now); !same(again, seen) {
			t.Errorf("in lower case: %+v, otherwise %+v", again, seen)
		}
		more := h.Clone()
		more.Add("Retry-After", "5")
		if got := headers.Parse(more, now).RetryAfter; got < seen.RetryAfter || got == 0 {
			t.Errorf("another Retry-After: waits %v, without it %v", got, seen.RetryAfter)
		}
		more = h.Clone()
		more.Add("X-Ratelimit-Remaining", "5")
		if got := headers.Parse(more, now).Wait(); got < seen.Wait() {
			t.Errorf("another remaining: waits %v, without it %v", got, seen.Wait())
		}
	})
}

func check(t *testing.T, seen headers.Observations, h http.Header) {
	if seen.RetryAfter < 0 || seen.Wait() < seen.RetryAfter || seen.DefaultWait < 0 {
		t.Errorf("waits %v, %v, %v", seen.RetryAfter, seen.Wait(), seen.DefaultWait)
	}
	if seen.NoRetry && seen.ShouldRetry {
		t.Error("both NoRetry and ShouldRetry")
	}
	for i, b := range seen.Budgets {
		if b.Limit < -1 || b.Remaining < -1 || b.Window < 0 || b.Limit >= 0 && b.Remaining > b.Limit {
			t.Errorf("budget %d: %+v", i, b)
		}
		if b.Limit < 0 && b.Remaining < 0 && b.Reset.IsZero() && seen.At.Year() > 0 && seen.At.Year() < 9999 {
			t.Errorf("budget %d is empty: %+v", i, b)
		}
	}
	for i, field := range seen.Doubtful {
		if h[field] == nil || slices.Contains(seen.Doubtful[:i], field) {
			t.Errorf("%s is not in the header, or in Doubtful twice", field)
		}
	}
	if len(h) == 0 && (len(seen.Budgets) > 0 || seen.Wait() > 0 || seen.NoRetry) {
		t.Errorf("an empty header gives %+v", seen)
	}
}

// toLower works like unicode.ToLower for ASCII, which is enough for field names.
func toLower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

func same(a, b headers.Observations) bool {
	return a.RetryAfter == b.RetryAfter && a.NoRetry == b.NoRetry && a.ShouldRetry == b.ShouldRetry && a.DefaultWait == b.DefaultWait &&
		slices.Equal(a.Budgets, b.Budgets) && slices.Equal(a.Doubtful, b.Doubtful)
}

// TestH46_NumbersAreExact compares durations in every unit with exact arithmetic, to the nanosecond.
func TestH46_NumbersAreExact(t *testing.T) {
	units := map[string]int64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86400e9}
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{1,25}`).Draw(t, "digits")
		if fraction := rapid.StringMatching(`[0-9]{0,18}`).Draw(t, "fraction"); fraction != "" {
			digits += "." + fraction
		}
		unit := rapid.SampledFrom([]string{"ns", "us", "ms", "s", "m", "h", "d"}).Draw(t, "unit")
		exact, ok := new(big.Rat).SetString(digits)
		if !ok {
			t.Fatal("no number")
		}
		exact.Mul(exact, new(big.Rat).SetInt64(units[unit]))
		up, left := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
		if left.Sign() > 0 {
			up.Add(up, big.NewInt(1))
		}
		want := forever
		if up.IsInt64() {
			want = time.Duration(up.Int64())
		}
		if got := headers.Parse(http.Header{"Retry-After": {digits + unit}}, now).RetryAfter; got != want {
			t.Fatalf("%s%s is %v, not %v", digits, unit, got, want)
		}
	})
}
