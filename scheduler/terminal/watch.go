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

// Config says what a View shows, and where. The zero Config works.
type Config struct {
	// Out is where the View writes. Nil means os.Stderr.
	Out io.Writer

	// Title is shown at the beginning. It may be empty.
	Title string

	// Total is the number of calls that there will be. Zero means unknown, without a bar and
	// an ETA.
	Total int64

	// Keys is how many of the most loaded keys are shown, each on a line of its own (see scheduler.Key).
	// They are shown only while calls with keys wait or run. With Keys the View subscribes to events, so no call
	// takes the fast path. Zero means that no keys are shown.
	Keys int

	// Done returns how many of the Total are done, and how many of these failed. It is for programs
	// that know better than the scheduler, for instance after an earlier run. It is called ten
	// times a second by one goroutine, and must not call Stop. Nil counts the calls that have ended
	// since Watch; all that did not succeed count as failed.
	Done func() (done, failed int64)
}

// The intervals at which a View does things.
const (
	updateInterval = 100 * time.Millisecond
	firstLineAfter = 2 * time.Second
	maxLineGap     = 30 * time.Second
)

// maxPartial is how many bytes of an unfinished line are kept.
const maxPartial = 1 << 16

// View shows the progress of a scheduler. Its methods may be called from any goroutine.
type View struct {
	s    *scheduler.Scheduler
	done func() (done, failed int64)
	keys *keyWatch // nil without Config.Keys

	stop     func()
	quit     chan struct{}
	finished chan struct{}

	mu      sync.Mutex // held during writes to out
	out     io.Writer
	screen  *screen // nil if out is no terminal; then plain lines are written
	style   style
	history *history
	counts  counts
	partial []byte // a message's last line, until its end is written
	stopped bool

	nextLine time.Duration // when the next plain line is due, since Watch
	lineGap  time.Duration // the time between the last plain line and that
}

// Watch shows a scheduler until Stop is called. It panics if s is nil.
func Watch(s *scheduler.Scheduler, cfg Config) *View {
	if s == nil {
		panic("terminal: the scheduler to watch is nil")
	}
	if cfg.Out == nil {
		cfg.Out = os.Stderr
	}
	env := readEnvironment(os.Getenv)
	v := &View{
		s: s, done: cfg.Done, quit: make(chan struct{}), finished: make(chan struct{}),
		out: cfg.Out, screen: newScreen(cfg.Out, env),
		style:   style{cfg.Title, cfg.Total, env.ascii},
		history: newHistory(s.Snapshot()), nextLine: firstLineAfter, lineGap: firstLineAfter,
	}
	if cfg.Keys > 0 {
		v.keys = watchKeys(s, cfg.Keys)
	}
	v.stop = sync.OnceFunc(func() {
		close(v.quit)
		<-v.finished
	})
	go v.run()
	return v
}

// Stop shows the last state and leaves it there. What is written to Out afterwards comes below
// it. Stop may be called more than once, and after the scheduler was closed.
func (v *View) Stop() { v.stop() }

// Write writes lines to Out, above the picture if there is one. An unfinished line is kept until its
// end or Stop, unless it is longer than 64 KiB. After Stop text is written at once. Control characters
// except line ends and tabs are made visible as by [Visible]. That includes color codes, so turn
// a logger's colors off.
func (v *View) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stopped {
		if _, err := v.out.Write(message(p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	whole, rest := append(v.partial, p...), []byte(nil)
	switch end := bytes.LastIndexByte(whole, '\n') + 1; {
	case end > 0:
		whole, rest = whole[:end], append(rest, whole[end:]...)
	case len(whole) <= maxPartial:
		v.partial = whole
		return len(p), nil
	default:
		whole = append(whole, '\n')
	}
	v.partial = rest
	if err := v.show(message(whole)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show writes whole lines, and the picture as it is now.
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
	return v.style.picture(v.history, v.counts, v.stopped, columns)
}

// run updates the view until Stop.
func (v *View) run() {
	defer close(v.finished)
	timer := clock.System().NewTimer(updateInterval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C():
			v.update(false)
			timer.Reset(updateInterval)
		case <-v.quit:
			if v.keys != nil {
				v.keys.stop() // first, so that all events are read
			}
			v.update(true)
			return
		}
	}
}

// update takes a snapshot and shows it if that is due. If Out fails, the next update tries again.
func (v *View) update(stopped bool) {
	snap := v.s.Snapshot()
	var n counts
	if v.done != nil {
		n.done, n.failed = v.done() // without the lock, because it may write a message
	}
	var keys loads
	if v.keys != nil {
		keys = v.keys.look(snap)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.history.add(snap)
	v.history.keys = keys
	if v.done == nil {
		n.done, n.failed = v.history.ended()
	}
	v.counts, v.stopped = n, stopped
	var lines []byte
	if stopped && len(v.partial) > 0 {
		lines = message(append(v.partial, '\n'))
	}
	if v.screen == nil && (stopped || v.due()) {
		lines = append(lines, v.style.plain(v.history, n, stopped)+"\n"...)
	}
	_ = v.show(lines)
}

// due reports whether it is time for the next plain line.
func (v *View) due() bool {
	elapsed := v.history.elapsed()
	if elapsed < v.nextLine {
		return false
	}
	v.lineGap = min(2*v.lineGap, maxLineGap)
	v.nextLine = elapsed + v.lineGap
	return true
}
