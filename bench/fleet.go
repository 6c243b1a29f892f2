package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Workload J: processes that share one limit in Redis. A job starts a Redis server, N processes with Callers each that
// call again as soon as they are served, and, unless the variant says otherwise, one process with a lone caller.
const (
	fleetBusy     = ""         // all processes call
	fleetAlone    = "no other" // without the lone caller
	fleetOutages  = "outages"  // Redis comes back empty at once, and later after some seconds
	fleetHold     = "hold"     // a server tells one process to wait
	fleetSettling = time.Second
	fleetEdge     = 50 * time.Millisecond // before the end of a run, which is left out
)

// When things happen in a fleet, since it began.
const (
	restartAt = 2000 * time.Millisecond // Redis is killed, and comes back empty at once
	awayAt    = 4500 * time.Millisecond // Redis is killed
	awayFor   = 5 * time.Second
	holdAt    = 1200 * time.Millisecond
	holdFor   = 500 * time.Millisecond
)

// fleetRun has what happened in a run, in the time that all processes share.
type fleetRun struct {
	job           job
	opened, begin time.Duration // the bucket is full when it is opened
	from, to      redisUse      // the part of the run in which all is steady
	returned      time.Duration // when Redis was back, after it was away
	roundTrip     float64       // in microseconds
	members       []memberReport
	lone          memberReport
}

// measureFleet runs a fleet.
func measureFleet(j job) numbers {
	server := newRedisServer()
	server.start()
	defer server.close()
	limiter := fleetLimiterNamed(j.Who)
	r := fleetRun{job: j, opened: sharedNow()}
	limiter.begin(server.addr, j.limit())
	var members []runningMember
	for i := range j.N {
		m := member{Addr: server.addr, Job: j, Number: i, CPUSince: fleetSettling}
		if j.Variant == fleetHold && i == 0 {
			m.Hold, m.HoldAt = holdFor, holdAt
		}
		members = append(members, startMember(m))
	}
	if j.hasLone() {
		members = append(members, startMember(member{Addr: server.addr, Job: j, Number: j.N, Lone: true, CPUSince: fleetSettling}))
	}
	r.roundTrip = server.roundTrip()
	r.begin = sharedNow() + 20*time.Millisecond
	for _, m := range members {
		m.begin(r.begin)
	}
	r.observe(server)
	for i, m := range members {
		if found := m.report(); i < j.N {
			r.members = append(r.members, found)
		} else {
			r.lone = found
		}
	}
	return r.numbers(limiter)
}

func (j job) hasLone() bool { return j.Variant == fleetBusy }

// observe asks Redis what it has done while all is steady, and lets it fail as the variant says.
func (r *fleetRun) observe(server *redisServer) {
	until := func(d time.Duration) { time.Sleep(r.begin + d - sharedNow()) }
	until(fleetSettling)
	r.from = server.use()
	if r.job.Variant != fleetOutages {
		until(r.job.Duration - fleetEdge)
		r.to = server.use()
		return
	}
	until(restartAt - fleetEdge)
	r.to = server.use()
	until(restartAt)
	server.stop()
	server.start()
	until(awayAt)
	server.stop()
	until(awayAt + awayFor)
	server.start()
	r.returned = sharedNow()
}

// numbers returns what the run shows.
func (r *fleetRun) numbers(limiter fleetLimiter) numbers {
	j, l := r.job, r.job.limit()
	var all []time.Duration
	var steady, loneWaits []float64
	inSteady, cpu, failed, back := 0, time.Duration(0), 0, time.Duration(0)
	least, most := math.Inf(1), 0.0
	for i, m := range append(slices.Clone(r.members), r.lone) {
		cpu += m.CPU
		failed += m.Failed
		slices.SortFunc(m.Grants, func(a, b grant) int { return cmp.Compare(a.At, b.At) })
		mine, firstBack := 0.0, time.Duration(math.MaxInt64)
		for _, g := range m.Grants {
			all = append(all, g.At)
			if g.At > r.returned {
				firstBack = min(firstBack, g.At-r.returned)
			}
			if g.At <= r.from.at || g.At > r.to.at {
				continue
			}
			mine++
			if i < len(r.members) {
				steady = append(steady, float64(g.Waited)/1e6)
			} else {
				loneWaits = append(loneWaits, float64(g.Waited)/1e6)
			}
		}
		inSteady += int(mine)
		if i < len(r.members) {
			least, most = min(least, mine), max(most, mine)
			back = max(back, firstBack)
		}
	}
	window := (r.to.at - r.from.at).Seconds()
	calls, asks := max(1, float64(inSteady)), asked(r.from, r.to, limiter.commands)
	found := numbers{
		"asks per 1000":      asks / calls * 1000,
		"asks per second":    asks / window,
		"used":               calls / (l.perSecond() * window),
		"over since start":   float64(overSince(l, r.opened, all)),
		"over in any window": float64(over(l, all)),
		"wait p50 ms":        median(steady),
		"wait worst ms":      quantile(steady, 1),
		"ideal ms":           float64(j.N*j.Callers) / l.perSecond() * 1e3,
		"least of most":      least / max(most, 1),
		"redis cpu":          (r.to.cpu - r.from.cpu) / window,
		"cpu us per grant":   float64(cpu) / 1e3 / calls,
		"round trip us":      r.roundTrip,
		"failed":             float64(failed),
		"lone calls":         float64(len(loneWaits)),
	}
	if len(loneWaits) > 0 {
		found["lone p50 ms"], found["lone worst ms"] = median(loneWaits), quantile(loneWaits, 1)
	}
	if j.Variant == fleetOutages {
		found["back ms"] = float64(back) / 1e6
	}
	if j.Variant == fleetHold {
		found["hold ms"], found["through a hold"] = r.hold()
	}
	return found
}

// hold returns when the last call of another process was let through after one was told to wait, in milliseconds, and
// how many were.
func (r *fleetRun) hold() (last, n float64) {
	held := r.members[0].HeldAt
	for _, m := range r.members[1:] {
		for _, g := range m.Grants {
			if since := g.At - held; since > 0 && since < holdFor {
				last, n = max(last, float64(since)/1e6), n+1
			}
		}
	}
	return last, n
}
