package journal

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// backlog makes a file of n calls that wait, with payloads of 100 bytes.
func backlog(t testing.TB, path string, n int) {
	t.Helper()
	f, _, err := openFile(path, fileOptions{clock: clock.System()})
	require.NoError(t, err)
	payload := make([]byte, 100)
	for numbers := range slices.Chunk(upTo(n), 10_000) {
		var b batch
		for _, number := range numbers {
			b.changes = append(b.changes, change{record: call(number), payload: payload})
		}
		require.NoError(t, f.commit(b))
	}
	require.NoError(t, f.close(true))
}

// upTo returns the numbers from 1 to n.
func upTo(n int) []uint64 {
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = uint64(i + 1)
	}
	return numbers
}

// idle is a configuration in which calls wait, since the bucket is empty.
func idle() Config {
	return Config{
		Scheduler: scheduler.Config{Limit: bucket.Per(1, time.Hour), Level: &bucket.State{}},
		Handlers:  Handlers{"charge": func(context.Context, []byte) error { return nil }},
	}
}

// memory returns the bytes of the heap and of stacks that are in use.
func memory() uint64 {
	runtime.GC()
	runtime.GC() // for what finalizers have freed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// anonymous returns how much of the process is in memory, without mapped files. It is 0 where the kernel does not tell.
func anonymous() (kilobytes int) {
	text, err := os.ReadFile("/proc/self/status")
	if _, after, ok := strings.Cut(string(text), "RssAnon:"); err == nil && ok {
		_, _ = fmt.Sscan(after, &kilobytes)
	}
	return kilobytes
}

// openBacklog opens a file of n calls that wait. It returns how long that takes, and how many bytes of memory each call.
func openBacklog(t testing.TB, path string, n int) (j *Journal, took time.Duration, each float64) {
	t.Helper()
	before, start := memory(), time.Now()
	j, err := Open(path, idle())
	took = time.Since(start)
	require.NoError(t, err)
	require.Equal(t, n, j.Report().Calls)
	return j, took, float64(memory()-before) / float64(n)
}

// TestWaitingCallsTakeLittleMemory opens a file of 50,000 calls, whose payloads stay there.
func TestWaitingCallsTakeLittleMemory(t *testing.T) {
	const n = 50_000
	path := inFolder(t)
	backlog(t, path, n)
	j, _, each := openBacklog(t, path, n)
	t.Logf("%.1f bytes each", each)
	require.LessOrEqual(t, each, 250.)
	require.NoError(t, j.Close(t.Context()))
}

// TestProgress checks that Progress hears of both times that Open goes through the calls.
func TestProgress(t *testing.T) {
	const n = 20_000
	path := inFolder(t)
	backlog(t, path, n)
	info, err := os.Stat(path)
	require.NoError(t, err)
	var told []int64
	cfg := idle()
	cfg.Progress = func(done, total int64) {
		require.LessOrEqual(t, total, info.Size())
		require.Greater(t, total, info.Size()/2)
		told = append(told, 100*done/total)
	}
	j, err := Open(path, cfg)
	require.NoError(t, err)
	require.True(t, slices.IsSorted(told), told)
	require.Less(t, told[0], int64(5))
	require.Greater(t, slices.Index(told, 100), 50)
	for _, part := range []int64{25, 49, 75, 100} {
		require.Contains(t, told, part)
	}
	require.NoError(t, j.Close(t.Context()))
}

// changedPages returns how many pages of a file a commit of a new call writes.
func changedPages(t *testing.T, f *file, number uint64) (n int) {
	before, err := os.ReadFile(f.path)
	require.NoError(t, err)
	require.NoError(t, f.commit(batch{changes: []change{{record: call(number), payload: make([]byte, 100)}}}))
	after, err := os.ReadFile(f.path)
	require.NoError(t, err)
	old := slices.Collect(slices.Chunk(before, 4096))
	for i, page := range slices.Collect(slices.Chunk(after, 4096)) {
		if i >= len(old) || !bytes.Equal(page, old[i]) {
			n++
		}
	}
	return n
}

// TestDrainedBacklogCostsNothing removes 30,000 calls from a file. A commit writes no more then than one to a new file: no list of
// thousands of free pages.
func TestDrainedBacklogCostsNothing(t *testing.T) {
	const n = 30_000
	f, _ := open(t, inFolder(t), fileOptions{})
	require.NoError(t, f.commit(batch{changes: []change{{record: call(1)}}}))
	want := changedPages(t, f, 2)
	path := inFolder(t)
	backlog(t, path, n)
	f, _ = open(t, path, fileOptions{})
	for numbers := range slices.Chunk(upTo(n), 10_000) {
		var b batch
		for _, number := range numbers {
			b.changes = append(b.changes, change{record: call(number), forget: true})
		}
		require.NoError(t, f.commit(b))
	}
	require.NoError(t, f.commit(batch{changes: []change{{record: call(n + 1)}}}))
	got := changedPages(t, f, n+2)
	t.Logf("%d pages, and %d in a new file", got, want)
	require.LessOrEqual(t, got, want+1)
}

// BenchmarkMillion opens a file of a million calls that wait, with payloads of 100 bytes.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	path := inFolder(b)
	backlog(b, path, n)
	info, err := os.Stat(path)
	require.NoError(b, err)
	for b.Loop() {
		resident := anonymous()
		j, took, each := openBacklog(b, path, n)
		b.ReportMetric(took.Seconds(), "s/open")
		b.ReportMetric(each, "heap-B/call")
		b.ReportMetric(float64(anonymous()-resident)*1024/n, "rss-B/call")
		b.ReportMetric(float64(info.Size())/n, "file-B/call")
		require.NoError(b, j.Close(b.Context()))
	}
}
