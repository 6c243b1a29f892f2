package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// staleLeaf returns a page with calls or payloads, and an earlier version of it. Both are 0 if there are none.
func staleLeaf(t *testing.T, content []byte, rng *rand.Rand) (live, stale int) {
	path := filepath.Join(inMemory(t), "calls.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	type pair struct{ live, stale int }
	var pairs []pair
	require.NoError(t, withPages(path, func(p *pages) error {
		metas, _ := p.metas()
		s, lives := surveyOf(p, metas[0], nil, nil), map[string]int{}
		for _, old := range []bool{false, true} {
			for id := uint64(2); id < p.count; id++ {
				found, ok := p.read(id, nil)
				if !ok || s.seen[id] == old || found.kind != leafPage || found.count == 0 || found.more > 0 {
					continue
				}
				first := found.element(0)
				_, notRecord := decode(first.key, first.value)
				_, notBody := unseal(bodySum(first.key), first.value)
				if notRecord != nil && notBody != nil || len(first.key) != 8 {
					continue
				}
				which := fmt.Sprint(notBody == nil, first.key)
				if !old {
					lives[which] = int(id)
				} else if at := lives[which]; at > 0 {
					pairs = append(pairs, pair{at, int(id)})
				}
			}
		}
		return nil
	}))
	if len(pairs) == 0 {
		return 0, 0
	}
	chosen := pairs[rng.IntN(len(pairs))]
	return chosen.live, chosen.stale
}

// TestLostWrites puts the earlier version of a page in the place of the latest, as a disk does that loses a write, or
// lets the page above point to it. All checksums are right.
func TestLostWrites(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 3)
	var b base
	for n := range max(*flips/4, 8) {
		if n%10 == 0 {
			b = tr.base()
		}
		live, stale := staleLeaf(t, b.content, tr.rng)
		if live == 0 {
			continue
		}
		changed := slices.Clone(b.content)
		if n%2 == 0 {
			head := live * pageSize
			copy(changed[head:head+pageSize], changed[stale*pageSize:])
			native.PutUint64(changed[head:], uint64(live))
			tr.open(b, changed, fmt.Sprintf("a lost write: page %d as %d", live, stale))
			continue
		}
		at := pointerTo(t, b, live)
		native.PutUint64(changed[at:], uint64(stale))
		tr.open(b, changed, fmt.Sprintf("an old pointer: to %d instead of %d", stale, live))
	}
	tr.tell()
	require.NotEmpty(t, tr.outcomes)
}

// TestLostRoot puts the root of an earlier commit in the place of the latest, as a disk does that loses a write. All
// checksums are right, and the earlier tree is whole. The calls of the last commit must be found. If its other pages are
// lost too, no call may run that it has ended.
func TestLostRoot(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 6)
	for n := range 15 {
		b := tr.base()
		path := filepath.Join(inMemory(t), "calls.db")
		require.NoError(t, os.WriteFile(path, b.content, 0o600))
		changed := slices.Clone(b.content)
		require.NoError(t, withPages(path, func(p *pages) error {
			metas, _ := p.metas()
			last, earlier := surveyOf(p, metas[0], nil, nil), surveyOf(p, metas[1], nil, nil)
			for id := range p.count {
				page := changed[id*pageSize:][:pageSize]
				isNew := last.seen[id] && !earlier.seen[id]
				if isNew && (n%3 == 1 || n%3 == 2 && !strings.Contains(string(page), string(second))) {
					clear(page)
				}
			}
			live := changed[metas[0].root*pageSize:][:pageSize]
			copy(live, changed[metas[1].root*pageSize:])
			native.PutUint64(live, metas[0].root)
			return nil
		}))
		outcome := tr.openHere(b, changed)
		require.NotContains(t, outcome, "BAD")
		if n%3 == 0 {
			require.Equal(t, "all calls are there, and the damage is reported", outcome)
		}
	}
}

// TestOldPageRepeats puts an earlier page of calls in the place of the latest. A call that it has may have begun since.
// If it has no payload, it may even have ended.
func TestOldPageRepeats(t *testing.T) {
	path := filepath.Join(inMemory(t), "calls.db")
	f, _ := open(t, path, fileOptions{})
	var b batch
	for n := uint64(1); n <= 100; n++ {
		c := change{record: call(n)}
		if n%2 == 0 {
			c.payload = []byte("payload")
		}
		b.changes = append(b.changes, c)
	}
	require.NoError(t, f.commit(b))
	old := pageOf(t, path, 1)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, c := range b.changes[:2] {
		c.record.state, c.record.attempts, c.payload = running, 1, nil
		require.NoError(t, f.commit(batch{changes: []change{c}}))
	}
	require.NoError(t, f.close(false))
	live := pageOf(t, path, 1)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	copy(content[live:live+pageSize], before[old:])
	native.PutUint64(content[live:], uint64(live/pageSize))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	f, found := open(t, path, fileOptions{})
	records := all(t, found)
	require.Zero(t, records[2].attempts)
	require.True(t, records[2].maybeRan)
	require.True(t, records[4].maybeRan)
	require.NotContains(t, records, uint64(1))
	require.Contains(t, fmt.Sprint(found.setAside), "order-1 ")
	require.NoError(t, f.close(true))
}

// pageOf returns where the page with a call's record is.
func pageOf(t *testing.T, path string, number uint64) (at int) {
	require.NoError(t, withPages(path, func(p *pages) error {
		metas, _ := p.metas()
		s := surveyOf(p, metas[0], nil, newPlaces(p))
		at = int(s.places.calls[number].at) / pageSize * pageSize
		return nil
	}))
	return at
}

// pointerTo returns where the id of a page is in the page above it.
func pointerTo(t *testing.T, b base, id int) (at int64) {
	want := native.AppendUint64(nil, uint64(id))
	for _, kind := range []string{"branch elements", "root values"} {
		for _, place := range b.kinds[kind] {
			for at := place[0]; at+8 <= place[1]; at += 8 {
				if string(b.content[at:at+8]) == string(want) {
					return at
				}
			}
		}
	}
	t.Fatalf("nothing points to page %d", id)
	return 0
}
