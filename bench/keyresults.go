package main

import (
	"fmt"
	"time"
)

// What workload I measures, compares and reports.

// manyKeys is how many keys are remembered, or wait. A Scheduler each is too much for so many.
const (
	manyKeys       = 100_000
	manySchedulers = 1000
)

// Who takes part in workload I.
var (
	keepers      = []string{fairlead, fairleadEach, xrateMap, xrateLRU, failsafeMap, goLimiter, throttledLimit}
	inKeys       = append([]string{fairleadSubmit}, keepers...)
	neighbors    = []string{fairlead, fairleadSubmit, fairleadQueue, xrate, failsafe, jujuLimit, xrateSplit}
	oneLimit     = []string{xrate, failsafe, jujuLimit} // of neighbors, those that let the whole rate through
	limiterAKey  = []string{xrateMap, xrateLRU, failsafeMap, goLimiter, throttledLimit}
	waitingInKey = []string{"waiting=1", "waiting=1000", "waiting=100000"} // in BenchmarkKeys
)

func keysOf(who string) int {
	if who == fairleadEach {
		return manySchedulers
	}
	return manyKeys
}

func (p plan) keyed(who string) job {
	j := p.calls(who, keyedVariant, 1)
	j.N = keysOf(who)
	return j
}

func (p plan) keyBytes(who, variant string) job {
	return job{Work: "keys", Who: who, Variant: variant, N: keysOf(who)}
}

func (p plan) remembered(who string) job { return p.keyBytes(who, rememberedKeys) }
func (p plan) waiting(who string) job    { return p.keyBytes(who, waitingKeys) }

func (p plan) neighbors(who string) job {
	return job{Work: "noisy", Who: who, N: 10_000, Callers: 49, Rate: 10_000, Per: time.Second, Burst: 1}
}

func (p plan) coreKeys(variant string) job { return job{Work: "core", Callers: 1, Variant: variant} }

// drainKeys returns a job that lets a queue of a hundred thousand go whose calls have one key or a key each.
func (p plan) drainKeys(variant string) job {
	return job{Work: "drain", Who: fairleadSubmit, N: manyKeys, Variant: variant}
}

// keyGroups returns workload I. A quick run leaves out what no target needs.
func (p plan) keyGroups(rounds int) []group {
	owner := group{"I: Do with a key", p.rounds(), nil}
	for _, name := range []string{withoutCost, withKey} {
		owner.jobs = append(owner.jobs, p.calls(fairlead, name, 1))
	}
	noisy := neighbors
	if p.quick {
		noisy = append([]string{fairlead, fairleadSubmit}, oneLimit...)
	}
	list := []group{
		{"I: a noisy neighbor", rounds, each(noisy, p.neighbors)},
		{"I: grants with keys that wait, in the core", rounds, each(waitingInKey, p.coreKeys)},
		{"I: a queue with keys goes at once", rounds, each([]string{oneKey, keyEach}, p.drainKeys)},
	}
	if p.quick {
		return append(list, owner,
			group{"I: keys that are remembered", 1, each([]string{fairlead, xrateMap}, p.remembered)},
			group{"I: keys with a call that waits", 1, []job{p.waiting(fairleadSubmit)}})
	}
	return append(list,
		group{"I: a call with one of many keys", p.rounds(), each(keepers, p.keyed)},
		group{"I: keys that are remembered", 1, each(inKeys, p.remembered)},
		group{"I: keys with a call that waits", 1, each(inKeys, p.waiting)})
}

func (r *run) keyTargets() []target {
	p, get, many := r.Plan, r.results.of, 1_000_000
	peer, theirs := r.results.best(r.honestOnes(oneLimit, p.neighbors), p.neighbors, "p99 ms")
	beside := func(who string, want float64) target {
		return target{name: "P12 waits beside a noisy neighbor, p99, " + who, ours: get(p.neighbors(who), "p99 ms"), unit: "ms",
			peer: peer, theirs: theirs, want: want, ratio: true}
	}
	call := get(p.bytes(fairleadSubmit, many), "bytes")
	one, some := get(p.coreKeys(waitingInKey[0]), "ns"), get(p.coreKeys(waitingInKey[2]), "ns")
	same, apart := get(p.drainKeys(oneKey), "ns per grant"), get(p.drainKeys(keyEach), "ns per grant")
	return []target{
		beside(fairlead, 0.1), beside(fairleadSubmit, 0.01),
		{name: "P12 memory of a key that is remembered", ours: get(p.remembered(fairlead), "bytes"), unit: "B",
			peer: xrateMap, theirs: get(p.remembered(xrateMap), "bytes"), want: 250},
		{name: "P12 memory of a key with a call that waits, without the call", ours: get(p.waiting(fairleadSubmit), "bytes") - call, unit: "B", want: 350},
		{name: "P12 a call in the core with 100,000 keys that wait", ours: some, unit: "ns", peer: "with one", theirs: one, want: 3, ratio: true},
		{name: "P12 a grant from a queue of 100,000 with a key each", ours: apart, unit: "ns", peer: "all with one key", theirs: same, want: 3, ratio: true},
		{name: "P12 Do with a Key", ours: get(p.calls(fairlead, withKey, 1), "ns"), unit: "ns",
			peer: withoutCost, theirs: get(p.calls(fairlead, withoutCost, 1), "ns"), want: 1.1, ratio: true},
	}
}

func (r *run) keyComparisons() []comparison {
	p := r.Plan
	list := []comparison{
		{what: "I: a call with one of 100,000 keys", unit: "ns", ours: fairlead, names: limiterAKey, cases: []measured{r.median("", p.keyed, "ns")}},
		{what: "I: memory of a key", unit: "B", ours: fairlead, names: limiterAKey,
			cases: []measured{r.median("remembered", p.remembered, "bytes"), r.median("with a call that waits", p.waiting, "bytes")}},
		{what: "I: memory of a key", unit: "B", ours: fairleadSubmit, names: limiterAKey,
			cases: []measured{r.median("with a call that waits", p.waiting, "bytes")}},
	}
	waits := func(number string) func(string) float64 {
		return func(who string) float64 { return r.ifHonest(p.neighbors(who), number) }
	}
	for _, ours := range []string{fairlead, fairleadSubmit} {
		list = append(list,
			comparison{what: "I: waits beside a noisy neighbor", unit: "ms", ours: ours, names: append(oneLimit[:len(oneLimit):len(oneLimit)], xrateSplit),
				cases: []measured{{"median", waits("p50 ms")}, {"p99", waits("p99 ms")}}},
			comparison{what: "I: part of the rate used beside a noisy neighbor", ours: ours, names: oneLimit, more: true,
				cases: []measured{r.median("", p.neighbors, "used")}})
	}
	return list
}

// keyTables returns the tables of workload I.
func (r *run) keyTables() string {
	p, get := r.Plan, r.results.of
	j := p.neighbors(fairlead)
	text := "### I: keys\n\n" + fmt.Sprintf("Of %d tenants, one makes %s calls at once, and each other %d at random instants in the second that follows. "+
		"All share %s/s: with 100/s, what waits in one queue would wait a hundred times as long. How long the calls of the others wait, "+
		"which part of the rate is used until the last of them, and how many tokens more than allowed since the start.\n\n",
		j.Callers+1, number(float64(j.N)), callsPerNeighbor, number(float64(j.Rate)))
	text += table([]string{"", "median, ms", "p99, ms", "worst, ms", "of the rate", "tokens over"}, neighbors, func(who string) []string {
		j := p.neighbors(who)
		return []string{number(get(j, "p50 ms")), number(get(j, "p99 ms")), number(r.results.worst(j, "worst ms")), percent(get(j, "used")), number(r.results.worst(j, "over since start"))}
	})
	text += fmt.Sprintf("%s keys with a limit each, and of the Schedulers %s: a call that need not wait, of one key after the other from one goroutine, "+
		"and what a key takes that was used, without and with a call that waits.\n\n", number(manyKeys), number(manySchedulers))
	text += table([]string{"", "ns a call", "allocations", "bytes of a key", "with a call that waits"}, inKeys, func(who string) []string {
		ns, allocs := number(get(p.keyed(who), "ns")), allocations(get(p.keyed(who), "allocs"))
		if who == fairleadSubmit {
			ns, allocs = "", ""
		}
		return []string{ns, allocs, number(get(p.remembered(who), "bytes")), number(get(p.waiting(who), "bytes"))}
	})
	text += fmt.Sprintf("A call in the pure core that waits behind one call of each of so many keys, ns: 1: %s, 1,000: %s, 100,000: %s.\n\n",
		number(get(p.coreKeys(waitingInKey[0]), "ns")), number(get(p.coreKeys(waitingInKey[1]), "ns")), number(get(p.coreKeys(waitingInKey[2]), "ns")))
	text += fmt.Sprintf("A queue of %s goes at once, through `Pause` and `Resume`: ns for each.\n\n", number(manyKeys))
	return text + table([]string{"", "submitted", "granted and run"}, []string{oneKey, keyEach}, func(variant string) []string {
		return []string{number(get(p.drainKeys(variant), "ns per submit")), number(get(p.drainKeys(variant), "ns per grant"))}
	})
}
