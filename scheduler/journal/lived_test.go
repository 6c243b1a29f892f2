package journal

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

// seenFile has the contents of a file, as a process saw it.
type seenFile struct {
	Calls  map[uint64]string // what is known of each, with its payload or result
	Aside  []Damage
	Levels string
	Err    string
}

// see opens a file and tells what is in it.
func see(path string) (seen seenFile) {
	seen.Calls = map[uint64]string{}
	f, found, err := openFile(path, fileOptions{clock: clock.System(), keepFor: 1000 * time.Hour})
	if err != nil {
		seen.Err = err.Error()
		return seen
	}
	seen.Aside, seen.Levels = found.setAside, string(found.levels)
	var numbers []*record
	for _, c := range found.calls {
		r, err := f.record(c.number)
		if err != nil {
			seen.Err = err.Error()
			return seen
		}
		numbers = append(numbers, r)
	}
	for _, r := range numbers {
		content, err := f.body(r.number, r.state == ended)
		seen.Calls[r.number] = describe(r, content) + fmt.Sprint(err)
	}
	if err := f.commit(batch{changes: []change{{record: call(1 << 40), payload: []byte("new")}}}); err != nil {
		seen.Err = err.Error()
	}
	if err := f.close(true); err != nil {
		seen.Err = err.Error()
	}
	return seen
}

func describe(r *record, content []byte) string {
	return fmt.Sprintf("%s %s %d %d %s %v %d %08x",
		r.id, r.handler, r.state, r.attempts, r.lastErr, r.due.UnixNano(), len(content), checksum(content))
}

// openChanged opens the file twice, and prints what it saw.
func openChanged() {
	seen := [2]seenFile{see(os.Getenv(childPath)), see(os.Getenv(childPath))}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		panic(err)
	}
}

// lived writes a file in which many calls have lived and ended. It returns what must be in it, and the levels. Most of
// the file are old versions of pages.
func lived(t testing.TB, path string, size int, rng *rand.Rand) (map[uint64]string, string) {
	now := day
	f, _ := open(t, path, fileOptions{clock: wall{clock.System(), &now}, keepEnded: size / 4})
	f.db.NoSync = true
	want, live, lastLevels := map[uint64]string{}, map[uint64]*record{}, ""
	f.options.forgot = func(_ string, number uint64) { delete(want, number) }
	for number := uint64(0); number < uint64(3*size); {
		b := batch{levels: fmt.Appendf(nil, "levels %d %s", number, strings.Repeat("x", rng.IntN(300)))}
		contents := map[uint64][]byte{}
		lastLevels = string(b.levels)
		for range 1 + rng.IntN(20) {
			number++
			r := call(number)
			live[number] = r
			contents[number] = make([]byte, 1+rng.IntN(80))
			if rng.IntN(50) == 0 {
				contents[number] = make([]byte, rng.IntN(20_000))
			} else if rng.IntN(10) == 0 {
				contents[number] = []byte{}
			}
			fill(rng, contents[number])
			b.changes = append(b.changes, change{record: copied(r), payload: contents[number]})
		}
		var over []uint64
		for _, n := range slices.Sorted(maps.Keys(live)) {
			r := live[n]
			if len(live) > size || rng.IntN(10) == 0 {
				ch := change{}
				if r.attempts++; r.attempts%3 == 0 || len(live)-len(over) > size {
					r.state, r.endedAt = ended, now
					if rng.IntN(2) == 0 {
						ch.result = []byte(fmt.Sprint("result ", n))
					}
					over = append(over, n)
					contents[n] = ch.result
				} else {
					r.state, r.lastErr, r.due = backingOff, "busy", now.Add(time.Duration(n))
				}
				ch.record = copied(r)
				b.changes = append(b.changes, ch)
			}
		}
		for _, c := range b.changes {
			content, is := contents[c.record.number]
			if !is {
				content, _ = f.payload(c.record.number)
			}
			want[c.record.number] = describe(c.record, content) + "<nil>"
		}
		for _, n := range over {
			delete(live, n)
		}
		now = now.Add(time.Second)
		require.NoError(t, f.commit(b))
	}
	require.NoError(t, f.close(false))
	return want, lastLevels
}

func copied(r *record) *record {
	c := *r
	return &c
}

func fill(rng *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
}

// kindsOf returns the bytes of a file by what they are for.
func kindsOf(t *testing.T, path string) map[string][][2]int64 {
	kinds := map[string][][2]int64{}
	add := func(kind string, from, to int64) { kinds[kind] = append(kinds[kind], [2]int64{from, to}) }
	require.NoError(t, withPages(path, func(p *pages) error {
		metas, ok := p.metas()
		require.True(t, ok)
		add("newest meta", int64(metas[0].tx%2*pageSize), int64(metas[0].tx%2*pageSize)+80)
		add("older meta", int64(metas[1].tx%2*pageSize), int64(metas[1].tx%2*pageSize)+80)
		s := surveyOf(p, metas[0], nil, nil)
		require.NoError(t, s.whole())
		for id := uint64(2); id < p.count; id++ {
			at := int64(id * pageSize)
			if !s.seen[id] {
				add("free", at, at+pageSize)
				continue
			}
			found, ok := p.read(id, nil)
			if !ok {
				continue // a further page
			}
			kind := map[bool]string{true: "leaf", false: "branch"}[found.kind == leafPage]
			if id == metas[0].root {
				kind = "root"
			}
			add(kind+" head", at, at+pageHead)
			add(kind+" elements", at+pageHead, at+pageHead+int64(found.count)*elementSize)
			for e := range found.elements() {
				add(kind+" keys", e.at-int64(len(e.key)), e.at)
				if len(e.value) > 0 {
					add(kind+" values", e.at, e.at+int64(len(e.value)))
				}
			}
			id += found.more
		}
		return nil
	}))
	return kinds
}
