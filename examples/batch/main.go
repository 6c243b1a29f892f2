// Batch runs a JSONL file of API requests against an HTTP endpoint under a budget, with
// retries, and writes the results as JSONL. Stop it whenever you like, in whatever way,
// and start it again: it goes on where it was.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // some request failed or was lost, or the run could not go on
	exitUsage       = 2
	exitInterrupted = 130
)

func run(args []string) int {
	cfg, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(os.Stderr, "batch: %v\n(batch -h says more)\n", err)
		return exitUsage
	}

	// The first signal stops what waits and lets what runs finish; the second stops that too.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	soft, stop := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	defer kill()
	defer stop()
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\nbatch: finishing what runs; once more to stop at once")
		stop()
		<-signals
		kill()
	}()

	sum, err := process(soft, hard, cfg, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "batch: %v\n", err)
		return exitFailed
	}
	fmt.Fprint(os.Stderr, sum)
	switch {
	case soft.Err() != nil:
		fmt.Fprintf(os.Stderr, "batch: interrupted with %d lines left to do: the same command goes on from here\n", sum.lost)
		return exitInterrupted
	case sum.failed > 0 || sum.lost > 0 || sum.duplicated > 0:
		return exitFailed
	}
	return exitOK
}
