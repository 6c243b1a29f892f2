package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"example.com/fairlead/examples/internal/strict"
)

// figures counts what an API has seen of a client.
type figures struct {
	took       time.Duration
	sent       int // requests
	refused    int // of those, with 429
	failed     int // of those, with 5xx or by dropping the connection
	unanswered int // lines of the file
	tokens     int // taken from the quota
	wasted     int // of those, by requests without an answer
}

// measure starts an API, runs a client against it, and returns what the API has seen.
func measure(cfg strict.Config, lines int, client func(url string) error) (figures, error) {
	var f figures
	answered := map[string]bool{}
	cfg.Log = func(e strict.Entry) {
		f.sent++
		f.tokens += e.Tokens
		switch e.Status {
		case http.StatusOK:
			answered[e.ID] = true
			return
		case http.StatusTooManyRequests:
			f.refused++
		default:
			f.failed++
		}
		f.wasted += e.Tokens
	}
	api, err := strict.New(cfg)
	if err != nil {
		return f, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return f, err
	}
	server := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	began := time.Now()
	err = client("http://" + listener.Addr().String())
	f.took = time.Since(began)
	_ = server.Shutdown(context.Background()) // no requests are left by now
	<-ended
	f.unanswered = lines - len(answered)
	return f, err
}

// printTable prints the figures of both runs side by side.
func printTable(w io.Writer, naive, fairlead figures) {
	row := func(label string, a, b any) { fmt.Fprintf(w, "%-24s %12v %12v\n", label, a, b) }
	row("", "goroutines", "Fairlead")
	row("time", naive.took.Round(100*time.Millisecond), fairlead.took.Round(100*time.Millisecond))
	row("requests sent", naive.sent, fairlead.sent)
	row("  refused with 429", naive.refused, fairlead.refused)
	row("  failed or dropped", naive.failed, fairlead.failed)
	row("lines without an answer", naive.unanswered, fairlead.unanswered)
	row("tokens taken", naive.tokens, fairlead.tokens)
	row("  for nothing", naive.wasted, fairlead.wasted)
}
