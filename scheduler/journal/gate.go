package journal

import "sync"

// gate lets handlers run side by side, and a suspect alone: see Config.MaxCrashes. Suspects run in the order in which they
// come, before all others. It is not a sync.RWMutex, since goroutines that wait for one are busy in a synctest bubble.
type gate struct {
	mu         sync.Mutex
	changed    sync.Cond
	running    int
	came, left uint64 // suspects
}

func newGate() *gate {
	g := new(gate)
	g.changed.L = &g.mu
	return g
}

// enter waits until a handler may run.
func (g *gate) enter(suspect bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if suspect {
		mine := g.came
		g.came++
		for g.left != mine || g.running > 0 {
			g.changed.Wait()
		}
	} else {
		for g.left != g.came {
			g.changed.Wait()
		}
	}
	g.running++
}

// leave ends what enter began.
func (g *gate) leave(suspect bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.left != g.came
	if g.running--; suspect {
		g.left++
	}
	if waiting {
		g.changed.Broadcast()
	}
}

// passage is the way of one handler through the gate. While the handler waits for another call, it is outside: otherwise a
// suspect and a handler that waits for it would deadlock.
type passage struct {
	gate    *gate
	suspect bool

	mu    sync.Mutex
	waits int // of goroutines of the handler
	over  bool
}

// pass waits until a handler may run.
func (g *gate) pass(suspect bool) *passage {
	g.enter(suspect)
	return &passage{gate: g, suspect: suspect}
}

// end notes that the handler has returned.
func (p *passage) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over = true; p.waits == 0 {
		p.gate.leave(p.suspect)
	}
}

// stepOut notes that a goroutine of the handler begins to wait for another call.
func (p *passage) stepOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits++; p.waits == 1 && !p.over {
		p.gate.leave(p.suspect)
	}
}

// stepIn ends what stepOut began. It waits until the handler may run again.
func (p *passage) stepIn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits--; p.waits == 0 && !p.over {
		p.gate.enter(p.suspect)
	}
}
