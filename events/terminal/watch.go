package terminal

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// Config says what is shown, and where. The zero Config works.
type Config struct {
	// Out is where it is shown. Nil means os.Stderr.
	Out io.Writer

	// Title is what all of it is called. Empty means no title.
	Title string

	// Total is how many calls there will be. Zero means that it is not known: then there is no bar
	// and no ETA.
	Total int64

	// Done says how many of the Total are done, and how many of those have failed, for programs
	// that count better than the scheduler: those that were done by an earlier run, for instance.
	// It is called ten times a second by one goroutine, and must not call Stop. Nil means the
	// calls that have ended since Watch, and those of them that have not succeeded.
	Done func() (done, failed int64)
}

// How often what is done.
const (
	everyLook = 100 * time.Millisecond
	firstLine = 2 * time.Second
	everyLine = 30 * time.Second // at most
)

// longestBegun is how many bytes of an unfinished line are kept.
const longestBegun = 1 << 16

// View shows a scheduler. Its methods may be called from any goroutine.
type View struct {
	s    *scheduler.Scheduler
	done func() (done, failed int64)

	stop  func()
	quit  chan struct{}
	ended chan struct{}

	mu     sync.Mutex // held while something is written
	out    io.Writer
	screen *screen // nil where there is none: then there are plain lines
	style  style
	course *course
	counts counts
	begun  []byte // of a line that was written without its end
	over   bool

	next time.Duration // when another plain line is due, since Watch
	gap  time.Duration // how long it is waited for
}

// Watch shows a scheduler until Stop is called. It panics if s is nil.
func Watch(s *scheduler.Scheduler, cfg Config) *View {
	if s == nil {
		panic("terminal: there is no scheduler to watch: it is nil")
	}
	if cfg.Out == nil {
		cfg.Out = os.Stderr
	}
	where := inEnvironment(os.Getenv)
	v := &View{
		s: s, done: cfg.Done, quit: make(chan struct{}), ended: make(chan struct{}),
		out: cfg.Out, screen: terminalOf(cfg.Out, where),
		style:  style{cfg.Title, cfg.Total, where.ascii},
		course: begin(s.Snapshot()), next: firstLine, gap: firstLine,
	}
	v.stop = sync.OnceFunc(func() {
		close(v.quit)
		<-v.ended
	})
	go v.run()
	return v
}

// Stop shows the last state, and leaves it there: whatever is written to Out afterwards comes
// below. It may be called more than once, and after the scheduler was closed.
func (v *View) Stop() { v.stop() }

// Write writes lines to Out, above the picture if there is one. The beginning of a line waits for
// its end or for Stop, unless it is longer than 64 KiB. After Stop nothing waits. Control
// characters except line ends and tabs are made visible as by [Visible]. That includes colour
// codes, so turn a logger's colours off.
func (v *View) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		if _, err := v.out.Write(message(p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	whole, rest := append(v.begun, p...), []byte(nil)
	switch end := bytes.LastIndexByte(whole, '\n') + 1; {
	case end > 0:
		whole, rest = whole[:end], append(rest, whole[end:]...)
	case len(whole) <= longestBegun:
		v.begun = whole
		return len(p), nil
	default:
		whole = append(whole, '\n')
	}
	v.begun = rest
	if err := v.show(message(whole)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show writes whole lines, and the picture as it should be now.
func (v *View) show(message []byte) error {
	if v.screen != nil {
		return v.screen.draw(message, v.picture)
	}
	if len(message) == 0 {
		return nil
	}
	_, err := v.out.Write(message)
	return err
}

func (v *View) picture(columns int) []line {
	return v.style.picture(v.course, v.counts, v.over, columns)
}

// run looks at the scheduler until Stop, and shows what it sees.
func (v *View) run() {
	defer close(v.ended)
	timer := clock.System().NewTimer(everyLook)
	defer timer.Stop()
	for {
		select {
		case <-timer.C():
			v.look(false)
			timer.Reset(everyLook)
		case <-v.quit:
			v.look(true)
			return
		}
	}
}

// look takes in the state, and shows it where that is due. If Out fails, the next look may have
// more luck.
func (v *View) look(over bool) {
	snap := v.s.Snapshot()
	var n counts
	if v.done != nil {
		n.done, n.failed = v.done() // not while the lock is held: it may write a message
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.course.see(snap)
	if v.done == nil {
		n.done, n.failed = v.course.ended()
	}
	v.counts, v.over = n, over
	var lines []byte
	if over && len(v.begun) > 0 {
		lines = message(append(v.begun, '\n'))
	}
	if v.screen == nil && (over || v.due()) {
		lines = append(lines, v.style.plain(v.course, n, over)+"\n"...)
	}
	_ = v.show(lines)
}

// due reports whether it is time for another plain line.
func (v *View) due() bool {
	elapsed := v.course.elapsed()
	if elapsed < v.next {
		return false
	}
	v.gap = min(2*v.gap, everyLine)
	v.next = elapsed + v.gap
	return true
}
