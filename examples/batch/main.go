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
	exitFailed      = 1 // some request failed or is left to do, or the run could not go on
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

	// The first signal drains, the second stops at once. A third does what it does to any program.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	soft, drain := context.WithCancel(context.Background())
	hard, stop := context.WithCancel(context.Background())
	defer stop()
	defer drain()
	go func() {
		<-signals
		drain()
		<-signals
		stop()
		signal.Stop(signals)
	}()

	sum, err := process(soft, hard, cfg, os.Stderr)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "batch: interrupted before anything was sent")
		return exitInterrupted
	case err != nil:
		fmt.Fprintf(os.Stderr, "batch: %v\n", err)
		if errors.As(err, new(*fileError)) {
			return exitUsage
		}
		return exitFailed
	}
	fmt.Fprint(os.Stderr, sum)
	switch {
	case soft.Err() != nil:
		fmt.Fprint(os.Stderr, sum.left)
		if sum.todo > 0 {
			fmt.Fprintf(os.Stderr, "batch: interrupted with %d lines left to do: the same command goes on from here\n", sum.todo)
		}
		return exitInterrupted
	case sum.failed > 0 || sum.todo > 0 || sum.duplicated > 0:
		return exitFailed
	}
	return exitOK
}
