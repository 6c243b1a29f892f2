package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// job is one measurement of one contestant. Each runs in a process of its own, so that
// none has to live with the garbage, the goroutines or the timers of another.
type job struct {
	Work     string // one of works
	Who      string
	Variant  string
	Callers  int // goroutines that call
	N        int // calls, waiters or jobs
	Rate     int // tokens every Per
	Per      time.Duration
	Burst    int
	Duration time.Duration
}

func (j job) limit() limit { return limit{j.Rate, j.Burst, j.Per} }

// numbers is what a job found out, by name.
type numbers map[string]float64

// works are all kinds of jobs, each with what it measures.
var works map[string]func(job) numbers

func init() { // here, since some of them lead back to this table
	works = map[string]func(job) numbers{
		"calls":    measureCalls,
		"events":   measureEvents,
		"idle":     measureIdle,
		"crowd":    measureCrowd,
		"bytes":    measureWaiterBytes,
		"core":     measureCore,
		"granted":  measureGranted,
		"canceled": measureCanceled,
		"drain":    measureDrain,
		"stall":    measureStall,
		"late":     measureLate,
		"loop":     measureLoop,
		"flood":    measureFlood,
		"change":   measureChange,
		"retries":  measureRetries,
		"backing":  measureRetryBytes,
		"keys":     measureKeyBytes,
		"noisy":    measureNeighbors,
		"fleet":    measureFleet,
		"journal":  measureJournal,
	}
}

// runHere runs a job in this process and prints its numbers.
func runHere(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fmt.Errorf("job %q: %w", text, err)
	}
	measure, ok := works[j.Work]
	if !ok {
		return fmt.Errorf("job %q: no such work", text)
	}
	if j.Callers != 1 && j.Work != "idle" && j.Work != "late" {
		spread()
	}
	return json.NewEncoder(os.Stdout).Encode(measure(j))
}

var errTooSlow = errors.New("did not finish in time")

// patience is how long a job may take. The slowest that finish need half of it.
const patience = 25 * time.Second

// run runs a job in a process of its own.
func (j job) run() (numbers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-job", string(text))
	complaints := new(strings.Builder)
	cmd.Stderr = complaints
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, errTooSlow
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: %w\n%.2000s", text, err, complaints)
	}
	var found numbers
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, fmt.Errorf("job %s printed %q: %w", text, out, err)
	}
	return found, nil
}
