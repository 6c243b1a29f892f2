package main

import (
	"fmt"
	"time"
)

// What workload J measures, compares and reports.

const fleetProcesses = 8

// Who takes part in workload J.
var (
	inFleets   = []string{fairlead, fairleadAhead, redisRate, throttledRedis}
	fleetPeers = []string{redisRate, throttledRedis}
)

// quota is a limit that a fleet shares.
type quota struct{ rate, burst int }

var fleetQuotas = []quota{{1000, 1}, {10_000, 1000}}

func (p plan) fleet(who, variant string, q quota, callers int, d time.Duration) job {
	return job{Work: "fleet", Who: who, Variant: variant, N: fleetProcesses, Callers: callers, Rate: q.rate, Per: time.Second,
		Burst: q.burst, Duration: d}
}

// busyFleet returns a job in which all processes call, and one more has a lone caller.
func (p plan) busyFleet(who string, q quota) job {
	d := 5 * time.Second
	if q.rate > 1000 {
		d = 3500 * time.Millisecond
	}
	return p.fleet(who, fleetBusy, q, 4, d)
}

// slowFleet returns a job in which tokens are rarer than processes would like to buy.
func (p plan) slowFleet(who string) job {
	return p.fleet(who, fleetAlone, quota{20, 1}, 1, 12*time.Second)
}

func (p plan) fleetOutages(who string) job {
	return p.fleet(who, fleetOutages, quota{1000, 1000}, 4, awayAt+awayFor+2700*time.Millisecond)
}

func (p plan) fleetHold() job {
	return p.fleet(fairlead, fleetHold, quota{10_000, 1}, 4, holdAt+holdFor+300*time.Millisecond)
}

// fleetGroups returns workload J, or nothing where there is no Redis server.
func (p plan) fleetGroups() []group {
	if !redisInstalled() {
		return nil
	}
	var list []group
	for i, q := range fleetQuotas {
		names := inFleets
		if i > 0 || p.quick {
			names = []string{fairlead, redisRate, throttledRedis}
		}
		list = append(list, group{fmt.Sprintf("J: a fleet at %d/s", q.rate), 1,
			each(names, func(who string) job { return p.busyFleet(who, q) })})
	}
	others := append([]string{fairlead}, fleetPeers...)
	if p.quick {
		others = []string{fairlead, redisRate}
	}
	return append(list, group{"J: a slow fleet", 1, each(others, p.slowFleet)},
		group{"J: Redis comes back empty", 1, each(others, p.fleetOutages)},
		group{"J: a hold", 3, []job{p.fleetHold()}})
}

// defaultAhead returns how far ahead processes buy tokens.
func defaultAhead(processes, rate int) time.Duration {
	return min(max(time.Duration(100*processes)*time.Second/time.Duration(rate), 50*time.Millisecond), time.Second)
}

// measuredFleets reports whether workload J was measured.
func (r *run) measuredFleets() bool { return len(r.results[r.Plan.fleetHold()]) > 0 }

func (r *run) fleetTargets() []target {
	if !r.measuredFleets() {
		return nil
	}
	p, get := r.Plan, r.results.of
	var list []target
	add := func(name, unit, of string, jobs func(string) job, want float64) {
		peer, theirs := r.results.best(fleetPeers, jobs, of)
		list = append(list, target{name: "P13 " + name, ours: get(jobs(fairlead), of), unit: unit, peer: peer, theirs: theirs, want: want})
	}
	used := func(name string, jobs func(string) job) {
		peer, theirs := r.results.most(fleetPeers, jobs, "used")
		list = append(list, target{name: "P13 " + name, ours: get(jobs(fairlead), "used"), peer: peer, theirs: theirs, want: 0.99, atLeast: true})
	}
	for _, q := range fleetQuotas {
		busy := func(who string) job { return p.busyFleet(who, q) }
		at := fmt.Sprintf(" of %d processes at %s/s", fleetProcesses, number(float64(q.rate)))
		add("requests to Redis for 1000 calls"+at, "", "asks per 1000", busy, 12)
		add("tokens over"+at, "", "over since start", busy, 0)
		used(fmt.Sprintf("part of the rate, capacity %s,", number(float64(q.burst)))+at, busy)
	}
	busy := func(who string) job { return p.busyFleet(who, fleetQuotas[0]) }
	ahead := defaultAhead(fleetProcesses+1, fleetQuotas[0].rate)
	add("worst wait of a lone caller beside them", "ms", "lone worst ms", busy,
		float64(ahead)/1e6+2*get(busy(fairlead), "round trip us")/1e3)
	slow := p.slowFleet(fairlead)
	add("requests to Redis a second at 20/s", "", "asks per second", p.slowFleet, // with the one at the edge of the window
		fleetProcesses/defaultAhead(fleetProcesses, 20).Seconds()+1/(slow.Duration-fleetSettling-fleetEdge).Seconds())
	add("tokens over when Redis comes back empty", "", "over since start", p.fleetOutages, 0)
	add("until all processes have tokens after Redis was away", "ms", "back ms", p.fleetOutages, 2500)
	return append(list, target{name: "P13 until a server's wait holds all processes", ours: r.results.worst(p.fleetHold(), "hold ms"), unit: "ms", want: 100})
}

func (r *run) fleetComparisons() []comparison {
	p := r.Plan
	of := func(what, unit string, cases ...measured) comparison {
		return comparison{what: "J: " + what, unit: unit, ours: fairlead, names: fleetPeers, cases: cases}
	}
	bothRates := func(number string) []measured {
		var cases []measured
		for _, q := range fleetQuotas {
			cases = append(cases, r.median(fmt.Sprintf("at %d/s", q.rate), func(who string) job { return p.busyFleet(who, q) }, number))
		}
		return cases
	}
	used := of("part of the rate", "", bothRates("used")...)
	used.more = true
	return []comparison{
		of("requests to Redis for 1000 calls", "", append(bothRates("asks per 1000"), r.median("at 20/s", p.slowFleet, "asks per 1000"))...),
		of("CPU of a call in all processes", "µs", bothRates("cpu us per grant")...),
		of("the worst wait of callers that call again and again", "ms", append(bothRates("wait worst ms"), r.median("at 20/s", p.slowFleet, "wait worst ms"))...),
		of("the median wait of a lone caller beside them", "ms", bothRates("lone p50 ms")...),
		of("tokens over when Redis comes back empty", "", r.worstCase("", p.fleetOutages, "over since start")),
		of("until all processes have tokens after Redis was away", "ms", r.median("", p.fleetOutages, "back ms")),
		used,
	}
}
