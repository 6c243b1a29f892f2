package core

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// move is one input of the core, or time that passes.
type move struct {
	verb verb
	call int // serial number of the call, from 0

	// Of a submitted call.
	costs          Costs
	priority       int
	deadline       time.Duration // from now; 0: none
	later          time.Duration // from now; 0: it takes its place at once
	noWait         bool
	maxWait        time.Duration // 0: none
	wantsAdmission bool
	bare           bool // has no options
	inside         int  // the call inside which it is made, counted from 1
	watched        bool
	key            int   // its number, from 1; 0: none. Also of the moves that name a key
	weight         int64 // 0: none is given

	verdict retry.Verdict // fail
	d       time.Duration // advance, pause, restart; wall: by how much it is set forward
	late    bool          // settle: for an attempt that is over
	again   bool          // settle: the request was sent once more
	n       int           // slots, room, or the number of a budget
	limit   bucket.Limit

	stall time.Duration // how much later the grants are handed over
}

type verb uint8

const (
	moveSubmit verb = iota
	moveSucceed
	moveFail
	moveStart
	moveAbandon
	moveCancel
	moveWithdraw
	moveAdvance
	moveSleep
	moveAsk
	movePriority
	moveDryRun
	moveSnapshot
	movePause
	moveResume
	moveSetLimit
	moveSetSlots
	moveSetRoom
	moveSettle
	moveObserve
	moveLearn
	moveSetWall
	movePauseKey
	moveSetLimitOfKey
	moveForgetKey
	moveObserveKey
	moveLearnKey
	moveDrain
	moveRestart
	moveVerbs
)

// text returns the move as a command of a transcript.
func (m move) text() string {
	if m.stall > 0 {
		return fmt.Sprintf("%s stall=%v", m.command(), m.stall)
	}
	return m.command()
}

func (m move) command() string {
	name := fmt.Sprintf("c%d", m.call)
	switch m.verb {
	case moveSubmit:
		var b strings.Builder
		fmt.Fprintf(&b, "submit %s cost=%s", name, m.costs.text())
		if m.priority != 0 {
			fmt.Fprintf(&b, " priority=%d", m.priority)
		}
		if m.deadline != 0 {
			fmt.Fprintf(&b, " deadline=+%v", m.deadline)
		}
		if m.later != 0 {
			fmt.Fprintf(&b, " later=+%v", m.later)
		}
		if m.later != 0 && m.tracked() {
			b.WriteString(" tracked=yes")
		}
		if m.noWait {
			b.WriteString(" nowait=yes")
		}
		if m.maxWait != 0 {
			fmt.Fprintf(&b, " maxwait=%v", m.maxWait)
		}
		if !m.wantsAdmission {
			b.WriteString(" asks=no")
		}
		if m.key > 0 {
			b.WriteString(" key=" + m.keyName())
		}
		if m.weight > 0 {
			fmt.Fprintf(&b, " weight=%d", m.weight)
		}
		if m.inside > 0 {
			fmt.Fprintf(&b, " inside=c%d", m.inside-1)
		}
		return b.String()
	case moveSucceed:
		return "done " + name
	case moveFail:
		kind := map[retry.Kind]string{retry.KindFinal: "final", retry.KindTransient: "transient", retry.KindRateLimited: "limited"}[m.verdict.Kind]
		text := fmt.Sprintf("fail %s %s", name, kind)
		if m.verdict.Wait > 0 {
			text += fmt.Sprintf(" wait=%v", m.verdict.Wait)
		}
		switch m.verdict.Scope {
		case retry.ScopeCall:
			text += " alone=yes"
		case retry.ScopeKey:
			text += " scope=key"
		case retry.ScopeAll:
			text += " scope=all"
		}
		if m.verdict.Budget != "" {
			text += " budget=" + m.verdict.Budget
		}
		return text
	case moveStart:
		return "start " + name
	case moveAbandon:
		return "abandon " + name
	case moveCancel:
		return "cancel " + name
	case moveWithdraw:
		return "withdraw " + name
	case moveAdvance:
		return fmt.Sprintf("advance %v", m.d)
	case moveSleep:
		return fmt.Sprintf("sleep %v", m.d)
	case movePriority:
		return fmt.Sprintf("priority %s to=%d", name, m.priority)
	case moveAsk:
		return "estimate " + name
	case moveDryRun:
		text := fmt.Sprintf("dryrun cost=%s priority=%d", m.costs.text(), m.priority)
		if m.later != 0 {
			text += fmt.Sprintf(" later=+%v", m.later)
		}
		return text
	case moveSnapshot:
		return "snapshot"
	case movePause:
		if m.d == bucket.Forever {
			return "pause"
		}
		return fmt.Sprintf("pause %v", m.d)
	case moveResume:
		return "resume"
	case moveSetLimit:
		return fmt.Sprintf("setlimit %s budget=%d", limitText(m.limit), m.n)
	case moveSettle:
		if m.again {
			return "resent " + name + []string{"", " late=yes"}[b2i(m.late)]
		}
		return fmt.Sprintf("settle %s cost=%d budget=%d", name, m.costs[0], m.n) + []string{"", " late=yes"}[b2i(m.late)]
	case moveObserve:
		return fmt.Sprintf("observe %d budget=%d", m.costs[0], m.n)
	case moveLearn:
		return fmt.Sprintf("learn %d %s budget=%d", m.costs[0], limitText(m.limit), m.n)
	case moveSetSlots:
		return fmt.Sprintf("setslots %d", m.n)
	case moveSetRoom:
		return fmt.Sprintf("setroom %d", m.n)
	case moveSetWall:
		return fmt.Sprintf("wall %v", m.d)
	case movePauseKey:
		return fmt.Sprintf("pausekey %s %v", m.keyName(), m.d)
	case moveSetLimitOfKey:
		return fmt.Sprintf("setlimitofkey %s %s budget=%d", m.keyName(), limitText(m.limit), m.n)
	case moveForgetKey:
		return "forgetkey " + m.keyName()
	case moveObserveKey:
		return fmt.Sprintf("observekey %s %d budget=%d", m.keyName(), m.costs[0], m.n)
	case moveLearnKey:
		return fmt.Sprintf("learnkey %s %d %s budget=%d", m.keyName(), m.costs[0], limitText(m.limit), m.n)
	case moveDrain:
		return "drain"
	}
	return fmt.Sprintf("restart %v", m.d)
}

// keyName returns the name of the move's key.
func (m move) keyName() string {
	if m.key == 0 {
		return ""
	}
	return fmt.Sprintf("k%d", m.key)
}

// text returns the costs of as many budgets as a run has at most.
func (s Costs) text() string {
	if s[3] == 0 && s[4] == 0 {
		return fmt.Sprintf("%d,%d,%d", s[0], s[1], s[2])
	}
	return fmt.Sprintf("%d,%d,%d,%d,%d", s[0], s[1], s[2], s[3], s[4])
}

func limitText(l bucket.Limit) string {
	text := fmt.Sprintf("%d/%v capacity=%d", l.Refill, l.Per, l.Capacity) + []string{"", " strict=yes"}[b2i(l.Strict)]
	if l.Reset != (bucket.Reset{}) {
		text += fmt.Sprintf(" every=%v from=%d", l.Reset.Every, l.Reset.From) + []string{"", " first=yes"}[b2i(l.Reset.FromFirst)]
	}
	return text
}

// drawRetryBudget returns a retry budget, or mostly nil.
func drawRetryBudget(rnd *rand.Rand) *retry.Budget {
	if rnd.IntN(4) > 0 {
		return nil
	}
	return &retry.Budget{
		Ratio:     []float64{0, 0.001, 0.25, 1}[rnd.IntN(4)],
		PerSecond: []float64{0, 0.001, 0.5, 1000}[rnd.IntN(4)],
		Burst:     []int{0, 1, 2}[rnd.IntN(3)],
	}
}
