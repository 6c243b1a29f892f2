package main

import (
	"flag"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/examples/internal/strict"
)

var killSeed = flag.Uint64("kill-seed", 0, "when to kill, and what else is random in TestKillNine; 0 draws one")

// TestKillNine checks that batch, killed at 20 random moments and started again each time, answers every request
// exactly once. The API's log shows that only failed requests, and those in flight at a kill, were sent again.
func TestKillNine(t *testing.T) {
	const kills, n = 20, 400
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to replay: go test ./batch -run TestKillNine -kill-seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	program := build(t)

	api := strict.Config{PerMinute: 9000, Burst: 30, FailRate: 0.05, SlowRate: 0.3, Slow: 10 * time.Millisecond, Seed: seed}
	st := newSite(t, api, requests(n)...)
	start := func() *exec.Cmd {
		cmd := exec.Command(program, st.args("-rpm", "6000", "-burst", "20")...)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		return cmd
	}
	extra := map[string]int{} // by id: how many more answers it may have had
	for range kills {
		before := len(st.entries())
		batch := start()
		st.await(before + rnd.IntN(20))
		<-time.After(time.Duration(rnd.IntN(5_000_000)))
		require.NoError(t, batch.Process.Kill())
		_ = batch.Wait() // it was killed

		done := st.wholeResults()
		for _, e := range st.quietLog()[before:] {
			if !done[e.ID] && e.Status == http.StatusOK {
				extra[e.ID]++ // its request was in flight, or its result is torn
			}
		}
		t.Logf("killed with %d of %d done", len(done), n)
		st.checkpoint(done)
	}
	require.NoError(t, start().Wait(), "the last run is not killed")

	answered := st.results()
	require.Len(t, answered, n)
	oks := map[string]int{}
	for _, e := range st.entries() {
		if e.Status == http.StatusOK {
			oks[e.ID]++
		}
	}
	for id := range answered {
		require.Nil(t, answered[id].Error)
		require.Equal(t, 1+extra[id], oks[id], "answers to %s", id)
	}
	st.requireNoneRepeated()
}

// build builds the program.
func build(t *testing.T) (path string) {
	path = filepath.Join(t.TempDir(), "batch.exe")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// checkpoint records which lines were done at a kill, and the length of the API's log.
type checkpoint struct {
	entries int
	done    map[string]bool
}

func (st *site) checkpoint(done map[string]bool) {
	st.kills = append(st.kills, checkpoint{len(st.entries()), done})
}

// requireNoneRepeated checks that a line that was done at a kill was never sent again.
func (st *site) requireNoneRepeated() {
	log := st.entries()
	for i, kill := range st.kills {
		for _, e := range log[kill.entries:] {
			require.False(st.t, kill.done[e.ID], "%s was answered before kill %d and sent again", e.ID, i+1)
		}
	}
}

// wholeResults returns the ids of the complete results in the output.
func (st *site) wholeResults() map[string]bool {
	done := map[string]bool{}
	f, err := os.Open(st.out)
	if os.IsNotExist(err) {
		return done
	}
	require.NoError(st.t, err)
	defer f.Close()
	_, err = readResults(f, func(e *entry) { done[e.ID] = true })
	require.NoError(st.t, err)
	return done
}

// await returns when the API has logged that many requests. If they don't come, it returns after two seconds.
func (st *site) await(entries int) {
	for deadline := time.After(2 * time.Second); len(st.entries()) < entries; {
		select {
		case <-st.logged:
		case <-deadline:
			return
		}
	}
}

// quietLog returns the log when the API has handled all that programs that have ended sent to it.
func (st *site) quietLog() []strict.Entry {
	last, err := net.Dial("tcp", strings.TrimPrefix(st.url, "http://")) // accepted after all others
	require.NoError(st.t, err)
	require.NoError(st.t, last.Close())
	for !st.allLeft(last.LocalAddr().String()) {
		<-st.left
	}
	return st.entries()
}

// connection notes that a client has come or left.
func (st *site) connection(c net.Conn, state http.ConnState) {
	if state != http.StateNew && state != http.StateClosed {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.open[c.RemoteAddr().String()] = state == http.StateNew
	select {
	case st.left <- struct{}{}:
	default:
	}
}

// allLeft reports whether the last client has come, and no connection is open.
func (st *site) allLeft(last string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	_, came := st.open[last]
	return came && !slices.Contains(slices.Collect(maps.Values(st.open)), true)
}
