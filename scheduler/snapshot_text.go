package scheduler

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/internal/durations"
)

// String returns a few words, such as "12 of 60 requests" or "unlimited tokens".
func (b Budget) String() string {
	if b.Limit == bucket.Unlimited {
		return "unlimited " + cmp.Or(b.Name, "tokens")
	}
	text := fmt.Sprintf("%d of %s", b.Available, tokens(b.Limit.Capacity, b.Name))
	switch {
	case b.Store == nil:
	case b.Store.Away:
		text += " (store away)"
	case b.Store.Sharers > 0:
		text += fmt.Sprintf(" (shared by %d)", b.Store.Sharers)
	}
	return text
}

// String returns a line such as
//
//	12 of 60 requests and 4120 of 9000 tokens left, 41 queued, 8 running, 3 backing off (next in 1.2s), held for 12s; ended: 187, retries: 14
func (s Snapshot) String() string {
	var b strings.Builder
	for i, budget := range s.Budgets {
		if i > 0 {
			b.WriteString(" and ")
		}
		b.WriteString(budget.String())
	}
	fmt.Fprintf(&b, " left, %d queued, %d running, %d backing off", s.Queued, s.Running, s.BackingOff)
	if !s.NextRetry.IsZero() {
		fmt.Fprintf(&b, " (next in %v)", durations.Round(s.NextRetry.Sub(s.At)))
	}
	if s.Later > 0 {
		fmt.Fprintf(&b, ", %d later", s.Later)
	}
	if !s.NextLater.IsZero() {
		fmt.Fprintf(&b, " (next in %v)", durations.Round(s.NextLater.Sub(s.At)))
	}
	if s.Keys > 0 {
		fmt.Fprintf(&b, ", keys: %d (%d compete, %d blocked)", s.Keys, s.KeysCompeting, s.KeysBlocked)
	}
	if !s.HeldUntil.IsZero() {
		fmt.Fprintf(&b, ", held for %v", durations.Round(s.HeldUntil.Sub(s.At)))
	}
	if s.Paused {
		b.WriteString(", paused")
	}
	if !s.PausedUntil.IsZero() {
		fmt.Fprintf(&b, " for %v", durations.Round(s.PausedUntil.Sub(s.At)))
	}
	if s.Rate != 1 {
		fmt.Fprintf(&b, ", slowed to %.0f%%", 100*s.Rate)
	}
	if s.Closed {
		b.WriteString(", closed")
	}
	fmt.Fprintf(&b, "; ended: %d, retries: %d", s.Totals.Ended(), s.Totals.Retries)
	return b.String()
}
