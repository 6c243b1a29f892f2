package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"example.com/fairlead/clock"
)

func init() { children["open"] = openOnly }

// openOnly opens a file and ends.
func openOnly() {
	f, _, err := openFile(os.Getenv(childPath), fileOptions{clock: clock.System()})
	if err != nil {
		panic(err)
	}
	fmt.Println("opened")
	_ = f.close(false)
}

// TestOpenSyncsAfterACrash checks that Open waits for the last commit to be on disk, since the fsync of the process before may
// have failed after its write.
func TestOpenSyncsAfterACrash(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not there to show syncs")
	}
	path := inFolder(t)
	for _, clean := range []bool{false, true} {
		f, _ := open(t, path, fileOptions{})
		require.NoError(t, f.commit(batch{}))
		require.NoError(t, f.close(clean))
		out, err := child(t.Context(), "open", path, strace, "-f", "-qq", "-o", path+".trace", "-e", "trace=pwrite64,fsync,fdatasync").CombinedOutput()
		if err != nil && strings.Contains(string(out), "ptrace") {
			t.Skip("strace may not trace: " + string(out))
		}
		require.NoError(t, err, string(out))
		require.Equal(t, "opened\n", string(out))
		trace, err := os.ReadFile(path + ".trace")
		require.NoError(t, err)
		if clean {
			require.NotContains(t, string(trace), "sync(")
			continue
		}
		_, after, written := strings.Cut(string(trace), " = 4096\n")
		require.True(t, written, string(trace))
		require.Contains(t, after, "sync(")
	}
}

// TestNotAJournal checks that files of others are refused and stay as they are.
func TestNotAJournal(t *testing.T) {
	other := inFolder(t)
	db, err := bbolt.Open(other, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("calls"))
		if err != nil {
			return err
		}
		return b.Put([]byte("12345678"), []byte("hello"))
	}))
	require.NoError(t, db.Close())
	database, err := os.ReadFile(other)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "zeros": make([]byte, 1<<20), "another database": database,
	} {
		path := inFolder(t)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, _, err := openFile(path, fileOptions{clock: clock.System()})
		require.ErrorIs(t, err, errNotJournal, name)
		require.ErrorContains(t, err, path)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, after, name)
		files, err := filepath.Glob(path + "*")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{path, path + ".lock"}, files)
	}
	_, _, err = openFile(t.TempDir(), fileOptions{clock: clock.System()})
	require.Error(t, err, "a folder")
}

// TestFileOfNewerVersion checks that a file with anything of a newer version is refused, says so, and is not taken for a damaged one.
func TestFileOfNewerVersion(t *testing.T) {
	for _, bucket := range [][]byte{totals, levels, calls} {
		path := inFolder(t)
		f, _ := open(t, path, fileOptions{})
		require.NoError(t, f.commit(batch{changes: []change{{record: call(1)}}, levels: []byte("x")}))
		require.NoError(t, f.db.Update(func(tx *bbolt.Tx) error {
			key, value := tx.Bucket(bucket).Cursor().First()
			value = append([]byte{}, value...)
			value[4] = 9
			sum := checksum(append(append([]byte{}, key...), value[4:]...))
			value[0], value[1], value[2], value[3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
			return tx.Bucket(bucket).Put(append([]byte{}, key...), value)
		}))
		require.NoError(t, f.close(false))
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		_, _, err = openFile(path, fileOptions{clock: clock.System()})
		require.ErrorContains(t, err, "format 9 by a newer version", string(bucket))
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

// TestDamageIsToldUntilClose checks that each Open tells what was lost, until a process has seen it and closed the file.
func TestDamageIsToldUntilClose(t *testing.T) {
	path := inFolder(t)
	lived(t, path, 50, rand.New(rand.NewPCG(3, 3)))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	kinds := kindsOf(t, path)
	var known []uint64
	for _, place := range kinds["leaf values"] { // of records and payloads
		content[place[0]] ^= 1
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	f, found := open(t, path, fileOptions{})
	require.Greater(t, len(found.setAside), 10)
	for _, d := range found.setAside {
		known = append(known, d.Number)
	}
	require.NoError(t, f.close(false))
	f, found = open(t, path, fileOptions{})
	require.Len(t, found.setAside, len(known))
	for _, d := range found.setAside {
		require.Contains(t, known, d.Number)
		require.NotEmpty(t, d.Reason)
		require.Equal(t, day, d.Found)
	}
	require.NoError(t, f.close(true))
	_, found = open(t, path, fileOptions{})
	require.Empty(t, found.setAside)
	broken, err := filepath.Glob(path + ".broken-*")
	require.NoError(t, err)
	require.Len(t, broken, 1)
	kept, err := os.ReadFile(broken[0])
	require.NoError(t, err)
	require.Equal(t, content, kept)
}

// TestCutToEachSize cuts a file to each number of pages, also inside of a page. A file without a page of calls is refused and
// stays as it is. Of others nothing is lost in silence.
func TestCutToEachSize(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 5)
	b := tr.baseOf(20)
	for end := range len(b.content) / 2048 {
		for _, size := range []int{end * 2048, end*2048 + 1} {
			path := filepath.Join(inMemory(t), "calls.db")
			require.NoError(t, os.WriteFile(path, b.content[:size], 0o600))
			seen := see(path)
			if !strings.Contains(seen.Err, errNotJournal.Error()) {
				require.Empty(t, seen.Err)
				require.NotContains(t, judge(seen, b.want, b.levels), "BAD", "cut to %d", size)
				continue
			}
			require.Less(t, size, len(b.content)/2)
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, b.content[:size], left)
		}
	}
}
