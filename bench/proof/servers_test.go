// Package proof runs the transport against clients and servers that nobody here wrote. It has nothing but tests;
// setup.sh gets the servers.
package proof

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// missing ends a test for want of what it tests against: in CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	what += ": run make proof, which gets it where it can be had"
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// program finds one that is installed.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	missing(t, "there is no "+name)
	return ""
}

// module finds a file of an npm package.
func module(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("node_modules", path))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		missing(t, "there is no "+path)
	}
	return path
}

// child is a server in a process of its own.
type child struct {
	cmd   *exec.Cmd
	said  sync.WaitGroup
	lines chan string // what it says until somebody has heard enough
}

// start starts a server, which is stopped at the end of the test.
func start(t *testing.T, name string, args ...string) *child {
	c := &child{cmd: exec.Command(name, args...), lines: make(chan string, 1000)}
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.cmd.Stderr = c.cmd.Stdout
	require.NoError(t, c.cmd.Start())
	c.said.Go(func() {
		defer close(c.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			select {
			case c.lines <- in.Text():
			default: // nobody listens any more
			}
		}
	})
	t.Cleanup(c.stop)
	return c
}

// stop asks the server to end, as nginx does after it has written its log, and waits for that.
func (c *child) stop() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.said.Wait()
		_ = c.cmd.Wait()
	}
}

// says waits for a line and returns what its first group matches.
func (c *child) says(t *testing.T, pattern string) string {
	t.Helper()
	var all []string
	for line := range c.lines {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(line); m != nil {
			return m[1]
		}
		all = append(all, line)
	}
	t.Fatalf("the server ended without %q:\n%s", pattern, strings.Join(all, "\n"))
	return ""
}

// freePort is one that nobody listens on, just now.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// getJSON asks a server directly.
func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(v))
}

// counted is a scheduler of which the events are counted.
type counted struct {
	*scheduler.Scheduler
	sub *events.Subscription
}

// patient is a policy for servers that refuse a lot.
var patient = retry.Policy{MaxRetries: 100, Initial: 10 * time.Millisecond, Max: 100 * time.Millisecond}

func schedule(t *testing.T, cfg scheduler.Config) *counted {
	cfg.EventBuffer = 100_000
	cfg.Retry = patient
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &counted{s, s.Subscribe(events.Granted, events.Retrying, events.Succeeded, events.Failed, events.Exhausted, events.Cancelled)}
}

// count closes the scheduler and counts its events by kind.
func (c *counted) count() map[events.Kind]int {
	c.Close()
	n := map[events.Kind]int{}
	for ev := range c.sub.C {
		n[ev.Kind]++
	}
	return n
}

// client has connections of its own.
func (c *counted) client(t *testing.T, tr ratehttp.Transport) *http.Client {
	tr.Scheduler, tr.Base = c.Scheduler, &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: &tr}
}

// getAll has n requests answered, all at once.
func getAll(t *testing.T, c *http.Client, url string, n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := c.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, res.Body)
			if err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%s, %v", res.Status, err)
			}
		})
	}
	all.Wait()
}

// fast is a limit that is no match for any server here.
var fast = bucket.PerSecond(10_000)
