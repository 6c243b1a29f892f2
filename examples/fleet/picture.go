package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// picture prints a row each second, with a bar that has a piece for each worker. The whole bar is the quota.
type picture struct {
	out    io.Writer
	colors bool // else a piece shows the number of its worker alone
	plan   plan
	last   map[int]int // what the API had accepted at the last row
	began  time.Time
	before time.Time // of the last row
	notes  []string
}

// width is the length of a bar that has the whole quota.
const width = 40

func newPicture(p plan, out *os.File) *picture {
	info, err := out.Stat()
	pic := &picture{out: out, plan: p, last: map[int]int{}, began: time.Now(), before: time.Now()}
	pic.colors = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	store := "one budget in Redis"
	if !p.shared {
		store = "no shared budget"
	}
	fmt.Fprintf(out, "%d processes, a quota of %d requests a second, %s\n\n%-*s   use  store     requests of each process\n", p.workers, p.rate, store, width+6, "")
	return pic
}

// note adds a remark to the next row.
func (p *picture) note(text string) { p.notes = append(p.notes, text) }

// row prints what has happened since the last row.
func (p *picture) row(f *fleet) {
	counts, now := f.api.counts(), time.Now()
	quota := float64(p.plan.rate) * now.Sub(p.before).Seconds()
	var bar strings.Builder
	var each []string
	sum, drawn := 0, 0
	for n := range p.plan.workers {
		grants := counts[n] - p.last[n]
		sum += grants
		each = append(each, fmt.Sprintf("%3d", grants))
		end := int(math.Round(float64(sum) / quota * width))
		bar.WriteString(p.piece(n, end-drawn))
		drawn = end
	}
	note := ""
	if p.notes != nil {
		note = "  " + strings.Join(p.notes, "; ")
	}
	fmt.Fprintf(p.out, "%3.0fs |%s%s| %3.0f%%  %-8s %s%s\n", now.Sub(p.began).Seconds(), bar.String(),
		strings.Repeat(" ", max(0, width-drawn)), 100*float64(sum)/quota, f.store(), strings.Join(each, " "), note)
	p.last, p.before, p.notes = counts, now, nil
}

// piece returns a worker's piece of the bar.
func (p *picture) piece(worker, length int) string {
	text := strings.Repeat(fmt.Sprint((worker+1)%10), max(0, length))
	if !p.colors {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", 41+worker%7, text)
}

// store returns the state of the store as most workers see it.
func (f *fleet) store() string {
	if !f.plan.shared {
		return "none"
	}
	seen := map[string]int{}
	for _, w := range f.workers {
		if !w.killed {
			seen[w.store]++
		}
	}
	most := ""
	for state, n := range seen {
		if n > seen[most] || n == seen[most] && state > most {
			most = state
		}
	}
	return most
}
