package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// payload is the same for each call.
var payload = make([]byte, 100)

// patience is how long calls may take that were accepted, after the last one was.
const patience = 2 * time.Second

// measure lets callers submit calls to an empty file for a time. Each caller submits its next call as soon as the one before
// is accepted. Then measure waits until the ends of all calls are in the file, but no longer than patience.
func measure(j job) (map[string]float64, error) {
	folder, err := os.MkdirTemp("", "journals")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	found := map[string]float64{"file system": fileSystem(folder)}
	if found["fdatasync us"], err = syncTime(folder); err != nil {
		return nil, err
	}
	keeper := keepers[j.Who]
	if keeper == nil {
		return nil, fmt.Errorf("no such contestant: %q", j.Who)
	}
	var handled atomic.Int64
	k, err := keeper(filepath.Join(folder, "calls.db"), func() { handled.Add(1) })
	if err != nil {
		return nil, err
	}
	cpu, start := cpuTime(), time.Now()
	waits, failed := produce(j, k)
	n := float64(len(waits))
	found["accepted per second"] = n / time.Since(start).Seconds()
	for handled.Load() < int64(n) && time.Since(start) < j.Duration+patience {
		time.Sleep(time.Millisecond)
	}
	made := float64(handled.Load())
	if made >= n {
		if err := k.settle(); err != nil {
			return nil, err
		}
	}
	found["calls per second"], found["left"] = made/time.Since(start).Seconds(), n-made
	found["cpu us per call"] = float64((cpuTime() - cpu).Microseconds()) / made
	found["submit p50 ms"], found["submit p99 ms"] = quantile(waits, 0.5), quantile(waits, 0.99)
	found["failed"] = float64(failed) / (n + float64(failed))
	return found, nil
}

// produce returns how long each Submit took that was accepted, and how many were not.
func produce(j job, k kept) (waits []time.Duration, failed int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	end := time.Now().Add(j.Duration)
	for range j.Callers {
		all.Go(func() {
			var mine []time.Duration
			refused := 0
			for start := time.Now(); start.Before(end); {
				err := k.submit(context.Background(), payload)
				now := time.Now()
				if err == nil {
					mine = append(mine, now.Sub(start))
				} else {
					refused++
				}
				start = now
			}
			mu.Lock()
			defer mu.Unlock()
			waits, failed = append(waits, mine...), failed+refused
		})
	}
	all.Wait()
	return waits, failed
}

// quantile returns the wait in milliseconds that a part q of the waits do not exceed.
func quantile(waits []time.Duration, q float64) float64 {
	if len(waits) == 0 {
		return 0
	}
	slices.Sort(waits)
	return float64(waits[int(q*float64(len(waits)-1))].Microseconds()) / 1000
}

// syncTime returns how long it takes to write 4 KiB into a file and to sync it, in microseconds: the median of 100.
func syncTime(folder string) (float64, error) {
	f, err := os.Create(filepath.Join(folder, "synced"))
	if err != nil {
		return 0, err
	}
	page := make([]byte, 4096)
	var waits []time.Duration
	for range 100 {
		start := time.Now()
		_, err := f.WriteAt(page, 0)
		if err := errors.Join(err, syncData(f)); err != nil {
			return 0, err
		}
		waits = append(waits, time.Since(start))
	}
	slices.Sort(waits)
	return float64(waits[len(waits)/2].Nanoseconds()) / 1000, f.Close()
}
