package journal

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var flips = flag.Int("flips", 60, "how many bytes to change in files, one in each")

func init() { children["flip"] = openChanged }

// trial is damage that is done to files.
type trial struct {
	t        *testing.T
	rng      *rand.Rand
	outcomes map[string]int
	bases    int
}

// base is a file before it is damaged, with what must be in it.
type base struct {
	content []byte
	kinds   map[string][][2]int64
	want    map[uint64]string
	levels  string
}

func newTrial(t *testing.T, seed uint64) *trial {
	return &trial{t, rand.New(rand.NewPCG(seed, uint64(*flips))), map[string]int{}, 0}
}

// base makes a file, of another size each time.
func (tr *trial) base() base {
	tr.bases++
	return tr.baseOf([]int{20, 300, 1500}[tr.bases%3])
}

// baseOf makes a file in which so many calls live.
func (tr *trial) baseOf(size int) base {
	path := filepath.Join(inMemory(tr.t), "calls.db")
	want, levels := lived(tr.t, path, size, tr.rng)
	content, err := os.ReadFile(path)
	require.NoError(tr.t, err)
	return base{content, kindsOf(tr.t, path), want, levels}
}

// open lets another process open a damaged file.
func (tr *trial) open(b base, content []byte, what string) {
	path := filepath.Join(inMemory(tr.t), "calls.db")
	require.NoError(tr.t, os.WriteFile(path, content, 0o600))
	outcome := openedBy(tr.t, path, b.want, b.levels)
	kind, _, _ := strings.Cut(what, ":")
	tr.outcomes[kind+": "+outcome]++
	if strings.HasPrefix(outcome, "BAD") {
		tr.t.Errorf("%s: %s (%s)", what, outcome, tr.save(content))
	}
	require.NoError(tr.t, os.RemoveAll(filepath.Dir(path)))
}

// save keeps a damaged file and returns its path. The seed alone does not make the file again, since bbolt chooses its free
// pages at random.
func (tr *trial) save(content []byte) string {
	saved := filepath.Join(os.TempDir(), fmt.Sprintf("journal-%d.db", tr.rng.Uint32()))
	require.NoError(tr.t, os.WriteFile(saved, content, 0o600))
	return saved
}

// inMemory returns a new folder, in memory if the system has a place for that: these tests are not about the disk.
func inMemory(t testing.TB) string {
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	folder, err := os.MkdirTemp(parent, "journal")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	return folder
}

// tell logs how often each came out.
func (tr *trial) tell() {
	for _, outcome := range slices.Sorted(maps.Keys(tr.outcomes)) {
		tr.t.Logf("%5d %s", tr.outcomes[outcome], outcome)
	}
}

// TestChangedBytes changes a byte in files, of each kind in turn. A process that opens the file must find each call as
// it was or tell that it is damaged or missing. It must neither panic, nor hang, nor die by a signal, and run no call
// that has ended.
func TestChangedBytes(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 1)
	const each = 25
	var b base
	for n := range *flips {
		if n%each == 0 {
			b = tr.base()
		}
		names := slices.Sorted(maps.Keys(b.kinds))
		kind := names[n%len(names)]
		place := b.kinds[kind][tr.rng.IntN(len(b.kinds[kind]))]
		at, flip := place[0]+tr.rng.Int64N(place[1]-place[0]), byte(1+tr.rng.IntN(255))
		changed := slices.Clone(b.content)
		changed[at] ^= flip
		tr.open(b, changed, fmt.Sprintf("%s: byte %d changed by %#x", kind, at, flip))
	}
	tr.tell()
}

// TestLargerDamage zeroes sectors, exchanges pages, writes old versions of pages over new ones, and cuts files.
func TestLargerDamage(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 2)
	const each = 10
	var b base
	for n := range *flips / 4 {
		if n%each == 0 {
			b = tr.base()
		}
		changed := slices.Clone(b.content)
		size := len(changed)
		page := func() []byte {
			at := 2 + tr.rng.IntN(size/pageSize-2)
			return changed[at*pageSize : (at+1)*pageSize]
		}
		switch n % 5 {
		case 0:
			at := tr.rng.IntN(size/512) * 512
			clear(changed[at : at+512])
			tr.open(b, changed, fmt.Sprintf("a sector of zeros: at %d", at))
		case 1:
			at := tr.rng.IntN(2) * pageSize
			clear(changed[at : at+pageSize])
			tr.open(b, changed, fmt.Sprintf("no meta: at %d", at))
		case 2:
			one, two := page(), page()
			old := slices.Clone(one)
			copy(one, two)
			copy(two, old)
			tr.open(b, changed, "exchanged pages")
		case 3:
			copy(page(), page())
			tr.open(b, changed, "a page twice")
		case 4:
			end := size/2 + tr.rng.IntN(size/2)
			tr.open(b, changed[:end], fmt.Sprintf("cut: at %d of %d", end, size))
		}
	}
	tr.tell()
}

// openedBy opens a changed file in another process, and returns what came of it.
func openedBy(t *testing.T, path string, want map[uint64]string, levels string) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childName+"=flip", childPath+"="+path, "GORACE=atexit_sleep_ms=0")
	out, err := child.Output()
	if ctx.Err() != nil {
		return "BAD: hangs"
	}
	if err != nil {
		return fmt.Sprintf("BAD: dies: %v", err)
	}
	var seen [2]seenFile
	require.NoError(t, json.Unmarshal(out, &seen), string(out))
	first, second := seen[0], seen[1]
	if first.Err != "" || second.Err != "" {
		return fmt.Sprintf("BAD: refused: %s %s", first.Err, second.Err)
	}
	delete(second.Calls, 1<<40)
	if !maps.Equal(first.Calls, second.Calls) {
		return "BAD: opened again, it has other calls"
	}
	return judge(first, want, levels)
}

// judge compares what was seen with what must be there.
func judge(seen seenFile, want map[uint64]string, levels string) string {
	told := map[uint64]bool{}
	var verdict string
	for _, d := range seen.Aside {
		told[d.Number] = true
		verdict += d.Reason + ";"
	}
	missing, single, earlier := 0, 0, 0
	for number, is := range want {
		switch got, there := seen.Calls[number]; {
		case there && hasEnded(is) && !hasEnded(got):
			return fmt.Sprintf("BAD: call %d is %s and was %s (%s)", number, got, is, verdict)
		case there && got != is && !told[number] && strings.Contains(verdict, "as they were earlier"):
			earlier++
		case there && got != is && !told[number]:
			return fmt.Sprintf("BAD: call %d is %s and was %s (%s)", number, got, is, verdict)
		case !there && told[number]:
			single++
		case !there:
			missing++
		}
	}
	for number, is := range seen.Calls {
		if want[number] == "" && !hasEnded(is) { // an id that comes back does no harm
			return fmt.Sprintf("BAD: call %d had ended long ago (%s)", number, verdict)
		}
	}
	lost := missing+single > 0
	switch {
	case missing > 0 && (len(seen.Aside) == 0 || strings.Contains(verdict, "all calls were saved")):
		return fmt.Sprintf("BAD: %d calls are missing, silently (%s)", missing, verdict)
	case seen.Levels != levels && !strings.Contains(verdict, "levels"):
		return fmt.Sprintf("BAD: levels are %q and were %q (%s)", seen.Levels, levels, verdict)
	case earlier > 0:
		return "some calls are as they were earlier, which is reported"
	case missing > 0 && single == 0:
		return "some calls are reported as a number"
	case lost:
		return "each call that is damaged is reported"
	case len(seen.Aside) > 1:
		return "all calls are there, and others are suspect"
	case len(seen.Aside) == 1:
		return "all calls are there, and the damage is reported"
	}
	return "all calls are there, and nothing is wrong"
}

// hasEnded reports whether what describe has returned is of a call that has ended.
func hasEnded(described string) bool {
	return strings.Contains(described, fmt.Sprintf(" charge %d ", ended))
}

// TestDamagedHeads changes each byte of the pages' heads, which say enough twice to tell the other half of it. All calls must be
// found.
func TestDamagedHeads(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, 4)
	b := tr.baseOf(100)
	for _, kind := range []string{"newest meta", "older meta", "root head", "branch head", "leaf head"} {
		for n := range b.kinds[kind][0][1] - b.kinds[kind][0][0] {
			place := b.kinds[kind][tr.rng.IntN(len(b.kinds[kind]))]
			changed, at := slices.Clone(b.content), place[0]+n
			changed[at] ^= byte(1 + tr.rng.IntN(255))
			outcome := tr.openHere(b, changed)
			require.True(t, strings.HasPrefix(outcome, "all calls are there"), "%s, byte %d of the head: %s", kind, at-place[0], outcome)
		}
	}
	changed := slices.Clone(b.content)
	root := b.kinds["root head"][0][0]
	clear(changed[root : root+pageSize])
	require.Contains(t, tr.openHere(b, changed), "all calls are there", "without the root")
}

// openHere opens a damaged file in this process, and returns what came of it.
func (tr *trial) openHere(b base, content []byte) string {
	path := filepath.Join(inMemory(tr.t), "calls.db")
	require.NoError(tr.t, os.WriteFile(path, content, 0o600))
	seen := see(path)
	require.NoError(tr.t, os.RemoveAll(filepath.Dir(path)))
	require.Empty(tr.t, seen.Err)
	delete(seen.Calls, 1<<40)
	outcome := judge(seen, b.want, b.levels)
	if strings.HasPrefix(outcome, "BAD") {
		tr.t.Logf("%s (%s)", outcome, tr.save(content))
	}
	return outcome
}

// FuzzOpen checks that no bytes of a file make openFile panic or hang, and that what it has repaired opens again. The
// input is where to change the file, 3 bytes each, and to which byte.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "calls.db")
	lived(f, path, 5, rand.New(rand.NewPCG(1, 1)))
	content, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add([]byte{0, 16, 8, 1})
	f.Add([]byte{0, 0, 20, 1, 0, 16, 20, 2})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, changes []byte) {
		path, changed := filepath.Join(inMemory(t), "calls.db"), slices.Clone(content)
		for c := range slices.Chunk(changes, 4) {
			if len(c) == 4 {
				changed[(int(c[0])<<16|int(c[1])<<8|int(c[2]))%len(changed)] = c[3]
			}
		}
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		if seen := see(path); seen.Err == "" {
			require.Empty(t, see(path).Err)
		} else {
			require.NotContains(t, seen.Err, "runtime error")
		}
	})
}
