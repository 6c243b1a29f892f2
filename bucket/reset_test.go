package bucket_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

const losAngeles = "America/Los_Angeles"

// TestLimitsWithReset checks the constructors, the text and the JSON of limits whose tokens come all at
// once.
func TestLimitsWithReset(t *testing.T) {
	seventeenth := time.Date(2001, 1, 17, 0, 0, 0, 0, zone(t, losAngeles)).Unix()
	tenPast := time.Date(2026, 3, 1, 9, 10, 0, 0, time.UTC).Unix()
	for _, c := range []struct {
		name         string
		got          bucket.Limit
		want         bucket.Reset
		string, json string
	}{
		{"Daily", bucket.Daily(7, losAngeles), bucket.Reset{Days: 1, Zone: losAngeles}, "7 at once every day at 00:00 America/Los_Angeles", `{"days":1,"zone":"America/Los_Angeles"}`},
		{"Daily in UTC", bucket.Daily(7, ""), bucket.Reset{Days: 1}, "7 at once every day at 00:00 UTC", `{"days":1}`},
		{"Monthly", bucket.Monthly(7, 1, losAngeles), bucket.Reset{Months: 1, Zone: losAngeles}, "7 at once every month on day 1 at 00:00 America/Los_Angeles", `{"months":1,"zone":"America/Los_Angeles"}`},
		{"Monthly on the 17th", bucket.Monthly(7, 17, losAngeles), bucket.Reset{Months: 1, From: seventeenth, Zone: losAngeles}, "7 at once every month on day 17 at 00:00 America/Los_Angeles", `{"months":1,"from":979718400,"zone":"America/Los_Angeles"}`},
		{"Every", bucket.Every(7, time.Hour), bucket.Reset{Every: time.Hour}, "7 at once every 1h0m0s", `{"every":3600000000000}`},
		{"from a time", bucket.Quota(7, bucket.Reset{Every: time.Hour, From: tenPast}), bucket.Reset{Every: time.Hour, From: tenPast}, "7 at once every 1h0m0s from 2026-03-01 09:10:00 UTC", `{"every":3600000000000,"from":1772356200}`},
		{"from the first", bucket.Quota(7, bucket.Reset{Every: time.Hour, FromFirst: true}), bucket.Reset{Every: time.Hour, FromFirst: true}, "7 at once every 1h0m0s from the first token", `{"every":3600000000000,"from_first":true}`},
		{"weeks", bucket.Quota(7, bucket.Reset{Days: 7}), bucket.Reset{Days: 7}, "7 at once every 7 days from 2001-01-01 00:00 UTC", `{"days":7}`},
		{"quarters", bucket.Quota(7, bucket.Reset{Months: 3, From: tenPast, Zone: losAngeles}), bucket.Reset{Months: 3, From: tenPast, Zone: losAngeles}, "7 at once every 3 months from 2026-03-01 01:10 America/Los_Angeles", `{"months":3,"from":1772356200,"zone":"America/Los_Angeles"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, bucket.Limit{Capacity: 7, Reset: c.want}, c.got)
			require.NoError(t, c.got.Validate())
			require.Equal(t, c.string, c.got.String())
			text, err := json.Marshal(c.got)
			require.NoError(t, err)
			require.Equal(t, `{"capacity":7,"refill":0,"per":0,"reset":`+c.json+`}`, string(text))
			var read bucket.Limit
			require.NoError(t, json.Unmarshal(text, &read))
			require.True(t, c.got == read, "limits are comparable")
		})
	}
	text, err := json.Marshal(bucket.PerSecond(7))
	require.NoError(t, err)
	require.NotContains(t, string(text), "reset", "evenly")
	require.Equal(t, "7 at once every day at 00:00 UTC, strict", bucket.Limit{Capacity: 7, Strict: true, Reset: bucket.Reset{Days: 1}}.String())
	require.Equal(t, "7 at once every day at 12:00 Mars/Base", bucket.Quota(7, bucket.Reset{Days: 1, From: 12 * 3600, Zone: "Mars/Base"}).String())
}

// TestH28_InvalidResets checks that the error names every fault with its field and value (B3).
func TestH28_InvalidResets(t *testing.T) {
	const (
		one   = ": one of them must be positive, and the others 0"
		reset = "bucket: limit's Reset has "
	)
	for _, c := range []struct {
		name  string
		limit bucket.Limit
		want  []string
	}{
		{"no capacity", bucket.Daily(0, ""), []string{"bucket: limit's Capacity is 0: it must be at least 1"}},
		{"a zero Quota is not the default limit", bucket.Quota(0, bucket.Reset{}), []string{"bucket: limit's Capacity is 0: it must be at least 1", reset + "Every -1s, Days 0 and Months 0" + one}},
		{"no time", bucket.Every(7, 0), []string{reset + "Every -1s, Days 0 and Months 0" + one}},
		{"negative days", bucket.Quota(7, bucket.Reset{Days: -1}), []string{reset + "Every 0s, Days -1 and Months 0" + one}},
		{"only a zone", bucket.Quota(7, bucket.Reset{Zone: losAngeles}), []string{reset + "Every 0s, Days 0 and Months 0" + one}},
		{"two of them", bucket.Quota(7, bucket.Reset{Days: 1, Months: 1}), []string{reset + "Every 0s, Days 1 and Months 1" + one}},
		{"one of them negative", bucket.Quota(7, bucket.Reset{Days: 1, Months: -1}), []string{reset + "Every 0s, Days 1 and Months -1" + one}},
		{"half a second", bucket.Every(7, 1500*time.Millisecond), []string{reset + "Every 1.5s: it must be whole seconds"}},
		{"seconds as days", bucket.Quota(7, bucket.Reset{Days: 86_400}), []string{reset + "Days 86400: it may be at most 36525"}},
		{"too many months", bucket.Quota(7, bucket.Reset{Months: 1201}), []string{reset + "Months 1201: it may be at most 1200"}},
		{"from the first of a day", bucket.Quota(7, bucket.Reset{Days: 1, FromFirst: true}), []string{reset + "FromFirst with Days 1, Months 0 and From 0: use it with Every alone"}},
		{"from the first and from a time", bucket.Quota(7, bucket.Reset{Every: time.Hour, From: 5, FromFirst: true}), []string{reset + "FromFirst with Days 0, Months 0 and From 5: use it with Every alone"}},
		{"milliseconds", bucket.Quota(7, bucket.Reset{Days: 1, From: 1772356200000}), []string{reset + "From 1772356200000: it must be in Unix seconds, of the years 1 to 9999 (Monthly needs a day from 1 to 31)"}},
		{"day 0", bucket.Monthly(7, 0, ""), []string{reset + "From -9223372036854775808: it must be in Unix seconds, of the years 1 to 9999 (Monthly needs a day from 1 to 31)"}},
		{"day 32", bucket.Monthly(7, 32, ""), []string{reset + "From -9223372036854775808: it must be in Unix seconds, of the years 1 to 9999 (Monthly needs a day from 1 to 31)"}},
		{"a zone for an hour", bucket.Quota(7, bucket.Reset{Every: time.Hour, Zone: losAngeles}), []string{reset + "Every 1h0m0s and Zone \"America/Los_Angeles\": a zone is for Days and Months, so leave it empty"}},
		{"no such zone", bucket.Daily(7, "Mars/Base"), []string{reset + "Zone \"Mars/Base\": unknown time zone Mars/Base: use a name such as \"America/Los_Angeles\", and if this machine has no time zone files, import _ \"time/tzdata\""}},
		{"no such zone and a day", bucket.Monthly(7, 17, "Mars/Base"), []string{reset + "Zone \"Mars/Base\": unknown time zone Mars/Base: use a name such as \"America/Los_Angeles\", and if this machine has no time zone files, import _ \"time/tzdata\""}},
		{"refill besides", bucket.Limit{Capacity: 7, Refill: 7, Per: time.Minute, Reset: bucket.Reset{Days: 1}}, []string{"bucket: limit has a Reset, Refill 7 and Per 1m0s: the tokens come at the resets, so leave Refill and Per 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Join(c.want, "\n")
			require.EqualError(t, c.limit.Validate(), want)
			_, err := bucket.NewAt(c.limit, 0, noon)
			require.EqualError(t, err, want)
			require.NotEmpty(t, c.limit.String())
		})
	}
}

// TestCostOfQuota checks B3 for costs.
func TestCostOfQuota(t *testing.T) {
	require.NoError(t, bucket.Daily(7, "").CheckCost(7))
	require.EqualError(t, bucket.Daily(7, "").CheckCost(8), "bucket: cost 8 is above the capacity of 7 tokens and could never be granted: split the call or raise the limit's Capacity")
}

// TestResetNeedsTheTimeOfDay checks that a bucket that does not know the time of day refuses a Reset.
func TestResetNeedsTheTimeOfDay(t *testing.T) {
	const want = "bucket: a limit with a Reset needs the time of day: make the bucket with NewAt or Restore"
	_, err := bucket.New(bucket.Daily(7, ""), 0)
	require.EqualError(t, err, want)
	_, err = bucket.Restore(bucket.Daily(7, ""), bucket.State{}, 0, time.Time{})
	require.EqualError(t, err, want)
	_, err = bucket.NewAt(bucket.Daily(7, ""), 0, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))
	require.EqualError(t, err, want, "out of range")

	b := newBucket(t, bucket.PerSecond(10), 0)
	before := b
	require.EqualError(t, b.SetLimit(hour, bucket.Daily(7, "")), want)
	require.Equal(t, before, b, "nothing has changed")
	b.SetWall(0, noon)
	require.NoError(t, b.SetLimit(0, bucket.Daily(7, "")))
}
