//go:build unix

package pgbucket

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// server is a PostgreSQL server in a folder of its own, which also has its socket.
type server struct {
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the server has ended
	text *log
	next atomic.Pointer[server] // that took its place
	bad  atomic.Bool            // whether the network to it is
}

// shared is the server of all tests that do no harm to it, and of the examples. It is nil without PostgreSQL.
var shared *server

// sharedServer returns a server that other tests use, too. It has the schema.
func sharedServer(t testing.TB) *server {
	skipOrFail(t)
	return shared
}

// newServer returns a server that the test may harm.
func newServer(t testing.TB) *server {
	skipOrFail(t)
	s := &server{dir: folder(t)}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(s.dir)) })
	s.run(t, "cp", "-a", shared.fresh(), s.data())
	s.start(t)
	t.Cleanup(func() { s.stop(syscall.SIGQUIT) })
	return s
}

// replica returns a server that follows s.
func (s *server) replica(t testing.TB) *server {
	r := &server{dir: folder(t)}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(r.dir)) })
	r.run(t, "pg_basebackup", "-h", s.dir, "-U", "test", "-D", r.data(), "-R", "-c", "fast")
	r.start(t)
	t.Cleanup(func() { r.stop(syscall.SIGQUIT) })
	return r
}

// skipOrFail skips a test where PostgreSQL is not installed, and fails it if that is CI.
func skipOrFail(t testing.TB) {
	if program("postgres") == "" {
		require.Empty(t, os.Getenv("CI"), "CI has to test with PostgreSQL, but there is none")
		t.Skip("there is no PostgreSQL to test with: apt-get install postgresql")
	}
}

// program returns the path of a program of PostgreSQL, or "". Debian has them in a folder for each version.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is valid
	if len(paths) == 0 {
		return ""
	}
	return paths[len(paths)-1]
}

// folder makes a folder for a server, outside of that of the test, which only root may enter.
func folder(t require.TestingT) string {
	dir, err := os.MkdirTemp("", "pgbucket")
	require.NoError(t, err)
	if c := account(t); c != nil {
		require.NoError(t, os.Chown(dir, int(c.Uid), int(c.Gid)))
	}
	return dir
}

// account returns the account that runs servers, which must not be root. It is nil for that of the test.
func account(t require.TestingT) *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(u.Gid)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// command returns a command that runs with the account of the server.
func (s *server) command(t require.TestingT, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(program(name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account(t)}
	return cmd
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// fresh is a copy of data from before the server started. It takes a fraction of the time of initdb.
func (s *server) fresh() string { return filepath.Join(s.dir, "fresh") }

// run runs a command until it ends.
func (s *server) run(t require.TestingT, name string, args ...string) {
	out, err := s.command(t, name, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// initdb makes the files of the server.
func (s *server) initdb(t require.TestingT) {
	s.run(t, "initdb", "-D", s.fresh(), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.run(t, "cp", "-a", s.fresh(), s.data())
}

// start starts the server, and waits until it is ready.
func (s *server) start(t require.TestingT) {
	s.cmd = s.command(t, "postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "log_min_messages=info")
	stderr, err := s.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	ready, cmd, done, text := make(chan struct{}), s.cmd, make(chan struct{}), &log{}
	s.done, s.text = done, text
	go func() {
		defer close(done)
		text.follow(stderr, "ready to accept", ready)
		_ = cmd.Wait() // it is often killed
	}()
	select {
	case <-ready:
	case <-s.done:
		require.FailNow(t, "the server ended", "%s", s.text)
	}
}

// stop sends a signal to the server, and waits until it and its backends have ended. SIGQUIT is an immediate
// shutdown, as pg_ctl calls it.
func (s *server) stop(signal syscall.Signal) {
	_ = s.cmd.Process.Signal(signal) // it may have ended
	<-s.done
}

// address returns what a client connects to.
func (s *server) address() string { return "host=" + s.dir + " user=test dbname=postgres" }

// pool returns a pool of connections to the server, of at most so many.
func (s *server) pool(t testing.TB, conns int32) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(s.address())
	require.NoError(t, err)
	config.MaxConns = conns
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if next := s.next.Load(); next != nil {
			c.Host = next.dir
		}
		return nil
	}
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		return &badConn{c, &s.bad}, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// ownDatabase returns a pool of at most so many connections to a new database of the shared server.
func ownDatabase(t testing.TB, name string, conns int32) *pgxpool.Pool {
	s := sharedServer(t)
	_, err := s.pool(t, 1).Exec(t.Context(), `CREATE DATABASE `+name)
	require.NoError(t, err)
	config, err := pgxpool.ParseConfig(s.address())
	require.NoError(t, err)
	config.ConnConfig.Database = name
	config.MaxConns = conns
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// log is what a server writes.
type log struct {
	mu    sync.Mutex
	lines []string
}

// follow reads all lines, and closes a channel at the first that contains a text.
func (l *log) follow(r io.Reader, text string, found chan struct{}) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		l.mu.Lock()
		l.lines = append(l.lines, lines.Text())
		l.mu.Unlock()
		if found != nil && strings.Contains(lines.Text(), text) {
			close(found)
			found = nil
		}
	}
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// badConn is a connection over a network that may be bad: then it delays answers, and loses some.
type badConn struct {
	net.Conn
	bad *atomic.Bool
}

func (c *badConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil || !c.bad.Load() {
		return n, err
	}
	switch rand.IntN(40) {
	case 0:
		time.Sleep(1200 * time.Millisecond) // longer than an exchange may take
	case 1, 2, 3, 4, 5, 6, 7, 8:
		_ = c.Conn.Close() // the error is the one below
		return 0, errors.New("the connection broke")
	default:
		time.Sleep(rand.N(20 * time.Millisecond))
	}
	return n, nil
}
