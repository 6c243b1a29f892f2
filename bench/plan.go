package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// plan makes the jobs of a run. A quick one is as long as the targets need.
type plan struct{ quick bool }

// group is jobs that are compared: they are run in turns, round by round.
type group struct {
	name   string
	rounds int
	jobs   []job
}

func (p plan) either(quick, full time.Duration) time.Duration {
	if p.quick {
		return quick
	}
	return full
}

// crowded returns the number of callers in a crowd: 128 goroutines a processor.
func crowded() int { return 128 * runtime.GOMAXPROCS(0) }

func (p plan) calls(who, variant string, callers int) job {
	return job{Work: "calls", Who: who, Variant: variant, Callers: callers,
		Duration: p.either(40*time.Millisecond, 60*time.Millisecond)}
}

// rounds returns how often calls are measured, since the machine is not equally fast all the time.
func (p plan) rounds() int {
	if p.quick {
		return 5
	}
	return 7
}

// unsubscribed compares calls after a subscription with calls without one, in more rounds than
// features.
func (p plan) unsubscribed() group {
	g := group{name: "what a subscription leaves behind", rounds: 15}
	for _, variant := range []string{plainDo, afterSubscription} {
		j := p.calls(fairlead, variant, 1)
		j.Duration = 30 * time.Millisecond
		g.jobs = append(g.jobs, j)
	}
	return g
}

func (p plan) events() job { return job{Work: "events", Callers: crowded(), Duration: time.Second} }

func (p plan) idle(who string) job {
	return job{Work: "idle", Who: who, Duration: p.either(3*time.Second, 10*time.Second)}
}

func (p plan) crowd(who string, n int) job {
	per := 1500 * time.Millisecond
	if n >= 1_000_000 {
		per = 3 * time.Second
	}
	return job{Work: "crowd", Who: who, N: n, Rate: n, Per: per, Burst: 1}
}

// served returns a job of a crowd that is granted three microseconds each, as fast as possible.
func (p plan) served(who string, n int) job {
	return job{Work: "crowd", Who: who, N: n, Rate: n, Per: time.Duration(n) * 3 * time.Microsecond, Burst: 1}
}

func (p plan) bytes(who string, n int) job { return job{Work: "bytes", Who: who, N: n} }

// withContexts returns a job of a crowd whose callers have a cancellable context each.
func (j job) withContexts() job {
	j.Variant = cancellable
	return j
}

func (p plan) bytesWithContexts(who string, n int) job  { return p.bytes(who, n).withContexts() }
func (p plan) servedWithContexts(who string, n int) job { return p.served(who, n).withContexts() }
func (p plan) crowdWithContexts(who string, n int) job  { return p.crowd(who, n).withContexts() }

func (p plan) granted() job {
	return job{Work: "granted", Who: fairleadSubmit, N: 100_000, Rate: 100_000, Per: time.Second, Burst: 1}
}

func (p plan) canceled(who string) job {
	return job{Work: "canceled", Who: who, N: 3000, Rate: 1500, Per: time.Second, Burst: 1}
}

// stall returns a job in which the process is stopped while a crowd waits.
func (p plan) stall(who string) job {
	return job{Work: "stall", Who: who, N: 1200, Rate: 500, Per: time.Second, Burst: 10}
}

func (p plan) drain(n int) job { return job{Work: "drain", Who: fairleadSubmit, N: n} }

func (p plan) late(who string) job {
	return job{Work: "late", Who: who, Duration: p.either(time.Second, 1500*time.Millisecond)}
}

func (p plan) loop(who string, callers, rate, burst int) job {
	return job{Work: "loop", Who: who, Callers: callers, Rate: rate, Per: time.Second, Burst: burst,
		Duration: 500 * time.Millisecond}
}

func (p plan) flood(who string) job {
	return job{Work: "flood", Who: who, Callers: 64, N: 500, Rate: 10_000, Per: time.Second, Burst: 1000,
		Duration: time.Second}
}

func (p plan) change(who, way string) job {
	return job{Work: "change", Who: who, Variant: way, N: 3000, Rate: 1000, Per: time.Second, Burst: 1,
		Duration: time.Second}
}

// core measures the pure core alone, in virtual time.
func (p plan) core() job { return job{Work: "core", Callers: 1} }

func (p plan) retries(who string) job { return job{Work: "retries", Who: who, N: 100_000} }
func (p plan) backing(who string) job { return job{Work: "backing", Who: who, N: 100_000} }

// Who takes part in what.
var (
	tryers     = []string{fairlead, xrate, jujuLimit, failsafe, goLimiter, throttledLimit, k8s, awsSDK}
	waiters    = []string{fairlead, xrate, uberLimit, jujuLimit, failsafe, goLimiter, throttledLimit, k8s}
	inLateness = append(slices.Clone(waiters), floorSleep)
	crowders   = append([]string{fairleadSubmit}, waiters...)
	inCrowds   = append(slices.Clone(crowders), floorDo)
	doers      = []string{fairlead, xrate, uberLimit, jujuLimit, failsafe}
	loopers    = []string{fairlead, xrate, uberLimit, jujuLimit, failsafe, goLimiter, throttledLimit}
	cancelers  = []string{fairleadSubmit, fairlead, xrate, failsafe, k8s}
	flooders   = []string{fairlead, xrate, xratePolled, jujuLimit, failsafe, throttledLimit}
	changers   = []string{fairlead, xrate, goLimiter}
	stoppers   = []string{fairleadSubmit, fairlead, xrate, uberLimit, jujuLimit}
	jobbers    = []string{fairlead, workqueueK8s, avastShared, avastPerCall, cenkalti, goRetry, failsafe, awsSDK, floorJob}
)

// couples returns the floors, Fairlead and all pairs of a limiter and a retrier.
func couples() []string {
	names := []string{noLimiter, floorWord, floorCells, fairlead}
	for _, p := range pairs {
		names = append(names, p.name)
	}
	return names
}

// couples returns all couples. For a quick run it returns the fast ones and failsafe-go's.
func (p plan) couples() []string {
	if !p.quick {
		return couples()
	}
	return []string{noLimiter, floorWord, floorCells, fairlead, xrate + " + " + avastShared, jujuLimit + " + " + avastShared,
		uberLimit + " + " + avastShared, failsafePair}
}

// sizes are the numbers of calls in a crowd.
var sizes = []int{1000, 10_000, 100_000, 1_000_000}

// largestCrowd returns the largest crowd that a contestant serves in time. If its callers
// poll, all of them wake for every token.
func largestCrowd(who string) int {
	switch who {
	case goLimiter, throttledLimit:
		return 10_000
	case k8s:
		return 100_000
	}
	return 1_000_000
}

// sizesInDo are the crowds that are looked at more closely: a goroutine each.
var sizesInDo = []int{10_000, 100_000}

// Each closed loop has one of these numbers of callers, tokens a second and
// tokens at once.
var (
	loopCallers = []int{1, 4, 16, 10_000}
	loopRates   = []int{10_000, 100_000}
	loopBursts  = []int{1, 100}
)

// loop is one of the closed loops.
type loop struct{ callers, rate, burst int }

func (l loop) String() string {
	return fmt.Sprintf("%s at %s/s, burst %d", number(float64(l.callers)), number(float64(l.rate)), l.burst)
}

func loops() []loop {
	var list []loop
	for _, callers := range loopCallers {
		for _, rate := range loopRates {
			for _, burst := range loopBursts {
				list = append(list, loop{callers, rate, burst})
			}
		}
	}
	return list
}

// each makes a job for each contestant.
func each(names []string, of func(string) job) []job {
	var jobs []job
	for _, who := range names {
		jobs = append(jobs, of(who))
	}
	return jobs
}

// groups returns everything that is measured.
func (p plan) groups() []group {
	if p.quick {
		return p.quickGroups()
	}
	list := []group{
		{"A: take a token", p.rounds(), each(tryers, func(who string) job { return p.calls(who, "try", 1) })},
	}
	for _, callers := range []int{1, 8 * runtime.GOMAXPROCS(0), crowded()} {
		list = append(list, group{fmt.Sprintf("B: wait for a token, callers: %d", callers), p.rounds(),
			each(waiters, func(who string) job { return p.calls(who, "wait", callers) })})
	}
	list = append(list, p.coupleGroups()...)
	list = append(list, p.featureGroup(), p.unsubscribed(), group{"the pure core", 3, []job{p.core()}},
		group{"an idle scheduler", 1, []job{p.idle(fairlead), p.idle("")}})
	list = append(list, p.contextGroups(1)...)
	for _, n := range sizes {
		var takePart []string
		for _, who := range inCrowds {
			if n <= largestCrowd(who) {
				takePart = append(takePart, who)
			}
		}
		rounds := 2
		if n == 1_000_000 {
			rounds = 1 // served is the same job then
			list = append(list, group{"D: the floor", 1, []job{p.crowd(floorSubmit, n)}})
		} else {
			list = append(list, group{fmt.Sprintf("D: %d wait and are served at once", n), 5,
				each(takePart, func(who string) job { return p.served(who, n) })})
		}
		list = append(list,
			group{fmt.Sprintf("D: %d wait", n), rounds, each(takePart, func(who string) job { return p.crowd(who, n) })},
			group{fmt.Sprintf("D: memory of %d", n), 1, each(takePart, func(who string) job { return p.bytes(who, n) })},
			group{fmt.Sprintf("D: a queue of %d goes at once", n), 1, []job{p.drain(n)}})
	}
	return append(append(append(list, p.timeGroups(2)...), slices.Concat(p.keyGroups(2), p.fleetGroups(), p.journalGroups())...),
		group{"E: retries", 2, each(jobbers, p.retries)},
		group{"E: memory of retries", 1, each(jobbers, p.backing)})
}

func (p plan) coupleGroups() []group {
	var list []group
	for _, callers := range []int{1, crowded()} {
		list = append(list,
			group{fmt.Sprintf("C: limit and retry, callers: %d", callers), p.rounds(),
				each(p.couples(), func(who string) job { return p.calls(who, "both", callers) })},
			group{fmt.Sprintf("the owner's path, callers: %d", callers), p.rounds(),
				each([]string{fairlead, bare, floorOwner}, func(who string) job { return p.calls(who, "owner", callers) })})
	}
	return list
}

// contextGroups returns crowds whose callers have a cancelable context each.
func (p plan) contextGroups(rounds int) []group {
	var list []group
	for _, n := range sizesInDo {
		list = append(list,
			group{fmt.Sprintf("D: %d wait with contexts, served at once", n), 3,
				each(cancelers, func(who string) job { return p.servedWithContexts(who, n) })},
			group{fmt.Sprintf("D: %d wait with contexts", n), rounds,
				each(cancelers, func(who string) job { return p.crowdWithContexts(who, n) })},
			group{fmt.Sprintf("D: memory of %d with contexts", n), 1,
				each(append([]string{floorDo}, cancelers...), func(who string) job { return p.bytesWithContexts(who, n) })})
	}
	return list
}

func (p plan) featureGroup() group {
	g := group{"what features cost", 7, []job{p.events()}}
	for _, f := range slices.Concat(configured, optional, owned) {
		g.jobs = append(g.jobs, p.calls(fairlead, f.name, 1))
	}
	return g
}

// timeGroups returns the workloads in which callers wait.
func (p plan) timeGroups(rounds int) []group {
	list := []group{
		{"lateness", 3, each(inLateness, p.late)},
		{"D: order and exactness in the account", 1, []job{p.granted()}},
		{"D: a third canceled", 1, each(cancelers, p.canceled)},
		{"D: the process is stopped", rounds, each(stoppers, p.stall)},
		{"F: a big call in a flood", 3, each(flooders, p.flood)},
		{"H: limit × 100", rounds, each(changers, func(who string) job { return p.change(who, "up") })},
		{"H: limit ÷ 100", rounds, each(changers, func(who string) job { return p.change(who, "down") })},
	}
	for _, l := range loops() {
		list = append(list, group{"G: " + l.String(), rounds,
			each(loopers, func(who string) job { return p.loop(who, l.callers, l.rate, l.burst) })})
	}
	return list
}

// quickGroups returns what the targets need, with the peers that are probably the best.
func (p plan) quickGroups() []group {
	const rounds = 3
	const many = 1_000_000
	options := group{"calls with options", p.rounds(), []job{p.calls(fairlead, plainDo, 1)}}
	for _, f := range optional {
		options.jobs = append(options.jobs, p.calls(fairlead, f.name, 1))
	}
	list := []group{{"A: take a token", p.rounds(), each([]string{fairlead, jujuLimit, failsafe, awsSDK}, func(who string) job { return p.calls(who, "try", 1) })}}
	for _, callers := range []int{1, crowded()} {
		list = append(list, group{fmt.Sprintf("B: wait for a token, callers: %d", callers), p.rounds(),
			each(doers, func(who string) job { return p.calls(who, "wait", callers) })})
	}
	list = append(append(list, p.coupleGroups()...), options)
	inDo := append([]string{floorDo}, doers...)
	for _, n := range sizesInDo {
		list = append(list,
			group{fmt.Sprintf("D: %d wait and are served at once", n), rounds, each(inDo, func(who string) job { return p.served(who, n) })},
			group{fmt.Sprintf("D: %d wait", n), 1, each(inDo, func(who string) job { return p.crowd(who, n) })})
	}
	const some = 100_000
	return append(append(list, slices.Concat(p.keyGroups(1), p.fleetGroups(), p.journalGroups())...),
		p.unsubscribed(), group{"events", rounds, []job{p.events()}}, group{"the pure core", rounds, []job{p.core()}},
		group{"D: 1000000 wait", 1, each([]string{fairleadSubmit, jujuLimit, floorSubmit}, func(who string) job { return p.crowd(who, many) })},
		group{"D: memory of 100000", 1, each([]string{fairlead, floorDo, jujuLimit}, func(who string) job { return p.bytes(who, some) })},
		group{"D: memory of 100000 with contexts", 1,
			each([]string{fairlead, floorDo, xrate}, func(who string) job { return p.bytesWithContexts(who, some) })},
		group{"D: memory of 1000000", 1, []job{p.bytes(fairleadSubmit, many), p.bytes(jujuLimit, many)}},
		group{"D: a queue goes at once", 1, []job{p.drain(1000), p.drain(p.long())}},
		group{"D: order and exactness in the account", 1, []job{p.granted()}},
		group{"D: a third canceled", 1, each([]string{fairleadSubmit, xrate}, p.canceled)},
		group{"D: the process is stopped", 1, each([]string{fairleadSubmit, xrate}, p.stall)},
		group{"G: 10000 in a loop", 1, []job{p.loop(fairlead, 10_000, 100_000, 1), p.loop(xrate, 10_000, 100_000, 1)}},
		group{"G: one in a loop", 1, each([]string{fairlead, xrate, uberLimit, jujuLimit, failsafe},
			func(who string) job { return p.loop(who, 1, 10_000, 1) })},
		group{"H: limit × 100", 1, each([]string{fairlead, xrate}, func(who string) job { return p.change(who, "up") })},
		group{"H: limit ÷ 100", 1, each([]string{fairlead, xrate}, func(who string) job { return p.change(who, "down") })},
		group{"F: a big call in a flood", 2, each([]string{fairlead, jujuLimit}, p.flood)},
		group{"E: retries", 1, each([]string{fairlead, floorJob, workqueueK8s}, p.retries)},
		group{"E: memory of retries", 1, each([]string{fairlead, floorJob, workqueueK8s}, p.backing)},
		group{"lateness", 2, each([]string{fairlead, floorSleep, xrate, jujuLimit, uberLimit}, p.late)},
		group{"an idle scheduler", 1, []job{p.idle(fairlead), p.idle("")}},
	)
}

// long returns the length of the long queue, whose cost per call is compared with that of a short
// one.
func (p plan) long() int {
	if p.quick {
		return 100_000
	}
	return 1_000_000
}
