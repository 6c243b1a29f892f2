package bucket_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// drainedAt returns an empty bucket with a Reset at the instant 0, which is origin by the wall clock.
func drainedAt(t testing.TB, l bucket.Limit, origin time.Time) bucket.Bucket {
	t.Helper()
	b, err := bucket.NewAt(l, 0, origin)
	require.NoError(t, err)
	require.True(t, b.Take(0, l.Capacity))
	return b
}

// TestResets checks when resets come in months and zones in which that is easy to get wrong (B2).
func TestResets(t *testing.T) {
	const layout = "2006-01-02 15:04:05 -0700"
	at := func(year int, m time.Month, day, hour, minute int, name string) int64 {
		return time.Date(year, m, day, hour, minute, 0, 0, zone(t, name)).Unix()
	}
	const la = "America/Los_Angeles"
	for _, c := range []struct {
		name  string
		reset bucket.Reset
		after string // resets after this
		want  []string
	}{
		{"a day of 23 hours", bucket.Reset{Days: 1, Zone: la}, "2023-03-11 20:00:00 -0800",
			[]string{"2023-03-12 00:00:00 -0800", "2023-03-13 00:00:00 -0700", "2023-03-14 00:00:00 -0700"}},
		{"a day of 25 hours", bucket.Reset{Days: 1, Zone: la}, "2023-11-05 00:00:00 -0700",
			[]string{"2023-11-06 00:00:00 -0800", "2023-11-07 00:00:00 -0800"}},
		{"put forward over it", bucket.Reset{Days: 1, From: at(2020, 1, 1, 2, 30, la), Zone: la}, "2023-03-11 02:30:00 -0800",
			[]string{"2023-03-12 03:00:00 -0700", "2023-03-13 02:30:00 -0700"}},
		{"shown twice", bucket.Reset{Days: 1, From: at(2020, 1, 1, 1, 30, la), Zone: la}, "2023-11-04 01:30:00 -0700",
			[]string{"2023-11-05 01:30:00 -0700", "2023-11-06 01:30:00 -0800"}},
		{"shown twice, the second time", bucket.Reset{Days: 1, From: at(2020, 1, 1, 1, 30, la), Zone: la}, "2023-11-05 01:10:00 -0800",
			[]string{"2023-11-06 01:30:00 -0800", "2023-11-07 01:30:00 -0800"}},
		{"put back as it would be shown", bucket.Reset{Days: 1, Zone: "America/Sao_Paulo"}, "2018-02-17 12:00:00 -0200",
			[]string{"2018-02-18 00:00:00 -0300", "2018-02-19 00:00:00 -0300"}},
		{"no midnight", bucket.Reset{Days: 1, Zone: "America/Havana"}, "2012-03-31 00:00:00 -0500",
			[]string{"2012-04-01 01:00:00 -0400", "2012-04-02 00:00:00 -0400"}},
		{"two midnights", bucket.Reset{Days: 1, Zone: "America/Havana"}, "2012-11-03 12:00:00 -0400",
			[]string{"2012-11-04 00:00:00 -0400", "2012-11-05 00:00:00 -0500"}},
		{"no such day at all", bucket.Reset{Days: 1, Zone: "Pacific/Apia"}, "2011-12-29 00:00:00 -1000",
			[]string{"2011-12-31 00:00:00 +1400", "2012-01-01 00:00:00 +1400"}},
		{"the 366th day of a year that no table has", bucket.Reset{Days: 1, Zone: la}, "2120-12-30 12:00:00 -0800",
			[]string{"2120-12-31 00:00:00 -0800", "2121-01-01 00:00:00 -0800", "2121-01-02 00:00:00 -0800"}},
		{"the same, east of UTC", bucket.Reset{Days: 1, From: at(2001, 1, 1, 0, 30, "Europe/Berlin"), Zone: "Europe/Berlin"}, "2120-12-30 12:00:00 +0100",
			[]string{"2120-12-31 00:30:00 +0100", "2121-01-01 00:30:00 +0100", "2121-01-02 00:30:00 +0100"}},
		{"weeks begin on Monday", bucket.Reset{Days: 7, Zone: la}, "2023-03-08 12:00:00 -0800",
			[]string{"2023-03-13 00:00:00 -0700", "2023-03-20 00:00:00 -0700"}},
		{"every other day from one in the future", bucket.Reset{Days: 2, From: at(2024, 1, 1, 0, 0, "UTC")}, "2023-12-27 12:00:00 +0000",
			[]string{"2023-12-28 00:00:00 +0000", "2023-12-30 00:00:00 +0000", "2024-01-01 00:00:00 +0000"}},
		{"months", bucket.Reset{Months: 1}, "2023-12-15 00:00:00 +0000",
			[]string{"2024-01-01 00:00:00 +0000", "2024-02-01 00:00:00 +0000"}},
		{"a month on the 31st", bucket.Monthly(1, 31, "").Reset, "2024-01-31 00:00:00 +0000",
			[]string{"2024-02-29 00:00:00 +0000", "2024-03-31 00:00:00 +0000", "2024-04-30 00:00:00 +0000"}},
		{"a month on the 17th", bucket.Monthly(1, 17, la).Reset, "2023-03-01 00:00:00 -0800",
			[]string{"2023-03-17 00:00:00 -0700", "2023-04-17 00:00:00 -0700"}},
		{"quarters", bucket.Reset{Months: 3, Zone: "Europe/Berlin"}, "2023-02-01 00:00:00 +0100",
			[]string{"2023-04-01 00:00:00 +0200", "2023-07-01 00:00:00 +0200"}},
		{"years from 29 February", bucket.Reset{Months: 12, From: at(2000, 2, 29, 8, 0, "UTC")}, "2026-03-01 00:00:00 +0000",
			[]string{"2027-02-28 08:00:00 +0000", "2028-02-29 08:00:00 +0000"}},
		{"on the hour", bucket.Reset{Every: time.Hour}, "2023-03-12 01:30:00 -0800",
			[]string{"2023-03-12 02:00:00 -0800", "2023-03-12 03:00:00 -0800"}},
		{"from a time in the future", bucket.Reset{Every: 7 * time.Minute, From: at(2024, 1, 1, 0, 0, "UTC")}, "2023-12-31 23:50:00 +0000",
			[]string{"2023-12-31 23:53:00 +0000", "2024-01-01 00:00:00 +0000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			origin, err := time.Parse(layout, c.after)
			require.NoError(t, err)
			b := drainedAt(t, bucket.Quota(1, c.reset), origin)
			for _, text := range c.want {
				want, err := time.Parse(layout, text)
				require.NoError(t, err)
				next := b.NextReset()
				require.Equal(t, want.Sub(origin), next, "want %v, got %v", want, origin.Add(next).In(want.Location()))
				require.Equal(t, next, b.Ready(1))
				require.False(t, b.Take(next-1, 1))
				require.True(t, b.Take(next, 1))
			}
		})
	}
}

// TestResetsAgainstTheClocks checks resets against a search that looks at the clock and the calendar of
// a place once a minute for eight months.
func TestResetsAgainstTheClocks(t *testing.T) {
	zones := []string{"", "America/Los_Angeles", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, name := range zones {
		loc := zone(t, name)
		for range 2 {
			year := 1990 + rnd.IntN(60)
			if name == "Pacific/Apia" {
				year = 2011 // the year without a 30 December
			}
			from := time.Date(year-3+rnd.IntN(7), time.Month(1+rnd.IntN(12)), 1+rnd.IntN(31), []int{0, 0, 1, 2, 17}[rnd.IntN(5)], []int{0, 30}[rnd.IntN(2)], 0, 0, loc)
			r := []bucket.Reset{{Days: 1}, {Days: 1}, {Days: 7}, {Months: 1}, {Months: 3}}[rnd.IntN(5)]
			r.Zone, r.From = name, from.Unix()
			origin := time.Date(year, time.Month(1+rnd.IntN(12)), 1+rnd.IntN(28), rnd.IntN(24), rnd.IntN(60), rnd.IntN(60), rnd.IntN(1e9), loc)
			t.Run(fmt.Sprintf("%v after %v", r, origin), func(t *testing.T) {
				want := watch(r, from, origin, origin.AddDate(0, 8, 0))
				require.NotEmpty(t, want)
				b := drainedAt(t, bucket.Quota(1, r), origin)
				for n, at := range want {
					require.Equal(t, at, b.Ready(int64(n+1)), "reset %d: want %v, got %v", n, origin.Add(at), origin.Add(b.Ready(int64(n+1))))
				}
				for n, at := range want {
					if n == 0 || at != want[n-1] {
						require.Equal(t, at, b.NextReset())
						require.False(t, b.Take(at-1, 1))
						require.True(t, b.Take(at, 1))
					}
				}
			})
		}
	}
}

// watch returns the instants after origin and before end at which a clock, looked at once a minute,
// first shows the next date and time, or a later one.
func watch(r bucket.Reset, from, origin, end time.Time) (resets []time.Duration) {
	const layout = "2006-01-02 15:04"
	steps := -100 * 12 / max(1, r.Months)
	if r.Days > 0 {
		steps = -10 * 366 / r.Days
	}
	next := func() string {
		if r.Days > 0 {
			return time.Date(from.Year(), from.Month(), from.Day()+steps*r.Days, from.Hour(), from.Minute(), 0, 0, time.UTC).Format(layout)
		}
		last := time.Date(from.Year(), from.Month()+time.Month(steps*r.Months+1), 0, 0, 0, 0, 0, time.UTC).Day()
		return time.Date(from.Year(), from.Month()+time.Month(steps*r.Months), min(from.Day(), last), from.Hour(), from.Minute(), 0, 0, time.UTC).Format(layout)
	}
	began := origin.Add(-72 * time.Hour).Truncate(time.Minute) // so that a clock set back shows no old date as new
	for next() <= began.Format(layout) {
		steps++
	}
	due := next()
	for now := began; now.Before(end); now = now.Add(time.Minute) {
		for shown := now.Format(layout); shown >= due; due = next() {
			if now.After(origin) {
				resets = append(resets, now.Sub(origin))
			}
			steps++
		}
	}
	return resets
}
