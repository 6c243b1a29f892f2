package bucket

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Reset says at which instants the tokens of a limit come all at once, as with a quota for each
// calendar day. The zero Reset is for a limit whose tokens come evenly. In any other, exactly one of
// Every, Days and Months is positive. Resets are comparable with ==.
//
// A reset fills the bucket to its capacity, from any level and from debt. Tokens that were left are
// not added to it, and no token comes in between. So all calls that wait for a reset start at once when
// it comes. To spread them, give the scheduler a second limit, such as one for each minute.
//
// With Days and Months the resets follow the calendar and the clocks in Zone. A reset is at the first
// instant at which these show its time or a later one. So if the clocks are put forward over it, the
// reset comes at that instant, and if they show it twice, at the first. In a month without its day
// the reset is on the last day.
type Reset struct {
	// Every is the time between two resets, in whole seconds. In JSON it is in nanoseconds.
	Every time.Duration `json:"every,omitzero"`

	// Days or Months is how many days or months of the calendar are between two resets.
	Days   int `json:"days,omitzero"`
	Months int `json:"months,omitzero"`

	// From is one of the resets, in Unix seconds. If a server's clock may be a little behind, make it
	// a few seconds later. With Every, 0 is the start of 1970 in UTC, so hours begin on the hour. With
	// Days and Months, 0 is midnight in Zone at the start of Monday, 1 January 2001, so days begin at
	// midnight, weeks on Monday and months on the first.
	From int64 `json:"from,omitzero"`

	// FromFirst makes a period begin when the first token of a full bucket is taken, and end Every
	// later with a reset. It is measured in the bucket's instants, whatever the wall clock shows. From
	// must be 0.
	FromFirst bool `json:"from_first,omitzero"`

	// Zone is the time zone for Days and Months, such as "America/Los_Angeles". Empty means UTC, and
	// "Local" the zone of the machine. See [time.LoadLocation].
	Zone string `json:"zone,omitzero"`
}

// The largest Days and Months, a hundred years.
const (
	maxDays   = 36_525
	maxMonths = 1_200
)

// Quota returns a limit of n tokens that come all at once at each reset.
func Quota(n int64, r Reset) Limit {
	if r == (Reset{}) {
		r.Every = -time.Second // invalid; otherwise the tokens would come evenly
	}
	return Limit{Capacity: n, Reset: r}
}

// Daily returns a limit of n tokens for each calendar day in a time zone, such as
// "America/Los_Angeles". Empty means UTC. The day begins at midnight.
func Daily(n int64, zone string) Limit { return Quota(n, Reset{Days: 1, Zone: zone}) }

// Monthly returns a limit of n tokens for each month in a time zone. The month begins at midnight of
// the given day, from 1 to 31, or of the last day in months without that day.
func Monthly(n int64, day int, zone string) Limit {
	r := Reset{Months: 1, Zone: zone}
	switch loc, err := location(zone); {
	case day < 1 || day > 31:
		r.From = math.MinInt64 // invalid
	case day > 1 && err == nil: // otherwise Validate returns the error
		r.From = time.Date(2001, time.January, day, 0, 0, 0, 0, loc).Unix()
	}
	return Quota(n, r)
}

// Every returns a limit of n tokens for each d, which must be whole seconds. Periods are counted from
// the start of 1970 in UTC, as most servers do that count requests in fixed windows. So an hour begins
// on the hour. For tokens that come evenly, use [Per].
func Every(n int64, d time.Duration) Limit { return Quota(n, Reset{Every: d}) }

// validate returns an error for each fault, joined.
func (r Reset) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("bucket: limit's Reset has "+format, args...))
	}
	used := 0
	for _, set := range []bool{r.Every != 0, r.Days != 0, r.Months != 0} {
		if set {
			used++
		}
	}
	if used != 1 || r.Every < 0 || r.Days < 0 || r.Months < 0 {
		fault("Every %v, Days %d and Months %d: one of them must be positive, and the others 0", r.Every, r.Days, r.Months)
	}
	if r.Every%time.Second != 0 {
		fault("Every %v: it must be whole seconds", r.Every)
	}
	if r.Days > maxDays {
		fault("Days %d: it may be at most %d", r.Days, maxDays)
	}
	if r.Months > maxMonths {
		fault("Months %d: it may be at most %d", r.Months, maxMonths)
	}
	if r.FromFirst && (r.Days != 0 || r.Months != 0 || r.From != 0) {
		fault("FromFirst with Days %d, Months %d and From %d: use it with Every alone", r.Days, r.Months, r.From)
	}
	if !inRange(r.From) {
		fault("From %d: it must be in Unix seconds, of the years 1 to 9999 (Monthly needs a day from 1 to 31)", r.From)
	}
	if r.Every != 0 && r.Zone != "" {
		fault("Every %v and Zone %q: a zone is for Days and Months, so leave it empty", r.Every, r.Zone)
	}
	if _, err := location(r.Zone); err != nil {
		fault("Zone %q: %w: use a name such as \"America/Los_Angeles\", and if this machine has no time zone files, import _ \"time/tzdata\"", r.Zone, err)
	}
	return errors.Join(faults...)
}

// inRange reports whether Unix seconds are of the years 1 to 9999.
func inRange(unix int64) bool { return -62_135_596_800 <= unix && unix <= 253_402_300_799 }

// String returns a text such as "every 1h0m0s", "every day at 00:00 UTC" or "every month on day 17 at
// 00:00 America/Los_Angeles".
func (r Reset) String() string {
	zone, from := r.Zone, time.Unix(monday, 0).UTC()
	if zone == "" {
		zone = "UTC"
	}
	if r.From != 0 {
		from = time.Unix(r.From, 0).UTC()
		if loc, err := location(r.Zone); err == nil {
			from = from.In(loc)
		}
	}
	switch {
	case r.Days == 1:
		return fmt.Sprintf("every day at %s %s", from.Format("15:04"), zone)
	case r.Months == 1:
		return fmt.Sprintf("every month on day %d at %s %s", from.Day(), from.Format("15:04"), zone)
	case r.Days != 0:
		return fmt.Sprintf("every %d days from %s %s", r.Days, from.Format("2006-01-02 15:04"), zone)
	case r.Months != 0:
		return fmt.Sprintf("every %d months from %s %s", r.Months, from.Format("2006-01-02 15:04"), zone)
	case r.FromFirst:
		return fmt.Sprintf("every %v from the first token", r.Every)
	case r.From != 0:
		return fmt.Sprintf("every %v from %s %s", r.Every, from.Format(time.DateTime), zone)
	}
	return fmt.Sprintf("every %v", r.Every)
}

// locations has the time zones that were loaded, by name, since loading one reads a file.
var locations sync.Map

func location(name string) (*time.Location, error) {
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err == nil {
		locations.Store(name, loc)
	}
	return loc, err
}
