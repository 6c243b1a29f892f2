package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// results is what the jobs of a run found out, round by round.
type results map[job][]numbers

// samples returns the values of one number in all rounds of a job.
func (r results) samples(j job, number string) []float64 {
	var values []float64
	for _, found := range r[j] {
		if v, ok := found[number]; ok {
			values = append(values, v)
		}
	}
	return values
}

// of returns the median of a number over the rounds of a job, or NaN if there is none.
func (r results) of(j job, number string) float64 { return median(r.samples(j, number)) }

// worst returns the largest value of a number over the rounds of a job.
func (r results) worst(j job, number string) float64 { return quantile(r.samples(j, number), 1) }

// best returns the contestant other than Fairlead that has the least of a number, and that least.
func (r results) best(names []string, of func(string) job, number string) (string, float64) {
	who, least := "", math.NaN()
	for _, name := range names {
		if isOurs(name) || isFloor(name) {
			continue
		}
		if v := r.of(of(name), number); !math.IsNaN(v) && !(v >= least) {
			who, least = name, v
		}
	}
	return who, least
}

// most returns the contestant with the most of a number.
func (r results) most(names []string, of func(string) job, number string) (who string, most float64) {
	for _, name := range names {
		if v := r.of(of(name), number); v > most {
			who, most = name, v
		}
	}
	return who, most
}

// measure runs all groups, and writes to progress how far it has come.
func measure(groups []group, progress io.Writer) (results, error) {
	total, done := 0, 0
	for _, g := range groups {
		total += g.rounds * len(g.jobs)
	}
	r, begin, told := results{}, time.Now(), time.Time{}
	slow := map[job]bool{}
	for _, g := range groups {
		for round := range g.rounds {
			for _, j := range g.jobs {
				if time.Since(told) > 2*time.Second {
					told = time.Now()
					fmt.Fprintf(progress, "%4.0f s  %3d of %d  %s, round %d: %s\n",
						time.Since(begin).Seconds(), done, total, g.name, round+1, j.Who)
				}
				done++
				if slow[j] {
					continue
				}
				found, err := j.run()
				if errors.Is(err, errTooSlow) {
					slow[j] = true
					fmt.Fprintf(progress, "%s: %s: did not finish in %s\n", g.name, j.Who, patience)
					continue
				}
				if err != nil {
					return nil, err
				}
				r[j] = append(r[j], found)
			}
		}
	}
	return r, nil
}

// run is all that a report needs of a run.
type run struct {
	Plan    plan `json:"-"`
	Quick   bool
	Machine machine
	Took    time.Duration
	Entries []entry
	results results
}

type entry struct {
	Job  job
	Runs []numbers
}

// keep writes a run to a file, from which load reads it again.
func (r *run) keep(path string) error {
	for j, runs := range r.results {
		r.Entries = append(r.Entries, entry{j, runs})
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func load(path string) (*run, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(run)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.Plan, r.results = plan{quick: r.Quick}, results{}
	for _, e := range r.Entries {
		r.results[e.Job] = e.Runs
	}
	return r, nil
}
