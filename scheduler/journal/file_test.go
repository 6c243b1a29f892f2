package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

var day = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// wall is a clock that shows *now.
type wall struct {
	clock.Clock
	now *time.Time
}

func (w wall) Now() time.Time { return *w.now }

// open opens a journal's file, and closes it uncleanly when the test ends, unless that is done before.
func open(t testing.TB, path string, options fileOptions) (*file, *contents) {
	t.Helper()
	if options.clock == nil {
		options.clock = wall{clock.System(), &day}
	}
	f, found, err := openFile(path, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.close(false) })
	return f, found
}

func inFolder(t testing.TB) string { return filepath.Join(t.TempDir(), "calls.db") }

// call returns the record of a call that waits.
func call(number uint64) *record {
	return &record{
		number: number, id: fmt.Sprintf("order-%d", number), handler: "charge", key: "acme", cost: 1, state: waiting,
		rank: day.Add(time.Duration(number)),
	}
}

// all returns all records of a file, by number.
func all(t testing.TB, c *contents) map[uint64]*record {
	t.Helper()
	found := map[uint64]*record{}
	for _, one := range c.calls {
		r, err := c.file.record(one.number)
		require.NoError(t, err)
		found[r.number] = r
	}
	return found
}

func TestFileKeepsCalls(t *testing.T) {
	path := inFolder(t)
	f, found := open(t, path, fileOptions{})
	require.True(t, found.clean)
	require.Empty(t, all(t, found))

	r := call(7)
	r.end, r.priority, r.costs = "charge order 17", -3, map[string]int64{"tokens": 900, "requests": 1}
	require.NoError(t, f.commit(batch{changes: []change{{record: r, payload: []byte("17 EUR")}}, levels: []byte("half full")}))
	r.state, r.attempts, r.first, r.due, r.lastErr = backingOff, 2, day, day.Add(time.Minute), "busy"
	require.NoError(t, f.commit(batch{changes: []change{{record: r}}}))
	require.NoError(t, f.close(false))

	f, found = open(t, path, fileOptions{})
	require.False(t, found.clean)
	require.Equal(t, "half full", string(found.levels))
	require.EqualValues(t, 7, found.lastNumber)
	got := all(t, found)
	want := *r
	want.seq, want.payload = 3, bodyOf([]byte("17 EUR"))
	require.Equal(t, map[uint64]*record{7: &want}, got)
	payload, err := f.payload(7)
	require.NoError(t, err)
	require.Equal(t, "17 EUR", string(payload))

	r.state, r.endedAt = ended, day
	require.NoError(t, f.commit(batch{changes: []change{{record: r, result: []byte("receipt")}}}))
	require.NoError(t, f.close(true))
	f, found = open(t, path, fileOptions{})
	require.True(t, found.clean)
	require.Equal(t, 1, len(found.calls))
	_, err = f.payload(7)
	require.Error(t, err)
	result, err := f.result(7)
	require.NoError(t, err)
	require.Equal(t, "receipt", string(result))
	require.Equal(t, bodyOf([]byte("17 EUR")), all(t, found)[7].payload, "to compare with a payload that comes with the same id")
}

// TestFileForgets checks that calls that ended are kept by count and age, and that commits forget the others a few at a
// time, also those of an earlier life.
func TestFileForgets(t *testing.T) {
	path, now := inFolder(t), day
	var forgotten []uint64
	options := fileOptions{keepEnded: 10, clock: wall{clock.System(), &now}, forgot: func(_ string, n uint64) { forgotten = append(forgotten, n) }}
	f, _ := open(t, path, options)
	var many batch
	for n := uint64(1); n <= 30; n++ {
		r := call(n)
		r.state, r.endedAt = ended, day.Add(time.Duration(n)*time.Second)
		many.changes = append(many.changes, change{record: r, result: []byte{1}})
	}
	require.NoError(t, f.commit(many))
	require.Empty(t, forgotten)
	require.NoError(t, f.commit(batch{}))
	require.Equal(t, []uint64{1, 2}, forgotten)
	require.NoError(t, f.close(false))

	f, found := open(t, path, options)
	require.Equal(t, 28, len(found.calls))
	for range 20 {
		require.NoError(t, f.commit(batch{changes: []change{{record: call(100)}}}))
	}
	require.Len(t, forgotten, 20)
	now = day.Add(time.Hour + 25*time.Second + time.Nanosecond) // those of 21 s to 25 s
	for range 20 {
		require.NoError(t, f.commit(batch{}))
	}
	require.Len(t, forgotten, 25)
	require.NoError(t, f.close(true))
	f, found = open(t, path, options)
	require.Len(t, all(t, found), 6)
	_, err := f.result(1)
	require.ErrorContains(t, err, "not in the file")
}

func TestFileForgetsDeadLetters(t *testing.T) {
	path := inFolder(t)
	f, _ := open(t, path, fileOptions{})
	r := call(1)
	r.state, r.endedAt = dead, day.Add(-24*time.Hour)
	require.NoError(t, f.commit(batch{changes: []change{{record: r, payload: []byte("x")}}}))
	require.NoError(t, f.commit(batch{}))
	payload, err := f.payload(1)
	require.NoError(t, err, "a dead letter has no age")
	require.Equal(t, "x", string(payload))
	require.NoError(t, f.commit(batch{changes: []change{{record: r, forget: true}}}))
	require.NoError(t, f.close(true))
	_, found := open(t, path, fileOptions{})
	require.Empty(t, all(t, found))
}

func TestFileIsLocked(t *testing.T) {
	path := inFolder(t)
	f, _ := open(t, path, fileOptions{})
	_, _, err := openFile(path, fileOptions{clock: clock.System()})
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", os.Getpid()))
	out, err := child(t.Context(), "produce", path).Output()
	require.NoError(t, err)
	require.Contains(t, string(out), fmt.Sprintf("no open: journal %s: another journal has it open, process %d", path, os.Getpid()))

	var closing sync.WaitGroup
	closing.Go(func() {
		time.Sleep(50 * time.Millisecond)
		_ = f.close(true)
	})
	open(t, path, fileOptions{clock: clock.System(), lockWait: time.Minute})
	closing.Wait()
}
