package core

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLivesWithAClockThatIsSet runs lives in which the wall clock is set back or ahead at restarts. Such lives differ
// from those without, so the rules are checked. No call is lost, or has the number of another. Calls of one priority
// keep their order, by number if both count as arriving now. No new call goes before one that has arrived. No backoff
// is longer than the policy's longest (C18, resumed; C19, numbers; H121).
func TestLivesWithAClockThatIsSet(t *testing.T) {
	seed := drawSeed(*livesSeed)
	restarts := 0
	for i := range *livesCount {
		p := drawProgram(seed + uint64(i))
		rnd := rand.New(rand.NewPCG(p.seed, 6))
		span := 1 + p.plans[len(p.plans)-1].at
		for j := range p.clock {
			p.clock[j] = []time.Duration{-1, -span / 2, -100 * span, 100 * span, -50 * 365 * 24 * time.Hour, 50 * 365 * 24 * time.Hour}[rnd.IntN(6)]
		}
		l := newLived(p)
		l.again = true
		l.checks = func(format string, args ...any) {
			t.Helper()
			t.Fatalf("-lives.seed=%d: at %v, after restarts at %v: "+format+"\n%+v\n%v", append(append([]any{p.seed, l.now, l.restarted}, args...), p.cfg, strings.Join(l.granted, "\n"))...)
		}
		l.run()
		restarts += len(l.restarted)
		checkEnds(l)
	}
	require.Greater(t, restarts, *livesCount/2)
}

// checkEnds checks that each call has ended once.
func checkEnds(l *livedCore) {
	ends := map[string]int{}
	for _, line := range l.ended {
		if before, _, found := strings.Cut(line, " ends after"); found {
			_, call, _ := strings.Cut(before, ": ")
			ends[call]++
		}
	}
	for call, n := range ends {
		if n != 1 {
			l.checks("%s ends %d times", call, n)
		}
	}
	if len(ends) != len(l.plans) {
		l.checks("%d of %d calls have ended", len(ends), len(l.plans))
	}
}

// checkNew checks that no call goes behind a new one of its priority.
func (l *livedCore) checkNew(c *Call) {
	if l.checks == nil || c.State == Ended || c.State == Later {
		return
	}
	for _, d := range l.k.Unfinished(l.now - l.origin) {
		switch {
		case d.ID == c.ID && d != c:
			l.checks("two calls have the number %d", c.ID)
		case d != c && d.State != Later && d.Priority() == c.Priority() && c.Before(d):
			l.checks("call %d is new and goes before call %d: %v and %v", c.Work, d.Work, c.Rank, d.Rank)
		}
	}
}

// checkRestart checks the calls that were resumed.
func (l *livedCore) checkRestart(old []*Call) {
	if l.checks == nil {
		return
	}
	now := l.k.Now
	for i, c := range old {
		again := l.calls[c.Work.(int)]
		if again.State == Ended {
			continue
		}
		if again.ID != c.ID || again.Priority() != c.Priority() || again.Paid() < c.Paid() {
			l.checks("call %d is not as it was: %+v, %+v", c.Work, c, again)
		}
		if longest := l.k.longestBackoff(again); again.State == BackingOff && (again.Due() < now || again.Due() > After(now, longest)) {
			l.checks("call %d backs off until %v: it is %v, and the longest backoff is %v", c.Work, again.Due(), now, longest)
		}
		if again.State != Later && again.Rank > l.k.rankAt(again, now) {
			l.checks("call %d arrives in the future: %v", c.Work, again.Rank)
		}
		for _, d := range old[:i] {
			before := l.calls[d.Work.(int)]
			if before.State != Ended && before.State != Later && again.State != Later && before.Priority() == again.Priority() && before.Rank > again.Rank {
				l.checks("call %d goes before call %d: %v and %v", c.Work, d.Work, again.Rank, before.Rank)
			}
		}
	}
}
