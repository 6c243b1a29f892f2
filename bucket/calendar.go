package bucket

import "time"

const secondsPerDay = 24 * 60 * 60

// monday is midnight of Monday, 1 January 2001: the start of a day, a week, a month and a year. With
// Days and Months it stands for a From of 0.
const monday = 978307200

// horizon is more seconds than there are between any two instants, twice 292 years.
const horizon = 2000 * 366 * secondsPerDay

// calendar computes the resets of a [Reset], in Unix seconds. Reset 0 is at From, and later ones have
// higher numbers. A calendar never changes, so copies of a bucket share it.
//
// With Days and Months, a reset is given by its reading, which is what the calendar and the clocks in
// the zone show then. A reading is written as the Unix seconds at which UTC shows the same.
type calendar struct {
	Reset
	loc  *time.Location
	from int64 // reset 0: its reading with Days and Months, and otherwise its Unix seconds
}

// newCalendar returns the calendar of a valid Reset.
func newCalendar(r Reset) *calendar {
	loc, err := location(r.Zone)
	if err != nil {
		panic(err) // Validate has loaded it
	}
	c := &calendar{Reset: r, loc: loc, from: r.From}
	if c.Every == 0 {
		c.from = monday
		if r.From != 0 {
			c.from = c.shown(r.From)
		}
	}
	return c
}

// shown returns the reading of the clocks at a time.
func (c *calendar) shown(unix int64) int64 {
	_, offset := time.Unix(unix, 0).In(c.loc).Zone()
	return unix + int64(offset)
}

// number returns the number of the latest reset up to a time.
func (c *calendar) number(unix int64) int64 {
	var k int64
	switch {
	case c.Days > 0:
		k = floorDiv(c.shown(unix)-c.from, int64(c.Days)*secondsPerDay)
	case c.Months > 0:
		k = floorDiv(month(c.shown(unix))-month(c.from), int64(c.Months))
	default:
		return floorDiv(unix-c.from, int64(c.Every/time.Second))
	}
	// Where clocks are put forward or back, or a month is too short, that may be a little off.
	for c.at(k) > unix {
		k--
	}
	for c.at(k+1) <= unix {
		k++
	}
	return k
}

// at returns the time of reset k. With Days and Months that is the first instant at which the clocks
// show its reading or a later one.
func (c *calendar) at(k int64) int64 {
	if c.Every > 0 {
		return c.from + k*int64(c.Every/time.Second)
	}
	reading := c.reading(k)
	t := time.Unix(reading-secondsPerDay, 0).In(c.loc) // no clock is that far ahead
	for {
		_, offset := t.Zone()
		start, end := t.ZoneBounds()
		at := reading - int64(offset)
		if !start.IsZero() {
			at = max(at, start.Unix()) // the clocks were put forward over the reading
		}
		if end.IsZero() {
			return at
		}
		if !end.After(t) { // package time ends each year after 365 days
			end = t.AddDate(0, 0, 1)
		}
		if at < end.Unix() {
			return at
		}
		t = end // the clocks are put forward or back before they show the reading
	}
}

// reading returns the reading of reset k. In a month without the day of From it is on the last day.
func (c *calendar) reading(k int64) int64 {
	if c.Days > 0 {
		return c.from + k*int64(c.Days)*secondsPerDay
	}
	from := time.Unix(c.from, 0).UTC()
	year, m, day := from.Date()
	first := time.Date(year, m+time.Month(int(k)*c.Months), 1, from.Hour(), from.Minute(), from.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day, last)-1).Unix()
}

// period returns a lower bound of the time between two resets, in seconds, not counting what clocks
// are put forward.
func (c *calendar) period() int64 {
	return int64(c.Every/time.Second) + int64(c.Days)*secondsPerDay + int64(c.Months)*28*secondsPerDay
}

// month returns the number of the month in which a reading is.
func month(reading int64) int64 {
	t := time.Unix(reading, 0).UTC()
	return int64(t.Year())*12 + int64(t.Month())
}

// floorDiv returns a / b, rounded down. b must be positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
