package main

import (
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refuse answers 400 to every line that is not good.
func refuse(good func(line int) bool) interceptor {
	return func(w http.ResponseWriter, line int) bool {
		if !good(line) {
			w.WriteHeader(http.StatusBadRequest)
		}
		return !good(line)
	}
}

// TestAgain checks that failed lines are not sent again, and that the next run says so. With -again they are
// sent once more, as they now are in the input, and nothing else is.
func TestAgain(t *testing.T) {
	lines := requests(6)
	st := newSite(t, generous, append(lines[:5:5], "{bad")...)
	st.intercept(refuse(func(line int) bool { return line > 2 }))
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 3, failed: 3}, sum.counts)

	st.intercept(nil)
	r := st.start()
	require.Equal(t, counts{answered: 3, failed: 3}, r.result(t).counts)
	require.Contains(t, r.log.String(), "batch: 3 lines of this output failed in an earlier run and are not run again without -again\n")
	require.Len(t, st.entries(), 3)

	st.input(lines...)
	_, err = st.process()
	require.ErrorContains(t, err, "line 6 has changed since it was answered: use another -out for a changed input, or put the line back; if it failed, -again runs it as it is now")

	before, err := os.ReadFile(st.out)
	require.NoError(t, err)
	url := st.url
	st.url = ""
	_, err = st.process("-again")
	require.ErrorAs(t, err, new(*fileError))
	st.url = url
	after, err := os.ReadFile(st.out)
	require.NoError(t, err)
	require.Equal(t, before, after, "a run that fails before it begins removes nothing")

	require.NoError(t, os.Chmod(st.out, 0o640))
	real := st.out
	require.NoError(t, os.Symlink(real, real+".symlink"))
	st.out = real + ".symlink"
	r = st.start("-again")
	require.Equal(t, counts{answered: 6}, r.result(t).counts)
	require.Contains(t, r.log.String(), "batch: 3 lines of this output failed in an earlier run and are run again\n")
	require.Len(t, st.results(), 6)
	require.Len(t, st.entries(), 6)

	info, err := os.Lstat(st.out)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, info.Mode().Type(), "a link stays a link")
	info, err = os.Stat(real)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode().Perm())
	require.Equal(t, []string{"in.jsonl", "out.jsonl", "out.jsonl.symlink"}, st.files(), "no other file is left")

	_, err = st.process("-again")
	require.NoError(t, err)
	now, err := os.Stat(real)
	require.NoError(t, err)
	require.True(t, os.SameFile(info, now), "nothing failed, so nothing is replaced")
}

// files returns the names of the files in a site's folder.
func (st *site) files() (names []string) {
	entries, err := os.ReadDir(filepath.Dir(st.in))
	require.NoError(st.t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestH76_AgainIsHeld checks that a run with -again begins with the budgets of the last run, and that no second
// run gets the replaced file.
func TestH76_AgainIsHeld(t *testing.T) {
	st := newSite(t, generous, requests(2)...)
	st.intercept(refuse(func(int) bool { return false }))
	_, err := st.process()
	require.NoError(t, err)
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	require.NoError(t, os.Chtimes(st.out, long, long))

	old := st.openOutput(0)
	require.NoError(t, old.resume(2, true))
	renewed, err := old.withoutFailures()
	require.NoError(t, err)
	require.True(t, renewed.lastAttempt.Equal(long))
	_, err = openOutput(st.out)
	require.ErrorIs(t, err, errLocked)
	require.NoError(t, renewed.file.Close())
}

// TestH76_KilledAgain checks that runs with -again that are killed at any moment lose no answer and no line.
func TestH76_KilledAgain(t *testing.T) {
	const kills, n = 12, 120
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to replay: go test ./batch -run TestH76_KilledAgain -kill-seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	program := build(t)
	st := newSite(t, generous, requests(n)...)
	st.intercept(refuse(func(line int) bool { return line%3 == 0 }))
	_, err := st.process()
	require.NoError(t, err)
	for kill := range kills {
		st.intercept(refuse(func(line int) bool { return line%3 == 0 || line < n*kill/kills }))
		before := st.successes()
		cmd := exec.Command(program, st.args("-again")...)
		require.NoError(t, cmd.Start())
		<-time.After(time.Duration(rnd.IntN(40_000_000)))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		st.quietLog()
		after := st.successes()
		for id := range before {
			require.Contains(t, after, id, "an answer is lost")
		}
		st.checkpoint(before)
	}
	st.intercept(nil)
	sum, err := st.process("-again")
	require.NoError(t, err)
	require.Equal(t, counts{answered: n}, sum.counts)
	require.Len(t, st.results(), n)
	st.requireNoneRepeated()
}

// successes returns the ids of the complete results that are not errors.
func (st *site) successes() map[string]bool {
	f, err := os.Open(st.out)
	require.NoError(st.t, err)
	defer f.Close()
	good := map[string]bool{}
	_, err = readResults(f, func(e *entry) {
		if e.Error == nil {
			good[e.ID] = true
		}
	})
	require.NoError(st.t, err)
	return good
}

// TestAgainWithoutRoom checks that a file of results that can't be replaced stays as it is.
func TestAgainWithoutRoom(t *testing.T) {
	st := newSite(t, generous, requests(2)...)
	st.intercept(refuse(func(line int) bool { return line == 1 }))
	_, err := st.process()
	require.NoError(t, err)
	before, err := os.ReadFile(st.out)
	require.NoError(t, err)
	out := st.openOutput(2)
	defer out.file.Close()
	out.path = filepath.Join(filepath.Dir(st.out), strings.Repeat("x", 255)) // no longer name is possible
	require.NoError(t, os.Rename(st.out, out.path))
	_, err = out.withoutFailures()
	require.ErrorAs(t, err, new(*fileError))
	after, err := os.ReadFile(out.path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}
