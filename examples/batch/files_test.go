package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestH73_OneFileForTwoFlags checks that a run ends before it sends or overwrites anything if two flags name one
// file, under any name.
func TestH73_OneFileForTwoFlags(t *testing.T) {
	others := map[string]func(t *testing.T, path string) string{
		"the same name": func(_ *testing.T, path string) string { return path },
		"a longer name": func(_ *testing.T, path string) string {
			return filepath.Dir(path) + "/./" + filepath.Base(path)
		},
		"a symbolic link": func(t *testing.T, path string) string {
			require.NoError(t, os.Symlink(path, path+".symlink"))
			return path + ".symlink"
		},
		"a hard link": func(t *testing.T, path string) string {
			require.NoError(t, os.Link(path, path+".link"))
			return path + ".link"
		},
	}
	flags := []string{"-in", "-out", "-report", "-trace"}
	for how, other := range others {
		for i, first := range flags {
			for _, second := range flags[i+1:] {
				for _, exists := range []bool{true, false} {
					if !exists && (first == "-in" || how == "a hard link") {
						continue
					}
					t.Run(fmt.Sprint(first, second, " by ", how, ", exists: ", exists), func(t *testing.T) {
						requireOneFileRefused(t, first, second, exists, other)
					})
				}
			}
		}
	}
}

func requireOneFileRefused(t *testing.T, first, second string, exists bool, other func(*testing.T, string) string) {
	st := newSite(t, generous, requests(1)...)
	path := st.in
	if first != "-in" {
		path = filepath.Join(t.TempDir(), "file")
	}
	var before []byte
	if exists {
		if first != "-in" {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		}
		var err error
		before, err = os.ReadFile(path)
		require.NoError(t, err)
	}
	alias := other(t, path)
	_, err := st.process(first, path, second, alias)
	require.EqualError(t, err, second+" "+alias+": "+first+" "+path+" is the same file: each flag needs a file of its own")
	require.ErrorAs(t, err, new(*fileError), "exit code 2")
	require.Empty(t, st.entries())
	after, err := os.ReadFile(path)
	if exists {
		require.NoError(t, err)
		require.Equal(t, before, after)
	} else {
		require.Empty(t, after)
	}
}

// TestTimelinesSpareResults checks that -report and -trace overwrite neither results nor a file that another
// batch writes to.
func TestTimelinesSpareResults(t *testing.T) {
	for _, flag := range []string{"-report", "-trace"} {
		st, other := newSite(t, generous, requests(1)...), newSite(t, generous, requests(1)...)
		running := other.openOutput(1)
		_, err := st.process(flag, other.out)
		require.EqualError(t, err, flag+" "+other.out+": another batch is writing to it: name another file")
		require.ErrorAs(t, err, new(*fileError), "exit code 2")
		require.NoError(t, running.file.Close())

		_, err = other.process()
		require.NoError(t, err)
		before, err := os.ReadFile(other.out)
		require.NoError(t, err)
		_, err = st.process(flag, other.out)
		require.EqualError(t, err, flag+" "+other.out+": it has results of a batch, which would be overwritten: name another file")
		require.ErrorAs(t, err, new(*fileError), "exit code 2")
		after, err := os.ReadFile(other.out)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Empty(t, st.entries())
		require.NoFileExists(t, st.out)

		drawing := filepath.Join(t.TempDir(), "drawing")
		for range 2 { // an older timeline is overwritten
			_, err = st.process(flag, drawing)
			require.NoError(t, err)
		}
	}
}

// TestRefusedLeavesNothing checks that a run that fails before it begins removes the empty files that it
// created.
func TestRefusedLeavesNothing(t *testing.T) {
	st := newSite(t, generous, requests(1)...)
	page := filepath.Join(t.TempDir(), "run.html")
	_, err := st.process("-report", page, "-trace", page)
	require.ErrorContains(t, err, "is the same file")
	require.NoFileExists(t, st.out)
	require.NoFileExists(t, page)
}

// TestH74_LockIsTheFiles checks that the output itself is locked, under any name of the file. A user's file that
// is named like a lock file is not touched.
func TestH74_LockIsTheFiles(t *testing.T) {
	st := newSite(t, generous, requests(1)...)
	const mine = "a file of the user's"
	require.NoError(t, os.WriteFile(st.out+".lock", []byte(mine), 0o600))
	out, real := st.openOutput(1), st.out
	require.NoError(t, os.Symlink(real, real+".symlink"))
	require.NoError(t, os.Link(real, real+".link"))
	for _, st.out = range []string{real, real + ".symlink", real + ".link"} {
		_, err := st.process()
		require.EqualError(t, err, "-out "+st.out+": another batch is writing to it: let that finish, or use another -out")
	}
	require.NoError(t, out.file.Close())
	for _, st.out = range []string{real, real + ".symlink", real + ".link"} {
		_, err := st.process()
		require.NoError(t, err)
	}
	require.Len(t, st.entries(), 1)
	text, err := os.ReadFile(real + ".lock")
	require.NoError(t, err)
	require.Equal(t, mine, string(text))
}

// TestH74_LockOfAReplacedFile checks that a run that gets the lock of a file that was just replaced opens the
// new file.
func TestH74_LockOfAReplacedFile(t *testing.T) {
	const rounds = 150
	path := filepath.Join(t.TempDir(), "out.jsonl")
	round := func(number int) error {
		for {
			out, err := openOutput(path)
			if errors.Is(err, errLocked) {
				continue // the other run has the lock
			}
			if err == nil {
				err = out.resume(2*rounds, true)
			}
			if err == nil {
				err = errors.Join(
					out.write(&result{ID: fmt.Sprintf("%d-00000001", number)}),
					out.write(&result{ID: "1-00000001", Error: &resultError{Message: "is taken out"}}),
				)
			}
			if err == nil {
				if out, err = out.withoutFailures(); errors.Is(err, errLocked) { // the other run was faster
					return nil
				}
			}
			if err != nil {
				return err
			}
			return out.file.Close()
		}
	}
	var both sync.WaitGroup
	for first := 1; first <= 2; first++ {
		both.Go(func() {
			for i := range rounds {
				if err := round(first + 2*i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 2*rounds, strings.Count(string(text), "-00000001"), "some were written to a file that was replaced")
}

// TestH72_OutputTakenAway checks that a run ends at its next result if the output is removed or moved, since the
// next run would not find it.
func TestH72_OutputTakenAway(t *testing.T) {
	for how, take := range map[string]func(path string) error{
		"removed": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(how, func(t *testing.T) {
			st := newSite(t, generous, requests(20)...)
			g := st.gate()
			r := st.start("-in-flight", "1")
			<-g.held
			require.NoError(t, take(st.out))
			g.open()
			<-r.ended
			require.ErrorContains(t, r.err, st.out+" was moved or removed during the run: fix that, and the same command continues")
		})
	}
}
