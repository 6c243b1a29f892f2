package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// file is a writer that records when it was written to.
type file struct {
	mu    sync.Mutex
	began time.Time
	text  strings.Builder
	shut  chan struct{} // if not nil, Write blocks until it is closed
}

func (f *file) Write(p []byte) (int, error) {
	if f.shut != nil {
		<-f.shut
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(&f.text, "%v|%s", time.Since(f.began), p)
	return len(p), nil
}

func (f *file) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String()
}

// bubble runs a test in a synctest bubble, on a scheduler with a token a second and a burst of five.
func bubble(t *testing.T, f func(t *testing.T, s *scheduler.Scheduler, out *file)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1).Burst(5)})
		require.NoError(t, err)
		defer s.Close()
		f(t, s, &file{began: time.Now()})
	})
}

// TestPlainLines checks that lines come 2 s after the start, then after twice as long each time up to 30 s, and at Stop.
func TestPlainLines(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		view := Watch(s, Config{Out: out, Title: "crawl", Total: 100})
		time.Sleep(550 * time.Millisecond) // so that nothing happens during an update
		for range 100 {
			_, err := s.Submit(t.Context(), func(context.Context) error { return nil })
			require.NoError(t, err)
		}
		time.Sleep(95*time.Second + 50*time.Millisecond)
		view.Stop()
		view.Stop()
		require.Equal(t, `2s|crawl: 6 of 100 done, 6%, ETA 1m34s; 0 of 5 tokens left, 94 queued, 0 running, 0 backing off; ended: 6, retries: 0
6s|crawl: 10 of 100 done, 10%, ETA 1m30s; 0 of 5 tokens left, 90 queued, 0 running, 0 backing off; ended: 10, retries: 0
14s|crawl: 18 of 100 done, 18%, ETA 1m22s; 0 of 5 tokens left, 82 queued, 0 running, 0 backing off; ended: 18, retries: 0
30s|crawl: 34 of 100 done, 34%, ETA 1m6s; 0 of 5 tokens left, 66 queued, 0 running, 0 backing off; ended: 34, retries: 0
1m0s|crawl: 64 of 100 done, 64%, ETA 36s; 0 of 5 tokens left, 36 queued, 0 running, 0 backing off; ended: 64, retries: 0
1m30s|crawl: 94 of 100 done, 94%, ETA 6s; 0 of 5 tokens left, 6 queued, 0 running, 0 backing off; ended: 94, retries: 0
1m35.6s|crawl: 100 of 100 done, 100%, in 1m36s; 0 of 5 tokens left, 0 queued, 0 running, 0 backing off; ended: 100, retries: 0
`, out.String())
	})
}

// TestDone checks that Done counts the calls that are done, or else the calls that have ended since Watch.
func TestDone(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		do := func(err error) { _ = s.Do(t.Context(), func(context.Context) error { return err }) }
		do(nil)
		view := Watch(s, Config{Out: out})
		do(nil)
		do(errors.New("malformed"))
		view.Stop()
		require.Contains(t, out.String(), "|2 done (1 failed), in 0.0s; ")

		view = Watch(s, Config{Out: out, Total: 50, Done: func() (done, failed int64) { return 40, 2 }})
		view.Stop()
		require.Contains(t, out.String(), "|40 of 50 done (2 failed), 80%, in 0.0s; ")
	})
}

// TestWrite checks that messages appear in whole lines, and at once.
func TestWrite(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		view := Watch(s, Config{Out: out})
		fmt.Fprint(view, "one ")
		require.Empty(t, out.String())
		fmt.Fprint(view, "line\nand")
		require.Equal(t, "0s|one line\n", out.String())
		fmt.Fprint(view, " another\nthe end")
		log.New(view, "log: ", 0).Print("a message")
		slog.New(slog.NewTextHandler(view, nil)).Info("hello")
		require.Equal(t, "0s|one line\n0s|and another\n0s|the endlog: a message\n0s|time=2000-01-01T00:00:00.000Z level=INFO msg=hello\n", out.String())

		fmt.Fprint(view, "never ended")
		view.Stop()
		require.Contains(t, out.String(), "\n0s|never ended\n0 done, in 0.0s; ")
		require.True(t, strings.HasSuffix(out.String(), " retries: 0\n"))
		fmt.Fprint(view, "as it is")
		require.True(t, strings.HasSuffix(out.String(), " retries: 0\n0s|as it is"))
	})
}

// TestWriteWithoutEnd checks that an unfinished line is kept up to a bound.
func TestWriteWithoutEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		view := Watch(s, Config{Out: out})
		defer view.Stop()
		dots := strings.Repeat(".", maxPartial)
		fmt.Fprint(view, dots)
		require.Empty(t, out.String())
		fmt.Fprint(view, ".")
		require.Equal(t, "0s|"+dots+".\n", out.String())
		fmt.Fprint(view, "more\nand more")
		require.Equal(t, "0s|"+dots+".\n0s|more\n", out.String())
	})
}

// full is a writer to a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteSaysWhatFailed(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, _ *file) {
		view := Watch(s, Config{Out: full{}})
		_, err := fmt.Fprintln(view, "a message")
		require.ErrorIs(t, err, errFull)
		time.Sleep(time.Minute)
		view.Stop()
	})
}

// TestBlockedWriter checks that calls go on while the terminal is stopped with Ctrl-S.
func TestBlockedWriter(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		out.shut = make(chan struct{})
		view := Watch(s, Config{Out: out})
		time.Sleep(3 * time.Second) // the first line is due
		for range 60 {
			require.NoError(t, s.Do(t.Context(), func(context.Context) error { return nil }))
		}
		require.Empty(t, out.String())
		require.Equal(t, 58*time.Second, time.Since(out.began), "5 at once, then one a second")
		close(out.shut)
		view.Stop()
		require.Contains(t, out.String(), "|60 done, in 58s; ")
	})
}

func TestClosed(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		view := Watch(s, Config{Out: out})
		s.Close()
		time.Sleep(time.Hour)
		view.Stop()
		require.Equal(t, "1h0m0s|0 done, in 0.0s; 5 of 5 tokens left, 0 queued, 0 running, 0 backing off, closed; ended: 0, retries: 0\n", out.String(), "a closed scheduler's state and time no longer change")
	})
}

func TestNoScheduler(t *testing.T) {
	require.PanicsWithValue(t, "terminal: the scheduler to watch is nil", func() { Watch(nil, Config{}) })
}

func TestEnvironment(t *testing.T) {
	const utf8 = "en_GB.UTF-8"
	for _, c := range []struct {
		env  map[string]string
		want environment
	}{
		{map[string]string{"TERM": "xterm"}, environment{live: true, colours: true}},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, environment{live: true}},
		{map[string]string{"TERM": "xterm", "CI": "true"}, environment{colours: true}},
		{map[string]string{"TERM": "dumb"}, environment{live: understands("dumb"), colours: true}},
		{map[string]string{}, environment{live: understands(""), colours: true}},
		{map[string]string{"TERM": "xterm", "LANG": "C"}, environment{live: true, colours: true, ascii: true}},
		{map[string]string{"TERM": "xterm", "LANG": "C", "LC_CTYPE": "C.utf8"}, environment{live: true, colours: true}},
		{map[string]string{"TERM": "xterm", "LANG": utf8, "LC_CTYPE": utf8, "LC_ALL": "POSIX"}, environment{live: true, colours: true, ascii: true}},
	} {
		require.Equal(t, c.want, readEnvironment(func(name string) string { return c.env[name] }), c.env)
	}
}

// TestScreen checks what is written to a terminal.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	columns, rows := 40, 10
	sc := &screen{out: &out, size: func() (int, int) { return columns, rows }}
	pictured := []line{{{"the first line", bold}}, {{"the second", ""}}}
	draw := func(message string) string {
		out.Reset()
		require.NoError(t, sc.draw([]byte(message), func(int) []line { return pictured }))
		return strings.ReplaceAll(out.String(), "\x1b", "^")
	}
	require.Equal(t, "\r^[?7lthe first line^[K\nthe second^[K\n^[?7h^[J", draw(""))
	require.Empty(t, draw(""), "nothing is new")
	pictured = []line{{{"the first line", bold}}}
	require.Equal(t, "\r^[2A^[?7lthe first line^[K\n^[?7h^[J", draw(""))
	require.Equal(t, "\r^[A^[2Ka message\n^[?7lthe first line^[K\n^[?7h^[J", draw("a message\n"))
	columns = 5
	require.Equal(t, "\r^[A^[2K^[A^[2K^[A^[2K^[?7lthe first line^[K\n^[?7h^[J", draw(""), "the terminal has wrapped the line to three rows")
	columns, rows, sc.colours = 40, 2, true
	pictured = []line{{{"the first line", bold}}, {{"the second", ""}}}
	require.Equal(t, "\r^[A^[2K^[?7l^[1mthe first line^[m^[K\n^[?7h^[J", draw(""), "two rows have room for one line and the cursor")
}
