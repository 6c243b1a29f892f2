// Package proof tests the HTTP transport with clients and servers of other projects. It has only tests, and
// setup.sh installs the servers.
package proof

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
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

// skipOrFail skips a test because something is not installed. In CI it fails the test.
func skipOrFail(t *testing.T, what string) {
	t.Helper()
	what += ": run make proof, which gets it where it can be had"
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// program returns the path of an installed program.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	skipOrFail(t, "there is no "+name)
	return ""
}

// module returns the path of a file in an npm package.
func module(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("node_modules", path))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		skipOrFail(t, "there is no "+path)
	}
	return path
}

// child is a server in its own process.
type child struct {
	cmd   *exec.Cmd
	said  sync.WaitGroup
	lines chan string // of its output, until they are not read any more
}

// start starts a server, and stops it at the end of the test.
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
			default: // the test does not read any more
			}
		}
	})
	t.Cleanup(c.stop)
	return c
}

// stop asks the server to end, and waits for that. nginx writes its log before it ends.
func (c *child) stop() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.said.Wait()
		_ = c.cmd.Wait()
	}
}

// waitFor waits for a line that matches, and returns the first group.
func (c *child) waitFor(t *testing.T, pattern string) string {
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

// getJSON gets a URL without the transport.
func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(v))
}

// counted is a scheduler whose events are counted.
type counted struct {
	*scheduler.Scheduler
	sub *events.Subscription
}

// manyRetries is a policy for servers that refuse often.
var manyRetries = retry.Policy{MaxRetries: 100, Initial: 10 * time.Millisecond, Max: 100 * time.Millisecond}

func schedule(t *testing.T, cfg scheduler.Config) *counted {
	cfg.EventBuffer = 100_000
	cfg.Retry = manyRetries
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &counted{s, s.Subscribe(events.Ends | events.Of(events.Granted, events.Retrying))}
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

// client returns a client with connections of its own.
func (c *counted) client(t *testing.T, tr ratehttp.Transport) *http.Client {
	tr.Scheduler, tr.Base = c.Scheduler, &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: &tr}
}

// getAll makes n requests at once, and checks that all are answered.
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

// fast is a limit far above that of any server here.
var fast = bucket.PerSecond(10_000)
