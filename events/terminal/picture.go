package terminal

import (
	"fmt"
	"strings"
	"time"
)

// style is how a picture looks, whatever it shows.
type style struct {
	title string
	total int64 // 0: not known
	ascii bool
}

// counts are how many calls are done, and how many of those have failed.
type counts struct{ done, failed int64 }

// The bar is as wide as there is room for, within this.
const (
	shortestBar = 10
	longestBar  = 30
)

// picture is what a terminal of so many columns shows. The last column stays free: some terminals
// wrap a line that fills it.
func (st style) picture(c *course, n counts, over bool, columns int) []line {
	width := max(1, columns-1)
	between, tail := " · ", "…"
	if st.ascii {
		between, tail = " | ", "..."
	}
	return append(flow(st.head(c, n, over, width), "  ", tail, width), flow(st.state(c), between, tail, width)...)
}

// head are the items that say how far it is.
func (st style) head(c *course, n counts, over bool, width int) []line {
	var before, after []line
	if st.title != "" {
		before = append(before, line{{clean(st.title, st.ascii), bold}})
	}
	if st.total > 0 {
		after = append(after, line{{fmt.Sprintf("%d/%d", n.done, st.total), ""}}, line{{fmt.Sprintf("%d%%", st.percent(n)), ""}})
	} else {
		after = append(after, line{{fmt.Sprintf("%d done", n.done), ""}})
	}
	if n.failed > 0 {
		after = append(after, line{{fmt.Sprintf("%d failed", n.failed), red}})
	}
	switch eta, ok := c.eta(st.total - n.done); {
	case over:
		after = append(after, line{{rate(c.meanRate()), ""}}, line{{"in " + short(c.elapsed()), ""}})
	case st.total > 0 && ok:
		after = append(after, line{{rate(c.rate()), ""}}, line{{"ETA " + atMost(eta), ""}})
	default:
		after = append(after, line{{rate(c.rate()), ""}})
	}
	if st.total > 0 {
		free := width
		for _, item := range append(before, after...) {
			free -= item.width() + 2
		}
		before = append(before, st.bar(n, min(max(free, shortestBar), longestBar, width)))
	}
	return append(before, after...)
}

// percent is 100 only when all is done.
func (st style) percent(n counts) int { return st.part(n, 100) }

// part is how many of so many parts are done.
func (st style) part(n counts, of int) int {
	return min(max(0, int(float64(of)*float64(n.done)/float64(st.total))), of)
}

func (st style) bar(n counts, width int) line {
	full, empty := "█", "░"
	if st.ascii {
		full, empty = "#", "-"
	}
	filled := st.part(n, width)
	return line{{strings.Repeat(full, filled), green}, {strings.Repeat(empty, width-filled), dim}}
}

// state are the items that say how things are.
func (st style) state(c *course) []line {
	snap := c.now
	var items []line
	add := func(colour, format string, args ...any) {
		items = append(items, line{{fmt.Sprintf(format, args...), colour}})
	}
	in := func(t time.Time) string { return short(t.Sub(snap.At)) }
	for _, b := range snap.Budgets {
		colour := ""
		if b.Available <= 0 {
			colour = yellow
		}
		add(colour, "%s left", clean(b.String(), st.ascii))
	}
	add("", "%d running", snap.Running)
	add("", "%d queued", snap.Queued)
	switch {
	case !snap.NextRetry.IsZero():
		add(yellow, "%d backing off (next in %s)", snap.BackingOff, in(snap.NextRetry))
	case snap.BackingOff > 0:
		add(yellow, "%d backing off", snap.BackingOff)
	}
	if !snap.HeldUntil.IsZero() {
		add(yellow, "held by the server for %s", in(snap.HeldUntil))
	}
	switch {
	case !snap.PausedUntil.IsZero():
		add(yellow, "paused for %s", in(snap.PausedUntil))
	case snap.Paused:
		add(yellow, "paused")
	}
	if snap.Rate < 1 {
		add(yellow, "slowed to %.0f%%", 100*snap.Rate)
	}
	if retries := snap.Totals.Retries - c.first.Totals.Retries; retries > 0 {
		add("", "%d retries", retries)
	}
	if snap.Closed {
		add("", "closed")
	}
	return items
}

// plain is a line that says the same to a file.
func (st style) plain(c *course, n counts, over bool) string {
	var b strings.Builder
	if st.title != "" {
		b.WriteString(clean(st.title, false) + ": ")
	}
	fmt.Fprintf(&b, "%d", n.done)
	if st.total > 0 {
		fmt.Fprintf(&b, " of %d", st.total)
	}
	b.WriteString(" done")
	if n.failed > 0 {
		fmt.Fprintf(&b, " (%d failed)", n.failed)
	}
	if st.total > 0 {
		fmt.Fprintf(&b, ", %d%%", st.percent(n))
	}
	switch eta, ok := c.eta(st.total - n.done); {
	case over:
		b.WriteString(", in " + short(c.elapsed()))
	case st.total > 0 && ok:
		b.WriteString(", ETA " + atMost(eta))
	}
	return b.String() + "; " + clean(c.now.String(), false)
}

// rate is a number of calls a second with about two digits that say something.
func rate(r float64) string {
	switch {
	case r == 0 || r >= 10:
		return fmt.Sprintf("%.0f/s", r)
	case r >= 1:
		return fmt.Sprintf("%.1f/s", r)
	}
	return fmt.Sprintf("%.2f/s", r)
}

// short is a duration in tenths of a second as long as those matter.
func short(d time.Duration) string {
	if d = max(0, d); d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return inSeconds(d)
}

// atMost is a duration in whole seconds, of which there are none only when it is over.
func atMost(d time.Duration) string { return inSeconds((d + time.Second - 1).Truncate(time.Second)) }

// inSeconds is a duration in whole seconds, and in minutes if they are many.
func inSeconds(d time.Duration) string {
	if d >= time.Hour {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}
