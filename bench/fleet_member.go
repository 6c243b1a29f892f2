package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"example.com/fairlead/retry"
)

// member is one process of a fleet, and what it does.
type member struct {
	Addr     string // of Redis
	Job      job
	Number   int           // from 0
	Lone     bool          // one caller that pauses between calls, instead of callers that do not
	Hold     time.Duration // a server's wait that one of its calls is told; 0: none
	HoldAt   time.Duration // since the beginning
	CPUSince time.Duration // since the beginning
}

// grant is a call that was let through, in the time that all processes share.
type grant struct{ At, Waited time.Duration }

// memberReport has what a process writes at its end.
type memberReport struct {
	Grants []grant
	Failed int           // calls
	HeldAt time.Duration // when a call was told to wait; 0: none was
	CPU    time.Duration
}

// runMember runs a process of a fleet. It says that it is ready, reads when the fleet begins, and reports. It ends at
// once when its parent does.
func runMember(text string) error {
	var m member
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("member %q: %w", text, err)
	}
	wait := fleetLimiterNamed(m.Job.Who).open(m.Addr, m.Job.limit())
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	var begin time.Duration
	if _, err := fmt.Fscan(input, &begin); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, input)
		os.Exit(1)
	}()
	return json.NewEncoder(os.Stdout).Encode(m.work(begin, wait))
}

// work makes the calls of a process.
func (m member) work(begin time.Duration, wait waitInFleet) memberReport {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var r memberReport
	call := func(hold time.Duration) {
		arrived, told := sharedNow(), false
		err := wait(ctx, func() error {
			now := sharedNow()
			mu.Lock()
			defer mu.Unlock()
			r.Grants = append(r.Grants, grant{now, now - arrived})
			if hold > 0 && !told {
				told, r.HeldAt = true, now
				return retry.After(errors.New("429 Too Many Requests"), hold)
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			mu.Lock()
			defer mu.Unlock()
			r.Failed++
		}
	}
	time.Sleep(begin - sharedNow())
	var callers sync.WaitGroup
	for range m.callers() {
		callers.Go(func() { m.loop(ctx, call) })
	}
	if m.Hold > 0 {
		time.AfterFunc(m.HoldAt, func() { call(m.Hold) })
	}
	time.Sleep(begin + m.CPUSince - sharedNow())
	before, _ := usage()
	time.Sleep(begin + m.Job.Duration - sharedNow())
	after, _ := usage()
	cancel()
	callers.Wait()
	mu.Lock()
	defer mu.Unlock()
	r.CPU = after - before
	return r
}

func (m member) callers() int {
	if m.Lone {
		return 1
	}
	return m.Job.Callers
}

// loop makes one call after the other. A lone caller makes one pause after the other, of 200 ms on average.
func (m member) loop(ctx context.Context, call func(hold time.Duration)) {
	random := rand.New(rand.NewPCG(1, uint64(m.Number)))
	for ctx.Err() == nil {
		if m.Lone && sleep(ctx, 100*time.Millisecond+time.Duration(random.Int64N(int64(200*time.Millisecond)))) != nil {
			return
		}
		call(0)
	}
}

// runningMember is a process of a fleet, as its parent sees it.
type runningMember struct {
	cmd    *exec.Cmd
	input  io.Writer
	output *bufio.Reader
}

// startMember starts a process, and returns when it is ready.
func startMember(m member) runningMember {
	cmd := exec.Command(must(os.Executable()), "-member", string(must(json.Marshal(m))))
	cmd.Stderr = os.Stderr
	r := runningMember{cmd: cmd, input: must(cmd.StdinPipe()), output: bufio.NewReader(must(cmd.StdoutPipe()))}
	check(cmd.Start())
	if line := must(r.output.ReadString('\n')); line != "ready\n" {
		panic("a process of the fleet says " + line)
	}
	return r
}

// begin tells the process when the fleet begins.
func (r runningMember) begin(at time.Duration) { must(fmt.Fprintln(r.input, int64(at))) }

// report waits for the end of the process.
func (r runningMember) report() memberReport {
	var found memberReport
	check(json.NewDecoder(r.output).Decode(&found))
	check(r.cmd.Wait())
	return found
}
