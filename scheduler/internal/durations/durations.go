// Package durations rounds durations for the people who read errors and logs.
package durations

import (
	"math"
	"time"
)

// Round rounds a duration for people: to seconds from a minute on, and to tenths from a second on.
func Round(d time.Duration) time.Duration { return d.Round(unit(d)) }

// Up rounds a duration up, for the longer of two that are compared.
func Up(d time.Duration) time.Duration {
	if r := d.Truncate(unit(d)); r == d || r > math.MaxInt64-unit(d) {
		return d
	}
	return d.Truncate(unit(d)) + unit(d)
}

// Down rounds a duration down, for the shorter of two that are compared.
func Down(d time.Duration) time.Duration { return d.Truncate(unit(d)) }

// unit returns what a duration is rounded to.
func unit(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return time.Second
	case d >= time.Second:
		return time.Second / 10
	case d >= time.Microsecond:
		return time.Microsecond
	}
	return time.Nanosecond
}
