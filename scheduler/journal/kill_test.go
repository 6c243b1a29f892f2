package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

var killSeed = flag.Uint64("kill-seed", 0, "when TestKill does so; 0 draws one")

// killer kills a process that uses a journal, and starts it again.
type killer struct {
	t      *testing.T
	rnd    *rand.Rand
	server *server
	plan   plan
	began  time.Time
	rate   int64 // of the limit, in tokens a second
	moves  bool  // the clock is moved between lives

	acked, ended map[string]int // the life in which the child told it, by ID
	finished     map[string]int // the first life after which the file had a call as ended
	left         []leftover     // by life
	kills        int
	crashes      int            // the most deaths of the process while one call ran alone
	killing      time.Duration  // how long the lives before the last took
	when         map[string]int // kills, by what the child did
}

// leftover has the contents of the file at the end of a life.
type leftover struct {
	clean   bool
	running map[string]int // the attempt that has begun and whose end is not in the file, by ID
}

func newKiller(t *testing.T) *killer {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to replay when the process is killed: -kill-seed %d", seed)
	k := &killer{
		t: t, rnd: rand.New(rand.NewPCG(seed, 0)), server: newServer(t), began: time.Now(), rate: 400,
		acked: map[string]int{}, ended: map[string]int{}, finished: map[string]int{}, when: map[string]int{},
	}
	k.plan = plan{Do: "work", Path: filepath.Join(t.TempDir(), "calls.db"), URL: k.server.URL, Backoff: 200 * time.Microsecond}
	return k
}

// TestKill kills a process at random moments, also while it opens and closes its journal, and starts it again each time.
// Of what it had acknowledged nothing is lost. Only calls that ran when it died or closed are made again.
func TestKill(t *testing.T) {
	t.Parallel()
	again := newKiller(t).kill(cmp.Or(*kills, 50))
	require.NotZero(t, again, "no call ran again")
}

// TestKillWithLowLimit does so with a limit that holds most calls back. What was paid before a death stays paid.
func TestKillWithLowLimit(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	k.rate = 20
	k.kill(12)
}

// TestKillWithClockMoved does so while the clock is moved by up to six hours between lives.
func TestKillWithClockMoved(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	k.moves, k.plan.Backoff = true, 20*time.Millisecond
	k.kill(12)
}

// kill kills the process n times, lets it live until all calls have ended, and checks what was done. It returns how many
// runs were repeated.
func (k *killer) kill(n int) (again int) {
	for k.kills < n {
		k.live()
	}
	k.killing = time.Since(k.began)
	k.plan.Close, k.plan.Last = 0, true
	require.False(k.t, k.run("", 0), "the last life is not killed")
	k.look()
	require.Len(k.t, k.ended, len(k.acked))
	return k.check()
}

// live lets the process live once, until it is killed or has closed its journal.
func (k *killer) live() {
	phase := []string{"opening", "opened", "opened", "opened", "closing"}[k.rnd.IntN(5)]
	after := time.Duration(k.rnd.Int64N(int64(map[string]time.Duration{
		"opening": 8 * time.Millisecond, "opened": 100 * time.Millisecond, "closing": 10 * time.Millisecond,
	}[phase])))
	k.plan.Close = 0
	if phase == "closing" {
		k.plan.Close = 1 + time.Duration(k.rnd.Int64N(int64(50*time.Millisecond)))
	}
	if k.run(phase, after) {
		k.kills++
		k.when[phase]++
	}
	k.look()
}

// run starts the child and kills it some time after it has said what phase it is in. It reports whether it was killed
// before it had ended.
func (k *killer) run(phase string, after time.Duration) (killed bool) {
	k.plan.Life++
	k.plan.Seed = k.rnd.Uint64()
	k.plan.Pending = nil
	if k.plan.Rate = k.rate; k.plan.Last {
		k.plan.Rate = 10_000
	}
	if k.moves && !k.plan.Last {
		k.plan.Clock = time.Duration(k.rnd.Int64N(int64(6*time.Hour))) - 3*time.Hour
	} else if k.moves {
		k.plan.Clock = -3 * time.Hour // all that is in the file is of the future
	}
	for id := range k.acked {
		if k.ended[id] == 0 {
			k.plan.Pending = append(k.plan.Pending, id)
		}
	}
	c := start(k.t, &k.plan)
	timer := time.NewTimer(time.Hour)
	for line := range c.lines {
		if strings.Fields(line)[0] == phase {
			timer = time.AfterFunc(after, c.kill)
		}
		k.hear(line)
	}
	timer.Stop()
	return c.wait()
}

// hear notes what the child says.
func (k *killer) hear(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "fault":
		k.t.Errorf("life %d: %s", k.plan.Life, rest)
	case "opened":
		if before := len(k.left); before > 0 {
			suspects := len(k.left[before-1].running)
			if k.left[before-1].clean {
				suspects = 0
			}
			if fmt.Sprint(suspects) != rest {
				k.t.Errorf("%s suspects in life %d, and the file had %d: %v", rest, k.plan.Life, suspects, k.left[before-1].running)
			}
		}
	case "ack":
		k.acked[rest] = k.plan.Life
		var producer, call int
		_, err := fmt.Sscanf(rest, "%d-%d", &producer, &call)
		require.NoError(k.t, err)
		k.plan.Next[producer] = call + 1
	case "end":
		k.ended[rest] = k.plan.Life
	}
}

// process is a child that carries out a plan.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // what it says; closed at its end
	said  bytes.Buffer
	done  bool // it has said so
}

// start starts this program as a child with a plan.
func start(t *testing.T, p *plan) *process {
	text, err := json.Marshal(p)
	require.NoError(t, err)
	c := &process{t: t, cmd: child(t.Context(), "plan", p.Path), lines: make(chan string)}
	c.cmd.Stdin, c.cmd.Stderr = bytes.NewReader(text), &c.said
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	late := time.AfterFunc(5*time.Minute, c.kill)
	go func() {
		defer close(c.lines)
		defer late.Stop()
		for scan := bufio.NewScanner(out); scan.Scan(); {
			c.done = c.done || scan.Text() == "done"
			c.lines <- scan.Text()
		}
	}()
	return c
}

func (c *process) kill() { _ = c.cmd.Process.Kill() } // it may have ended

// wait waits for the end of the child, and reports whether it was killed. It is called when lines is closed.
func (c *process) wait() (killed bool) {
	err := c.cmd.Wait()
	require.Empty(c.t, c.said.String(), "what the child has written to its standard error")
	return err != nil || !c.done
}

// look reads the file that a life has left. Every call that was acknowledged is in it, unless its end was seen.
func (k *killer) look() {
	l := leftover{running: map[string]int{}}
	defer func() { k.left = append(k.left, l) }()
	db, err := bbolt.Open(k.plan.Path, 0o600, &bbolt.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		require.Empty(k.t, k.acked)
		return
	}
	require.NoError(k.t, err)
	defer func() { require.NoError(k.t, db.Close()) }()
	found := map[string]state{}
	require.NoError(k.t, db.View(func(tx *bbolt.Tx) error {
		sum, err := decodeSummary(tx.Bucket(totals).Get(only))
		require.NoError(k.t, err)
		l.clean = sum.clean
		return tx.Bucket(calls).ForEach(func(key, value []byte) error {
			r, err := decode(key, value)
			require.NoError(k.t, err)
			require.NotEqual(k.t, dead, r.state, "%+v", r)
			require.Zero(k.t, found[r.id], "%s is there twice", r.id)
			if found[r.id] = r.state; r.state == running {
				l.running[r.id] = r.attempts
				k.crashes = max(k.crashes, r.crashes)
			} else if r.state == ended && k.finished[r.id] == 0 {
				k.finished[r.id] = k.plan.Life
			}
			return nil
		})
	}))
	for id, life := range k.acked {
		switch {
		case found[id] == 0 && k.finished[id] == 0:
			k.t.Errorf("%s, which was acknowledged in life %d, is lost after life %d", id, life, k.plan.Life)
		case k.ended[id] != 0 && k.finished[id] == 0:
			k.t.Errorf("%s, which has ended in life %d, has not in the file", id, k.ended[id])
		}
	}
}
