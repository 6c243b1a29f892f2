package journal

import (
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
)

// attemptOf is an attempt of a call.
type attemptOf struct {
	id      string
	attempt int
}

// check compares what the child has told and left in the file with the log of the server. It returns how many
// runs were repeated.
func (k *killer) check() (again int) {
	log := k.server.entries()
	runs := map[attemptOf][]*entry{}
	succeeded := map[string]bool{}
	for _, e := range log {
		runs[attemptOf{e.id, e.attempt}] = append(runs[attemptOf{e.id, e.attempt}], e)
		succeeded[e.id] = succeeded[e.id] || e.status == http.StatusOK
		if end := k.finished[e.id]; end != 0 && e.life > end {
			k.t.Errorf("%s had ended after life %d, and ran in life %d", e.id, end, e.life)
		}
		if e.repeated && !k.ranBefore(e) {
			k.t.Errorf("%s is said to be repeated in life %d, but did not run before", e.id, e.life)
		}
	}
	for a, all := range runs {
		slices.SortFunc(all, func(a, b *entry) int { return a.life - b.life })
		for i, e := range all[1:] {
			again++
			k.checkRepeated(a, all[i].life, e)
		}
	}
	for id := range k.acked {
		require.True(k.t, succeeded[id], "%s never got through", id)
	}
	if k.checkAlone(log); !k.moves {
		k.checkPaid(log)
	}
	suspects := 0
	for _, l := range k.left {
		suspects += len(l.running)
	}
	k.t.Logf("%d kills (%v) in %d lives: %d calls acknowledged, %d ended, %d runs, %d suspects (one up to %d times alone), %d run again, 0 lost, %v",
		k.kills, k.when, k.plan.Life, len(k.acked), len(k.ended), len(log), suspects, k.crashes, again, time.Since(k.began).Round(time.Millisecond))
	return again
}

// checkPaid checks that the lives before the last have paid for all their runs.
func (k *killer) checkPaid(log []*entry) {
	runs := 0
	for _, e := range log {
		if e.life < k.plan.Life {
			runs++
		}
	}
	if paid := burst + int(k.killing.Seconds()*float64(k.rate)); runs > paid {
		k.t.Errorf("%d runs in %v: the limit allows %d", runs, k.killing, paid)
	}
}

// checkRepeated checks a run of an attempt that had run before in an earlier life.
func (k *killer) checkRepeated(a attemptOf, before int, e *entry) {
	if e.life == before {
		k.t.Errorf("attempt %d of %s ran twice in life %d", a.attempt, a.id, e.life)
	}
	if !e.repeated {
		k.t.Errorf("attempt %d of %s ran again in life %d, and was not told", a.attempt, a.id, e.life)
	}
	for life := before; life < e.life; life++ {
		if k.left[life-1].running[a.id] != a.attempt {
			k.t.Errorf("attempt %d of %s ran in life %d and again in life %d, but was not running at the end of life %d",
				a.attempt, a.id, before, e.life, life)
		}
	}
}

// ranBefore reports whether a call was running at the end of a life before that of an entry.
func (k *killer) ranBefore(e *entry) bool {
	return slices.ContainsFunc(k.left[:e.life-1], func(l leftover) bool { return l.running[e.id] != 0 })
}

// checkAlone checks that no call ran side by side with one that was a suspect after an unclean end.
func (k *killer) checkAlone(log []*entry) {
	for i, e := range log {
		if e.life == 1 || k.left[e.life-2].clean || k.left[e.life-2].running[e.id] != e.attempt {
			continue
		}
		for _, other := range slices.Concat(log[max(0, i-50):i], log[i+1:min(len(log), i+50)]) {
			if other.life == e.life && other.came.Before(e.answered) && e.came.Before(other.answered) {
				k.t.Errorf("%s, a suspect, ran side by side with %s in life %d", e.id, other.id, e.life)
			}
		}
	}
}
