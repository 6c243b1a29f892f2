package main

import (
	"os"
	"testing"
	"time"
)

// TestMain lets the test binary be a process of a fleet, as the program can.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-member" {
		if err := runMember(os.Args[2]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// needRedis skips a test where no Redis server is installed.
func needRedis(t *testing.T) {
	if !redisInstalled() {
		t.Skip("redis-server is not installed")
	}
}

// TestFleet: processes of each contestant get what they share, and not more. The quota is so small that a busy machine can
// use much of it.
func TestFleet(t *testing.T) {
	needRedis(t)
	for _, who := range inFleets {
		t.Run(who, func(t *testing.T) {
			got := measureFleet(job{Who: who, N: 2, Callers: 2, Rate: 25, Per: time.Second, Burst: 5, Duration: 5 * time.Second})
			if got["over since start"] != 0 || got["used"] < 0.4 || got["used"] > 1.5 || got["failed"] != 0 || got["lone calls"] < 2 || got["asks per 1000"] < 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestFleetNumbers: what a run shows, by hand.
func TestFleetNumbers(t *testing.T) {
	second := time.Second
	r := fleetRun{
		job:    job{Variant: fleetHold, N: 2, Callers: 5, Rate: 10, Per: second, Burst: 2},
		opened: 99 * second, begin: 100 * second,
		from: redisUse{at: 101 * second, calls: map[string]float64{"evalsha": 5, "get": 1}, cpu: 1},
		to:   redisUse{at: 103 * second, calls: map[string]float64{"evalsha": 8, "get": 9}, cpu: 2},
		members: []memberReport{
			{Grants: []grant{{100 * second, 0}, {102 * second, 20 * time.Millisecond}}, HeldAt: 102 * second, CPU: time.Millisecond},
			{Grants: []grant{{102*second + 30*time.Millisecond, 0}, {101500 * time.Millisecond, 40 * time.Millisecond}, {103 * second, 0}, {104 * second, second}}, CPU: 3 * time.Millisecond},
		},
		lone: memberReport{Grants: []grant{{101600 * time.Millisecond, 7 * time.Millisecond}}},
	}
	got := r.numbers(fleetLimiter{commands: []string{"evalsha", "eval"}})
	for name, want := range map[string]float64{
		"asks per 1000": 600, "asks per second": 1.5, "used": 0.25, "over since start": 0, "wait p50 ms": 10, "wait worst ms": 40,
		"ideal ms": 1000, "least of most": 1. / 3, "redis cpu": 0.5, "cpu us per grant": 800, "lone p50 ms": 7, "lone calls": 1,
		"hold ms": 30, "through a hold": 1,
	} {
		if d := got[name] - want; d < -1e-6 || d > 1e-6 {
			t.Errorf("%s: %v and not %v", name, got[name], want)
		}
	}
	r.members[1].Grants = append(r.members[1].Grants, make([]grant, 30)...)
	for i := range 30 {
		r.members[1].Grants[4+i].At = 100 * second
	}
	if got := r.numbers(fleetLimiter{})["over since start"]; got != 19 {
		t.Errorf("%v tokens over and not 19", got)
	}
}
