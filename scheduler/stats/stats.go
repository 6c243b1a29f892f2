// Package stats lets a running process be looked at: it serves a scheduler's
// [scheduler.Snapshot] as JSON.
//
//	http.Handle("GET /debug/scheduler", stats.Handler(s)) // to be read in a browser, or by a monitor
//	expvar.Publish("scheduler", stats.Var(s))             // beside the other variables of the process
//
// Each look asks the scheduler once, and costs it what a call of Snapshot does. A closed
// scheduler shows its final state. What is shown are counts, times and the names of
// budgets: no call's name and no error. Who may see it is for the server to decide.
package stats

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"example.com/fairlead/scheduler"
)

// Handler serves the state of s at the time of the request: the JSON of
// [scheduler.Snapshot], indented, and not to be cached. It answers GET and HEAD, and
// anything else with 405. It panics if s is nil.
func Handler(s *scheduler.Scheduler) http.Handler {
	needs(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, r.Method+" is not allowed: use GET", http.StatusMethodNotAllowed)
			return
		}
		body, err := json.MarshalIndent(s.Snapshot(), "", "  ")
		if err != nil { // a clock beyond the year 9999
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body = append(body, '\n')
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // who has gone away need not be told
		}
	})
}

// Var is the state of s as a variable for expvar.Publish: its String is the JSON of
// [scheduler.Snapshot], at the time it is asked for. It does not import expvar, which
// would show the command line of every program that uses this package on its default
// server. It panics if s is nil.
func Var(s *scheduler.Scheduler) fmt.Stringer {
	needs(s)
	return variable{s}
}

type variable struct{ s *scheduler.Scheduler }

func (v variable) String() string {
	text, err := json.Marshal(v.s.Snapshot())
	if err != nil {
		text, _ = json.Marshal(map[string]string{"error": err.Error()}) // expvar wants JSON, whatever happens
	}
	return string(text)
}

func needs(s *scheduler.Scheduler) {
	if s == nil {
		panic("stats: there is no scheduler to look at: it is nil")
	}
}
