package journal

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowDisk is a committer whose commits take a second each.
type slowDisk struct {
	*committer
	sizes  []int  // of the commits
	levels []byte // of the latest
	fails  error
}

func newSlowDisk(t *testing.T) *slowDisk {
	d := &slowDisk{}
	d.committer = startCommitter("calls.db", func(b batch) error {
		time.Sleep(time.Second)
		d.sizes, d.levels = append(d.sizes, len(b.changes)), b.levels
		return d.fails
	})
	t.Cleanup(d.stop)
	return d
}

// puts puts a call for each number, each on a goroutine, and returns a channel of their errors.
func (d *slowDisk) puts(numbers ...uint64) <-chan error {
	errs := make(chan error, len(numbers))
	for _, n := range numbers {
		go func() {
			errs <- <-d.begin(batch{changes: []change{{record: call(n)}}, levels: fmt.Append(nil, n)}).committed
		}()
		synctest.Wait()
	}
	return errs
}

// TestCommitsAreShared checks that what comes while a commit is under way shares the next one, with the levels of the latest.
func TestCommitsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, start := newSlowDisk(t), time.Now()
		one := d.puts(1)
		three := d.puts(2, 3, 4)
		require.NoError(t, <-one)
		require.Equal(t, time.Second, time.Since(start))
		for range 3 {
			require.NoError(t, <-three)
		}
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, []int{1, 3}, d.sizes)
		require.Equal(t, "4", string(d.levels))
	})
}

// TestCommitIsBounded checks that no more than so many puts share a commit.
func TestCommitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		var all sync.WaitGroup
		for n := range uint64(maxShared + 10) {
			all.Go(func() { <-d.begin(batch{changes: []change{{record: call(n)}}}).committed })
			if n == 0 {
				synctest.Wait()
			}
		}
		all.Wait()
		require.Equal(t, []int{1, maxShared, 9}, d.sizes)
	})
}

// TestFailedCommitPoisons checks that after a commit that failed nothing is committed, and that each put is told whether it is in
// doubt.
func TestFailedCommitPoisons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		d.fails = errors.New("no space left on device")
		inDoubt := d.puts(1)
		refused := d.puts(2)
		for errs, doubt := range map[<-chan error]bool{inDoubt: true, refused: false, d.puts(3): false} {
			var failed *commitError
			err := <-errs
			require.ErrorAs(t, err, &failed)
			require.ErrorIs(t, err, d.fails)
			require.ErrorContains(t, err, "calls.db")
			require.Equal(t, doubt, failed.inDoubt)
		}
		d.fails = nil
		require.Error(t, <-d.puts(4), "although the disk has room again")
		require.Equal(t, []int{1}, d.sizes)
	})
}

func TestStopCommitsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		errs := d.puts(1, 2, 3)
		d.stop()
		for range 3 {
			require.NoError(t, <-errs)
		}
		require.Equal(t, []int{1, 2}, d.sizes)
		require.ErrorIs(t, <-d.puts(4), ErrClosed)
	})
}

// TestCommitterTakesTheRecordAsItIs checks that a record may be changed as soon as begin has returned.
func TestCommitterTakesTheRecordAsItIs(t *testing.T) {
	var committed []*record
	hold := make(chan struct{})
	c := startCommitter("calls.db", func(b batch) error {
		<-hold
		for _, ch := range b.changes {
			committed = append(committed, ch.record)
		}
		return nil
	})
	r := call(1)
	p := c.begin(batch{changes: []change{{record: r}}})
	r.state = dead
	close(hold)
	require.NoError(t, <-p.committed)
	c.stop()
	require.Equal(t, waiting, committed[0].state)
}
