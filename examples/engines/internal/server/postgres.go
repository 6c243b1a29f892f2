//go:build unix

// Package server starts the servers that the tests need, each in a temporary folder. A test is skipped where the
// program is not installed, and fails there in CI.
package server

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Postgres starts a PostgreSQL server, which ends with the test, and returns what a client connects to.
func Postgres(t testing.TB) string {
	postgres, initdb := program(t, "postgres"), program(t, "initdb")
	dir := folder(t)
	command := func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account(t)}
		return cmd
	}
	data := filepath.Join(dir, "data")
	out, err := command(initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	run(t, command(postgres, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off"), dir)
	return "host=" + dir + " user=test dbname=postgres"
}

// program returns the path of a program, or skips the test. Debian has those of PostgreSQL in a folder for each version.
func program(t testing.TB, name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is valid
	if len(paths) == 0 {
		require.Empty(t, os.Getenv("CI"), "CI has to test with %s, which is not installed", name)
		t.Skipf("%s is not installed", name)
	}
	return paths[len(paths)-1]
}

// folder makes a folder for a server. It is not in the test's folder, which only the test's account may enter.
func folder(t testing.TB) string {
	dir, err := os.MkdirTemp("", "engines-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	if c := account(t); c != nil {
		require.NoError(t, os.Chown(dir, int(c.Uid), int(c.Gid)))
	}
	return dir
}

// account returns the account that runs PostgreSQL, which must not be root. It is nil for that of the test.
func account(t testing.TB) *syscall.Credential {
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

// run starts a server and waits until it says that it is ready. It is killed at the end of the test.
func run(t testing.TB, cmd *exec.Cmd, dir string) {
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // it may have ended
		_ = cmd.Wait()
	})
	var text []byte
	for range 6000 {
		text, err = os.ReadFile(log.Name())
		require.NoError(t, err)
		if strings.Contains(string(text), "eady to accept connections") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.FailNow(t, "the server is not ready", "%s", text)
}
