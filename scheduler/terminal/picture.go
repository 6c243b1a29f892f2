package terminal

import (
	"fmt"
	"strings"
	"time"
)

// style says how a picture looks, whatever it shows.
type style struct {
	title string
	total int64 // 0 if not known
	ascii bool
}

// counts are the number of calls that are done, and how many of those failed.
type counts struct{ done, failed int64 }

// The bar fills the rest of the line, within these bounds.
const (
	minBar = 10
	maxBar = 30
)

// picture returns the lines for a terminal with that many columns. The last column stays free,
// because some terminals wrap a line that fills it.
func (st style) picture(h *history, n counts, stopped bool, columns int) []line {
	width := max(1, columns-1)
	between, tail := " · ", "…"
	if st.ascii {
		between, tail = " | ", "..."
	}
	lines := append(flow(st.head(h, n, stopped, width), "  ", tail, width), flow(st.state(h), between, tail, width)...)
	return append(lines, h.keys.lines(st.ascii, tail, width)...)
}

// head returns the items that show the progress.
func (st style) head(h *history, n counts, stopped bool, width int) []line {
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
	switch eta, ok := h.eta(st.total - n.done); {
	case stopped:
		after = append(after, line{{rate(h.meanRate()), ""}}, line{{"in " + short(h.elapsed()), ""}})
	case st.total > 0 && ok:
		after = append(after, line{{rate(h.rate()), ""}}, line{{"ETA " + atMost(eta), ""}})
	default:
		after = append(after, line{{rate(h.rate()), ""}})
	}
	if st.total > 0 {
		free := width
		for _, item := range append(before, after...) {
			free -= item.width() + 2
		}
		before = append(before, st.bar(n, min(max(free, minBar), maxBar, width)))
	}
	return append(before, after...)
}

// percent returns how much is done, and 100 only if all is.
func (st style) percent(n counts) int { return st.share(n, 100) }

// share returns how many of a number of parts are done.
func (st style) share(n counts, of int) int {
	return min(max(0, int(float64(of)*float64(n.done)/float64(st.total))), of)
}

func (st style) bar(n counts, width int) line {
	full, empty := "█", "░"
	if st.ascii {
		full, empty = "#", "-"
	}
	filled := st.share(n, width)
	return line{{strings.Repeat(full, filled), green}, {strings.Repeat(empty, width-filled), dim}}
}

// state returns the items that show budgets, calls and holds.
func (st style) state(h *history) []line {
	snap := h.now
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
	switch {
	case !snap.NextLater.IsZero():
		add("", "%d later (next in %s)", snap.Later, in(snap.NextLater))
	case snap.Later > 0:
		add("", "%d later", snap.Later)
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
	if retries := snap.Totals.Retries - h.first.Totals.Retries; retries > 0 {
		add("", "%d retries", retries)
	}
	if snap.Closed {
		add("", "closed")
	}
	return items
}

// plain returns the same as one line of text.
func (st style) plain(h *history, n counts, stopped bool) string {
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
	switch eta, ok := h.eta(st.total - n.done); {
	case stopped:
		b.WriteString(", in " + short(h.elapsed()))
	case st.total > 0 && ok:
		b.WriteString(", ETA " + atMost(eta))
	}
	return b.String() + "; " + clean(h.now.String(), false) + h.keys.text()
}

// rate formats a number of calls per second with about two significant digits.
func rate(r float64) string {
	switch {
	case r == 0 || r >= 10:
		return fmt.Sprintf("%.0f/s", r)
	case r >= 1:
		return fmt.Sprintf("%.1f/s", r)
	}
	return fmt.Sprintf("%.2f/s", r)
}

// short formats a duration, with tenths of a second if it is short.
func short(d time.Duration) string {
	if d = max(0, d); d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return inSeconds(d)
}

// atMost formats a duration in whole seconds, rounded up.
func atMost(d time.Duration) string { return inSeconds((d + time.Second - 1).Truncate(time.Second)) }

// inSeconds formats a duration in whole seconds, or in minutes from an hour on.
func inSeconds(d time.Duration) string {
	if d >= time.Hour {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}
