package terminal

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// programEnv makes the test binary run program instead of tests. Its value is the address to connect to.
const programEnv = "FAIRLEAD_TERMINAL_TEST"

// program shows a scheduler of five calls. Two are done, one backs off, and two run until the
// connection ends. It writes each line from the connection as a message.
func program(address string) {
	conn, err := net.Dial("tcp", address)
	must(err)
	s, err := scheduler.New(scheduler.Config{
		Limits: bucket.Limits{"requests": bucket.Per(60, 24*time.Hour)},
		Retry:  retry.Policy{Initial: 5 * time.Minute, Max: 5 * time.Minute, Jitter: retry.None},
	})
	must(err)
	view := Watch(s, Config{Title: "crawl", Total: 5})
	done := make(chan struct{})
	var calls []*scheduler.Handle
	for i := range 5 {
		h, err := s.Submit(context.Background(), func(context.Context) error {
			switch {
			case i == 2:
				return retry.Transient(errors.New("busy"))
			case i > 2:
				<-done
			}
			return nil
		})
		must(err)
		calls = append(calls, h)
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		fmt.Fprintln(view, lines.Text())
	}
	close(done)
	<-calls[3].Done()
	<-calls[4].Done()
	s.Close()
	view.Stop()
	fmt.Println("over")
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// pane is a program in a terminal, which is a pane of its own tmux server.
type pane struct {
	t      *testing.T
	socket string
	tell   net.Conn
}

// newPane starts the program in a terminal with that many columns.
func newPane(t *testing.T, columns int) *pane {
	if _, err := exec.LookPath("tmux"); err != nil {
		require.Empty(t, os.Getenv("CI"), "CI has to test the picture in a terminal, but there is no tmux")
		t.Skip("there is no tmux to draw the picture in")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	p := &pane{t: t, socket: "fairlead-" + rand.Text()}
	t.Cleanup(func() { _ = exec.Command("tmux", "-L", p.socket, "kill-server").Run() }) // fails if tmux did not start
	p.tmux("-f", os.DevNull, "-u", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", "24",
		"env", "-u", "CI", "-u", "NO_COLOR", "LC_ALL=C.UTF-8", programEnv+"="+listener.Addr().String(),
		"sh", "-c", `"$1"; exec cat`, "sh", os.Args[0])
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)))
	p.tell, err = listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.tell.Close() }) // fails if the test has closed it
	return p
}

func (p *pane) tmux(args ...string) string {
	out, err := exec.Command("tmux", append([]string{"-L", p.socket}, args...)...).CombinedOutput()
	require.NoError(p.t, err, "tmux %v: %s", args, out)
	return string(out)
}

// say makes the program write messages.
func (p *pane) say(messages ...string) {
	for _, m := range messages {
		_, err := fmt.Fprintln(p.tell, m)
		require.NoError(p.t, err)
	}
}

func (p *pane) resize(columns int) {
	p.tmux("resize-window", "-x", fmt.Sprint(columns), "-y", "24")
}

// lines returns all lines of the terminal, in its window and above it. Wrapped rows count as one line.
func (p *pane) lines() []string {
	var lines []string
	for _, l := range strings.Split(p.tmux("capture-pane", "-p", "-J", "-S", "-"), "\n") {
		if l = strings.TrimRight(l, " "); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// await waits until the terminal has exactly these messages, each once and in order, and below them
// lines that match the patterns.
func (p *pane) await(messages []string, patterns ...string) {
	p.t.Helper()
	var want []string
	for _, m := range messages {
		want = append(want, regexp.QuoteMeta(m))
	}
	whole := regexp.MustCompile("^" + strings.Join(append(want, patterns...), "\n") + "$")
	var got string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = strings.Join(p.lines(), "\n"); whole.MatchString(got) {
			return
		}
	}
	p.t.Fatalf("the terminal does not show this:\n%s\nbut this:\n%s", whole, got)
}

// TestTerminal checks that a real terminal shows one picture, however the window changes and whatever
// is written meanwhile.
func TestTerminal(t *testing.T) {
	p := newPane(t, 100)
	head := `crawl  █+░+  2/5  40%  \S+/s  ETA \S+`
	p.await(nil, head, `55 of 60 requests left · 2 running · 0 queued · 1 backing off \(next in 4m\d\ds\)`)

	var said []string
	say := func(messages ...string) {
		p.say(messages...)
		said = append(said, messages...)
	}
	for i := range 6 {
		say(fmt.Sprintf("message %d", i))
	}
	wide := []string{head, `55 of 60 requests left · 2 running · 0 queued · 1 backing off \(next in \S+s\)`}
	narrow := []string{head, `55 of 60 requests left · 2 running · 0 queued`, `1 backing off \(next in \S+s\)`}
	p.await(said, wide...)
	for range 2 {
		p.resize(50)
		p.await(said, narrow...)
		say("while it is narrow, there is a long message that the terminal wraps by itself")
		p.await(said, narrow...)
		p.resize(120)
		p.await(said, wide...)
		say("while it is wide")
		p.await(said, wide...)
	}
	p.resize(50)
	p.await(said, narrow...)
	require.NoError(t, p.tell.Close())
	p.await(said, `crawl  █+  5/5  100%  1 failed  \S+/s`, `in \S+s`,
		`55 of 60 requests left · 0 running · 0 queued`, `closed`, `over`)
}
