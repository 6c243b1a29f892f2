package headers_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry/headers"
)

// dated returns the header of a response that was made at the time theirs, by the server's clock.
func dated(theirs time.Time, lines string) http.Header {
	return fields("Date: " + theirs.Format(http.TimeFormat) + "\n" + lines)
}

// TestH69_AnotherClock checks that a point in time in any field is compared with the server's clock, and
// that the result is by our clock.
func TestH69_AnotherClock(t *testing.T) {
	minute := in(time.Minute)
	unix, millis := fmt.Sprint(minute.Unix()), fmt.Sprint(minute.UnixMilli())
	for _, lines := range []string{
		"Retry-After: " + minute.Format(http.TimeFormat),
		"Retry-After: " + minute.Format("Monday, 02-Jan-06 15:04:05 GMT"),
		"Retry-After: " + minute.Format(time.ANSIC),
		"Retry-After: " + minute.Format(time.RFC3339),
		"Retry-After: " + unix,
		"Retry-After: 5, " + unix,
		"Retry-After-Ms: " + millis,
		"X-Ms-Retry-After-Ms: " + millis,
		"X-Amz-Retry-After: " + millis,
		"X-Ratelimit-Remaining-Requests: 0\nX-Ratelimit-Reset-Requests: " + unix,
		"X-Ratelimit-Remaining-Tokens: 0\nX-Ratelimit-Reset-Tokens: " + unix,
		"Anthropic-Ratelimit-Requests-Remaining: 0\nAnthropic-Ratelimit-Requests-Reset: " + minute.Format(time.RFC3339),
		"Anthropic-Ratelimit-Tokens-Remaining: 0\nAnthropic-Ratelimit-Tokens-Reset: " + minute.Format(time.RFC3339),
		"Anthropic-Ratelimit-Input-Tokens-Remaining: 0\nAnthropic-Ratelimit-Input-Tokens-Reset: " + minute.Format(time.RFC3339),
		"Anthropic-Ratelimit-Output-Tokens-Remaining: 0\nAnthropic-Ratelimit-Output-Tokens-Reset: " + minute.Format(time.RFC3339),
		"X-Ratelimit-Remaining: 0\nX-Ratelimit-Reset: " + unix,
		"X-Ratelimit-Remaining: 0\nX-Ratelimit-Reset: " + millis,
		"Ratelimit-Remaining: 0\nRatelimit-Reset: " + unix,
		"Ratelimit: limit=2, remaining=0, reset=" + unix,
		`Ratelimit: "p";r=0;t=` + unix,
		"Retry-After: 60", // a number of seconds does not change
		"Retry-After-Ms: 60000",
		"X-Ratelimit-Remaining-Requests: 0\nX-Ratelimit-Reset-Requests: 1m0s",
		`Ratelimit: "p";r=0;t=60`,
	} {
		for _, ahead := range []time.Duration{0, 90 * time.Second, -time.Hour, 24 * time.Hour, -24 * time.Hour} {
			ours := now.Add(ahead)
			seen := headers.Parse(dated(now, lines), ours)
			require.Equal(t, time.Minute, seen.Verdict(429).Wait, "%s, our clock %v ahead", lines, ahead)
			require.Equal(t, ours, seen.At)
			require.Empty(t, seen.Doubtful)
			for _, b := range seen.Budgets {
				require.Equal(t, ours.Add(time.Minute), b.Reset, "%s, our clock %v ahead", lines, ahead)
			}
		}
	}
}

// TestH69_WhatDateIsBelieved checks that a Date counts together with the Age of a cache, and is ignored if
// it differs too much.
func TestH69_WhatDateIsBelieved(t *testing.T) {
	until := "\nRetry-After: " + in(time.Minute).Format(http.TimeFormat)
	date := "Date: " + now.Add(-time.Hour).Format(http.TimeFormat)
	for _, tt := range []struct {
		lines    string
		ahead    time.Duration
		wait     time.Duration
		doubtful []string
	}{
		{"X: no Date", 0, time.Minute, nil},
		{date, 0, time.Hour + time.Minute, nil},
		{date + "\nAge: 3600", 0, time.Minute, nil},
		{date + "\nAge: 3600", time.Hour, time.Minute, nil},
		{date + "\nAge: an hour", 0, time.Hour + time.Minute, []string{"Age"}},
		{date + "\nAge: -3600", 0, time.Hour + time.Minute, []string{"Age"}},
		{date + "\nAge: 99999999999999999999", 0, time.Minute, []string{"Date"}},
		{date, -23 * time.Hour, time.Hour + time.Minute, nil},
		{date, 24 * time.Hour, 0, []string{"Date"}},
		{date, -25*time.Hour - time.Second, 25*time.Hour + time.Minute + time.Second, []string{"Date"}},
		{"Date: yesterday", 0, time.Minute, []string{"Date"}},
		{"Date: Sun, 01 Mar 2026 11:00:00 CET", 0, time.Minute, []string{"Date"}},
		{"Date: " + now.Add(-time.Hour).Format(time.ANSIC), 0, time.Hour + time.Minute, nil},
	} {
		seen := headers.Parse(fields(tt.lines+until), now.Add(tt.ahead))
		require.Equal(t, tt.wait, seen.RetryAfter, "%s, our clock %v ahead", tt.lines, tt.ahead)
		require.Equal(t, tt.doubtful, seen.Doubtful, tt.lines)
	}
	require.Empty(t, headers.Parse(fields("Date: yesterday\nRetry-After: 5"), now).Doubtful, "Date is not needed here")
}

// FuzzAnotherClock checks that with a Date waits do not depend on our clock.
func FuzzAnotherClock(f *testing.F) {
	for _, lines := range []string{
		"Retry-After: Sun, 01 Mar 2026 12:00:30 GMT", "X-Ratelimit-Remaining: 0\nX-Ratelimit-Reset: 1772370000.5",
		"Ratelimit: \"p\";r=1;t=1772370000\nAge: 60", "Retry-After: 120", "Retry-After-Ms: 1772366400001",
		"Anthropic-Ratelimit-Tokens-Remaining: 0\nAnthropic-Ratelimit-Tokens-Reset: 2026-03-01T12:00:01.5Z",
	} {
		f.Add(lines, int64(1772366400), int64(-3600))
	}
	f.Fuzz(func(t *testing.T, lines string, sec, ahead int64) {
		theirs := time.Unix(sec%(1<<33), 0).UTC()
		h := fields(lines)
		h.Del("Age")
		h.Set("Date", theirs.Format(http.TimeFormat))
		skew := time.Duration(ahead%86400) * time.Second
		near, far := headers.Parse(h, theirs), headers.Parse(h, theirs.Add(skew))
		if near.RetryAfter != far.RetryAfter {
			t.Errorf("a wait of %v, and %v with a clock %v ahead", near.RetryAfter, far.RetryAfter, skew)
		}
		for i := range near.Budgets {
			if a, b := near.Budgets[i].Reset, far.Budgets[i].Reset; a.IsZero() != b.IsZero() || !a.IsZero() && a.Sub(near.At) != b.Sub(far.At) {
				t.Errorf("reset in %v, and in %v with a clock %v ahead", a.Sub(near.At), b.Sub(far.At), skew)
			}
		}
	})
}
