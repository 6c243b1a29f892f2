package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// unlimited is a configuration whose calls run 8 at a time.
func unlimited(h Handler) Config {
	return Config{Handlers: Handlers{"call": h}, Scheduler: scheduler.Config{Limit: bucket.Unlimited, MaxInFlight: 8}}
}

// submitAll submits calls, waits until they have ended, and tells of those that are dead letters.
func (p *plan) submitAll(j *Journal, ids []string) {
	if err := j.s.Pause(); err != nil {
		fail(err)
	}
	for _, id := range ids {
		_, err := j.Submit(context.Background(), Call{ID: id, Handler: "call", Payload: []byte(id)})
		if dead := new(DeadError); err != nil && !errors.As(err, &dead) {
			fail(err)
		}
	}
	say("submitted")
	if err := j.s.Resume(); err != nil {
		fail(err)
	}
	for _, id := range ids {
		_, err := j.Wait(context.Background(), id)
		if dead := new(DeadError); errors.As(err, &dead) {
			say("dead %s: %s", id, dead.Reason)
		} else if err != nil {
			fail(err)
		}
	}
	if err := j.Close(context.Background()); err != nil {
		fail(err)
	}
	say("done")
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("call ", i))
	}
	return ids
}

// poison makes calls of which one kills its process.
func (p *plan) poison() {
	cfg := unlimited(func(_ context.Context, payload []byte) error {
		<-time.After(2 * time.Millisecond)
		if string(payload) != "call 15" {
			return nil
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		<-time.After(time.Minute) // until the signal comes
		return err
	})
	cfg.MaxCrashes = 3
	p.submitAll(p.open(cfg), numbered(31))
}

// slow makes calls that take longer than their process lives.
func (p *plan) slow() {
	p.submitAll(p.open(unlimited(func(context.Context, []byte) error {
		<-time.After(p.Close)
		return nil
	})), numbered(24))
}

// hold keeps a journal open.
func (p *plan) hold() {
	p.open(unlimited(func(context.Context, []byte) error { return nil }))
	<-time.After(time.Minute)
}

// TestPoison makes 31 calls of which one kills its process. It becomes a dead letter, and none of the others does.
func TestPoison(t *testing.T) {
	p := &plan{Do: "poison", Path: filepath.Join(t.TempDir(), "calls.db")}
	var deaths int
	var dead []string
	for killed := true; killed && deaths < 10; {
		c := start(t, p)
		for line := range c.lines {
			require.NotContains(t, line, "fault")
			if strings.HasPrefix(line, "dead") {
				dead = append(dead, line)
			}
		}
		if killed = c.wait(); killed {
			deaths++
		}
	}
	require.Equal(t, []string{"dead call 15: the process has died 3 times while this call ran alone; its handler has never returned an error"}, dead)
	require.Equal(t, 4, deaths, "once among others, and three times alone")
}

// TestInnocentsLive kills a process 15 times before the calls that it makes can end. None becomes a dead letter.
func TestInnocentsLive(t *testing.T) {
	p := &plan{Do: "slow", Path: filepath.Join(t.TempDir(), "calls.db"), Close: time.Minute}
	restarts, ended := 15, false
	for life := range restarts + 2 {
		if life == restarts+1 {
			p.Close = time.Millisecond
		}
		c := start(t, p)
		timer := time.NewTimer(time.Hour)
		for line := range c.lines {
			require.NotContains(t, line, "fault")
			require.NotContains(t, line, "dead")
			if line == "submitted" && life <= restarts {
				timer = time.AfterFunc(20*time.Millisecond, c.kill)
			}
		}
		timer.Stop()
		ended = !c.wait()
	}
	require.True(t, ended)
}

// TestTwoProcesses opens the file that another process has open.
func TestTwoProcesses(t *testing.T) {
	p := &plan{Do: "hold", Path: filepath.Join(t.TempDir(), "calls.db")}
	c := start(t, p)
	cfg := unlimited(func(context.Context, []byte) error { return nil })
	for line := range c.lines {
		if line != "opened 0" {
			continue
		}
		_, err := Open(p.Path, cfg)
		require.ErrorContains(t, err, p.Path)
		require.ErrorContains(t, err, fmt.Sprintf("another journal has it open, process %d", c.cmd.Process.Pid))
		c.kill()
	}
	require.True(t, c.wait())
	j, err := Open(p.Path, cfg)
	require.NoError(t, err, "the dead do not hold it")
	require.NoError(t, j.Close(t.Context()))
}
