package main

import "fmt"

// fleetTables returns the tables of workload J.
func (r *run) fleetTables() string {
	text := "### J: processes that share a limit in Redis\n\n"
	if !r.measuredFleets() {
		return text + "Not measured: redis-server was not installed.\n\n"
	}
	p, get := r.Plan, r.results.of
	text += fmt.Sprintf("%d processes of the operating system have 4 callers each, which call again as soon as they are served. "+
		"One more process has a lone caller, which makes a call every 200 ms. All share a limit in one Redis server. The bucket is full at first. "+
		"Requests, waits and parts of the rate are those after the first second. A PING takes %s µs.\n\n",
		fleetProcesses, number(get(p.busyFleet(fairlead, fleetQuotas[0]), "round trip us")))
	columns := []string{"requests for 1000 calls", "of the rate", "tokens over since the start", "in any window", "wait: median, ms", "worst, ms", "lone caller: median, ms", "worst, ms", "Redis's CPU, of a core", "CPU of a call, µs"}
	cells := func(j job) []string {
		return []string{number(get(j, "asks per 1000")), percent(get(j, "used")), number(r.results.worst(j, "over since start")),
			number(r.results.worst(j, "over in any window")), number(get(j, "wait p50 ms")), number(get(j, "wait worst ms")),
			number(get(j, "lone p50 ms")), number(get(j, "lone worst ms")), percent(get(j, "redis cpu")), number(get(j, "cpu us per grant"))}
	}
	others := append([]string{fairlead}, fleetPeers...)
	for i, q := range fleetQuotas {
		names := inFleets
		if i > 0 {
			names = others
		}
		j := p.busyFleet(fairlead, q)
		title := fmt.Sprintf("%s/s, burst %s", number(float64(q.rate)), number(float64(q.burst)))
		text += fmt.Sprintf("In one queue each call would wait %s ms.\n\n", number(get(j, "ideal ms"))) +
			table(append([]string{title}, columns...), names, func(who string) []string { return cells(p.busyFleet(who, q)) })
	}
	text += fmt.Sprintf("At 20/s, one caller in each process, and no lone one: in one queue each call would wait %s ms. "+
		"The last column is how many tokens the process with the fewest got, of those of the one with the most.\n\n", number(get(p.slowFleet(fairlead), "ideal ms")))
	text += table([]string{"20/s, burst 1", "requests a second", "of the rate", "tokens over since the start", "wait: median, ms", "worst, ms", "least of most"}, others, func(who string) []string {
		j := p.slowFleet(who)
		return []string{number(get(j, "asks per second")), percent(get(j, "used")), number(r.results.worst(j, "over since start")),
			number(get(j, "wait p50 ms")), number(get(j, "wait worst ms")), percent(get(j, "least of most"))}
	})
	text += fmt.Sprintf("At 1,000/s with a burst of 1,000, Redis is killed and comes back empty, at once, and later after %v:\n\n", awayFor)
	text += table([]string{"", "tokens over since the start", "until all processes had tokens, ms"}, others, func(who string) []string {
		j := p.fleetOutages(who)
		return []string{number(r.results.worst(j, "over since start")), number(get(j, "back ms"))}
	})
	return text + fmt.Sprintf("At 10,000/s, a server tells one process to wait for %v: the others had their last tokens at most %s ms later, %s tokens in all.\n\n",
		holdFor, number(r.results.worst(p.fleetHold(), "hold ms")), number(r.results.worst(p.fleetHold(), "through a hold")))
}
