package journal

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

var many = flag.Int("calls", 20_000, "how many calls wait in the file that TestOpenMany opens")

// TestOpenMany opens a file in which many calls wait, and checks that it tells how far it is. With -calls 1000000 it
// shows how long that takes.
func TestOpenMany(t *testing.T) {
	path := filepath.Join(inMemory(t), "calls.db")
	f, _ := open(t, path, fileOptions{clock: clock.System()})
	f.db.NoSync = true
	payload := make([]byte, 100)
	for n := 0; n < *many; {
		var b batch
		for range 1000 {
			n++
			b.changes = append(b.changes, change{record: call(uint64(n)), payload: payload})
		}
		require.NoError(t, f.commit(b))
	}
	require.NoError(t, f.close(false))
	info, err := os.Stat(path)
	require.NoError(t, err)

	runtime.GC()
	var told []int64
	start := time.Now()
	tell := func(done, total int64) { told = append(told, done*100/total) }
	_, found := open(t, path, fileOptions{clock: clock.System(), progress: &progress{user: tell}})
	t.Logf("%d calls in %d MB: checked in %v", *many, info.Size()>>20, time.Since(start))
	require.Equal(t, *many, len(found.calls))
	require.IsNonDecreasing(t, told)
	require.Greater(t, len(told), 50)
	require.GreaterOrEqual(t, told[len(told)-1], int64(49), "half: see contents.tell")
}
