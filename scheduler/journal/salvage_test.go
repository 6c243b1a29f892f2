package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// snapshots writes a file in which calls begin and end, and returns its bytes after each commit, with what must be in the
// last of them.
func snapshots(t *testing.T, rng *rand.Rand, commits, payloads int) (all [][]byte, b base) {
	path := filepath.Join(inMemory(t), "calls.db")
	f, _ := open(t, path, fileOptions{})
	f.db.NoSync = true
	b.want, b.levels = map[uint64]string{}, ""
	var live []*record
	number := uint64(0)
	for range commits {
		var next batch
		var left []*record
		for _, r := range live {
			if rng.IntN(100) < 70 {
				left = append(left, r)
				continue
			}
			r.state, r.endedAt = ended, day
			next.changes = append(next.changes, change{record: copied(r)})
			b.want[r.number] = describe(r, nil) + "<nil>"
		}
		live = left
		for range 1 + rng.IntN(40) {
			number++
			c := change{record: call(number)}
			if rng.IntN(100) < payloads {
				c.payload = fmt.Append(nil, "payload ", number)
			}
			live = append(live, copied(c.record))
			next.changes = append(next.changes, c)
			b.want[number] = describe(c.record, c.payload) + "<nil>"
		}
		require.NoError(t, f.commit(next))
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		all = append(all, content)
	}
	require.NoError(t, f.close(false))
	return all, b
}

// pageAt returns a page of a file, or zeros after its end.
func pageAt(content []byte, id int) []byte {
	if at := id * pageSize; at < len(content) {
		return content[at : at+pageSize]
	}
	return make([]byte, pageSize)
}

// TestLostPagesOfACommit loses the writes of some leaves of the last commit, as a disk does whose power fails while it writes
// in an order of its own. No call may run that this commit or an earlier one has ended.
func TestLostPagesOfACommit(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 7)
	for n := range 90 {
		all, b := snapshots(t, tr.rng, 6+n%10, n%3*50)
		changed, before := slices.Clone(all[len(all)-1]), all[len(all)-2]
		for id := 2; id < len(changed)/pageSize; id++ {
			page, old := pageAt(changed, id), pageAt(before, id)
			if native.Uint16(page[8:]) == leafPage && !bytes.Equal(page, old) && tr.rng.IntN(3) > 0 {
				copy(page, old)
			}
		}
		require.NotContains(t, tr.openHere(b, changed), "BAD", n)
	}
}

// TestEarlierPages puts what was in the place of a page earlier in its place, for each page of some files.
func TestEarlierPages(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 8)
	for n := range 3 {
		all, b := snapshots(t, tr.rng, 20, n%2*10)
		last := all[len(all)-1]
		for id := 2; id < len(last)/pageSize; id++ {
			for _, earlier := range all {
				changed := slices.Clone(last)
				if old := pageAt(earlier, id); !bytes.Equal(pageAt(changed, id), old) {
					copy(pageAt(changed, id), old)
					require.NotContains(t, tr.openHere(b, changed), "BAD", id)
				}
			}
		}
	}
}

// damaged writes a file with 50 calls, damages the page with their records, and opens the file. It returns what was told of
// the damage.
func damaged(t *testing.T, path string) []Damage {
	f, _ := open(t, path, fileOptions{})
	var b batch
	for n := uint64(1); n <= 50; n++ {
		b.changes = append(b.changes, change{record: call(n), payload: []byte("payload")})
	}
	require.NoError(t, f.commit(b))
	require.NoError(t, f.close(false))
	damage(t, path, calls)
	f, found := open(t, path, fileOptions{})
	require.Empty(t, found.calls)
	require.NoError(t, f.close(false))
	return found.setAside
}

// damage clears the page of a bucket, or that of the root.
func damage(t *testing.T, path string, bucket []byte) {
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, withPages(path, func(p *pages) error {
		metas, _ := p.metas()
		page := metas[0].root
		top, _ := p.read(page, nil)
		for e := range top.elements() {
			if string(e.key) == string(bucket) {
				page = native.Uint64(e.value)
			}
		}
		require.NotZero(t, page)
		clear(content[page*pageSize:][:pageSize])
		return nil
	}))
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// TestDamageOfWhatWasSetAside damages a file again after a repair. What was told must be told again, or that it may be missing.
func TestDamageOfWhatWasSetAside(t *testing.T) {
	for _, bucket := range [][]byte{aside, levels, {}} {
		path := inFolder(t)
		told := damaged(t, path)
		damage(t, path, bucket)
		for range 2 { // the second time nothing is damaged
			f, found := open(t, path, fileOptions{})
			if string(bucket) == string(levels) {
				require.GreaterOrEqual(t, len(found.setAside), len(told))
			} else {
				require.Contains(t, found.setAside[0].Reason, "what was set aside earlier may be missing", "%s", bucket)
			}
			require.NoError(t, f.close(false))
		}
		broken, err := filepath.Glob(path + ".broken-*")
		require.NoError(t, err)
		require.Len(t, broken, 2, "both of the same instant")
	}
}

// TestResultIsLostWithTheRoot checks that a call that has ended is kept for its id if its result and the root are lost.
func TestResultIsLostWithTheRoot(t *testing.T) {
	path := inFolder(t)
	f, _ := open(t, path, fileOptions{})
	var b batch
	for n := uint64(1); n <= 50; n++ {
		b.changes = append(b.changes, change{record: call(n)})
	}
	require.NoError(t, f.commit(b))
	for i := range b.changes {
		c := &b.changes[i]
		c.record.state, c.record.endedAt, c.result = ended, day, []byte(strings.Repeat("result", 5))
	}
	require.NoError(t, f.commit(b))
	require.NoError(t, f.close(false))
	damage(t, path, bodies)
	damage(t, path, nil)
	_, found := open(t, path, fileOptions{})
	require.Len(t, found.calls, 50)
	require.Len(t, found.setAside, 51)
}

// TestCutAfterACrash cuts the last page from files whose next commit was written, but for its meta. It does not count.
func TestCutAfterACrash(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 9)
	for n := range 30 {
		all, b := snapshots(t, tr.rng, 12, n%3*50)
		before, content := all[len(all)-2], all[len(all)-1]
		copy(content[:2*pageSize], before)
		path := inFolder(t)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		var size uint64
		require.NoError(t, withPages(path, func(p *pages) error {
			metas, _ := p.metas()
			size = (metas[0].end - 1) * pageSize
			return nil
		}))
		b.want = see(path).Calls
		delete(b.want, 1<<40)
		outcome := tr.openHere(b, content[:size])
		require.NotContains(t, outcome, "BAD", n)
	}
}

// TestGaps compares the gaps of faults with the faults.
func TestGaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		var s survey
		for range rng.IntN(6) {
			low := uint64(rng.IntN(30))
			keys := keyRange{keyOf(low), keyOf(low + uint64(rng.IntN(9)))}
			if rng.IntN(9) == 0 {
				keys.low = nil
			}
			if rng.IntN(9) == 0 {
				keys.high = nil
			}
			s.faults = append(s.faults, fault{bucket: string(calls), keys: keys})
		}
		for n := range uint64(45) {
			want := slices.ContainsFunc(s.faults, func(f fault) bool { return f.keys.has(keyOf(n)) })
			require.Equal(t, want, s.mayMiss(calls, n), "%d of %v", n, s.faults)
			require.False(t, s.mayMiss(bodies, n))
		}
	}
}
