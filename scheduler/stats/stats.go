// Package stats serves a running scheduler's [scheduler.Snapshot] as JSON.
//
//	http.Handle("GET /debug/scheduler", stats.Handler(s)) // for a browser or a monitor
//	expvar.Publish("scheduler", stats.Var(s))             // beside the other variables of the process
//
// Each request costs one call of Snapshot. A closed scheduler shows its final state. The JSON has
// counts, times and the names of budgets, but no names of calls and no errors. Access control is
// left to the server.
//
// [KeysHandler] and [KeysVar] serve what the calls of each key do and wait for. Their JSON has the keys, which may be
// names of customers.
package stats

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"example.com/fairlead/events/bykey"
	"example.com/fairlead/scheduler"
)

// Handler serves the JSON of s's [scheduler.Snapshot] at the time of the request, indented, with a
// header against caching. It accepts GET and HEAD, and answers other methods with 405. It panics
// if s is nil.
func Handler(s *scheduler.Scheduler) http.Handler {
	checkNotNil(s)
	return serve(func() any { return s.Snapshot() })
}

// KeysHandler serves the [bykey.Report] of the n most loaded keys as JSON, as Handler serves a snapshot. Zero means all
// keys with sums of their own. A goroutine of the program must add the scheduler's events to sums. KeysHandler panics
// if sums is nil.
func KeysHandler(sums *bykey.Sums, n int) http.Handler {
	checkSums(sums)
	return serve(func() any { return sums.Report(n) })
}

// serve serves the JSON of what state returns.
func serve(state func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, r.Method+" is not allowed: use GET", http.StatusMethodNotAllowed)
			return
		}
		body, err := json.MarshalIndent(state(), "", "  ")
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
	return variable(func() any { return s.Snapshot() })
}

// KeysVar returns a variable for expvar.Publish. Its String returns the current [bykey.Report] of the n most loaded keys
// as JSON. Zero means all keys with sums of their own. KeysVar panics if sums is nil.
func KeysVar(sums *bykey.Sums, n int) fmt.Stringer {
	checkSums(sums)
	return variable(func() any { return sums.Report(n) })
}

type variable func() any

func (state variable) String() string {
	text, err := json.Marshal(state())
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

func checkSums(sums *bykey.Sums) {
	if sums == nil {
		panic("stats: the sums by key are nil")
	}
}
