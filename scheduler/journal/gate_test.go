package journal

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGate lets handlers and suspects come while others run.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := newGate()
		var mu sync.Mutex
		var log []string
		come := func(name string, suspect bool, after, takes time.Duration) {
			go func() {
				time.Sleep(after)
				g.enter(suspect)
				mu.Lock()
				log = append(log, fmt.Sprintf("%v %s", time.Since(start), name))
				mu.Unlock()
				time.Sleep(takes)
				g.leave(suspect)
			}()
		}
		s := time.Second
		come("a", false, 0, 10*s)
		come("b", false, s, 2*s)
		come("suspect", true, 2*s, 5*s)
		come("late", false, 4*s, s)
		come("suspect 2", true, 5*s, s)
		come("later", false, 17*s, s)
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []string{"0s a", "1s b", "10s suspect", "15s suspect 2", "16s late", "17s later"}, log)
	})
}
