// Package redistest starts Redis servers for tests.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/fairlead/bucket/storetest/loopback"
)

// Server is a Redis server in a temporary folder, at a free port of this machine. It ends with its test.
type Server struct {
	Addr string

	t    fataler
	free func() // lets another server have the address
	args []string
	log  string
	cmd  *exec.Cmd // nil while the server does not run
}

// fataler is a test, or Main.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Start starts a server that saves nothing, unless arguments of redis-server say otherwise. The first of them may be a
// file with its configuration. Start skips the test where
// no redis-server is installed, and fails it there in CI.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if !installed() {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed, and CI needs it")
		}
		t.Skip("redis-server is not installed: on Debian, apt-get install redis-server")
	}
	s := newServer(t, t.TempDir(), args)
	t.Cleanup(s.close)
	s.Run()
	return s
}

func installed() bool {
	_, err := exec.LookPath("redis-server")
	return err == nil
}

func newServer(t fataler, dir string, args []string) *Server {
	addr, free, err := loopback.Hold()
	if err != nil {
		t.Fatalf("no free port: %v", err)
	}
	s := &Server{Addr: addr, t: t, free: free, log: filepath.Join(dir, "log")}
	_, port, _ := net.SplitHostPort(addr)
	s.args = []string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", ""}
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		s.args, args = append([]string{args[0]}, s.args...), args[1:]
	}
	s.args = append(s.args, args...)
	return s
}

// Run runs the server, with what it saved before, if anything, and returns when it answers.
func (s *Server) Run() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	defer log.Close()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("%v", err)
	}
	for range 6000 { // for a minute, since the machine may be busy
		if _, err = s.Try("PING"); err == nil {
			return
		}
		Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("redis-server does not answer: %v\n%s", err, s.Log())
}

// Kill ends the server at once, as a power failure would.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// close ends the server and gives up its address.
func (s *Server) close() {
	s.Kill()
	s.free()
}

// Log returns what the server has logged.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return string(text)
}

// Signal sends the server a signal with a name, such as STOP.
func (s *Server) Signal(name string) {
	s.t.Helper()
	if out, err := exec.Command("kill", "-"+name, strconv.Itoa(s.cmd.Process.Pid)).CombinedOutput(); err != nil {
		s.t.Fatalf("kill -%s: %v: %s", name, err, out)
	}
}

// Client returns a client of the server at an address, which is closed at the end of the test.
func Client(t testing.TB, addr string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Do sends a command and returns the reply as a text. It fails the test if Redis returns an error.
func (s *Server) Do(command ...string) string {
	s.t.Helper()
	reply, err := s.Try(command...)
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	return reply
}

// Try sends a command and returns the reply as a text.
func (s *Server) Try(command ...string) (string, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return "", err
	}
	defer client.Close()
	reply, err := client.Do(context.Background(), client.B().Arbitrary(command...).Build()).ToAny()
	return fmt.Sprint(reply), err
}
