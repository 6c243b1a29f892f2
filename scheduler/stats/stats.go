// Package stats serves a running scheduler's [scheduler.Snapshot] as JSON.
//
//	http.Handle("GET /debug/scheduler", stats.Handler(s)) // for a browser or a monitor
//	expvar.Publish("scheduler", stats.Var(s))             // beside the other variables of the process
//
// Each request costs one call of Snapshot. A closed scheduler shows its final state. The JSON has
// counts, times and the names of budgets, but no names of calls and no errors. Access control is
// left to the server.
package stats

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"example.com/fairlead/scheduler"
)

// Handler serves the JSON of s's [scheduler.Snapshot] at the time of the request, indented, with a
// header against caching. It accepts GET and HEAD, and answers other methods with 405. It panics
// if s is nil.
func Handler(s *scheduler.Scheduler) http.Handler {
	checkNotNil(s)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, r.Method+" is not allowed: use GET", http.StatusMethodNotAllowed)
			return
		}
		body, err := json.MarshalIndent(s.Snapshot(), "", "  ")
		if err != nil { // the clock is beyond the year 9999
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
			_, _ = w.Write(body) // the client may have gone away
		}
	})
}

// Var returns a variable for expvar.Publish. Its String returns the JSON of the current
// [scheduler.Snapshot]. Var does not import expvar, because that would show the command line of
// every program that uses this package on its default server. It panics if s is nil.
func Var(s *scheduler.Scheduler) fmt.Stringer {
	checkNotNil(s)
	return variable{s}
}

type variable struct{ s *scheduler.Scheduler }

func (v variable) String() string {
	text, err := json.Marshal(v.s.Snapshot())
	if err != nil {
		text, _ = json.Marshal(map[string]string{"error": err.Error()}) // expvar needs JSON in any case
	}
	return string(text)
}

func checkNotNil(s *scheduler.Scheduler) {
	if s == nil {
		panic("stats: the scheduler is nil")
	}
}
