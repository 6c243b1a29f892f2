// Batch runs a JSONL file of API requests against an HTTP endpoint within rate limits, with retries, and writes
// the results as JSONL. It can be stopped or killed at any time. The same command then goes on from there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"example.com/fairlead/scheduler/terminal"
)

func main() { os.Exit(run(os.Args[1:])) }

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // a request failed or is left to do, or the run could not go on
	exitUsage       = 2
	exitInterrupted = 130
)

// printf prints a message to standard error. It escapes control characters, since parts of the text come from
// servers and files.
func printf(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		text, end := strings.CutSuffix(line, "\n")
		fmt.Fprint(os.Stderr, terminal.Visible(text))
		if end {
			fmt.Fprintln(os.Stderr)
		}
	}
}

func run(args []string) int {
	cfg, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(help())
		return exitOK
	case err != nil:
		printf("batch: %v (batch -h explains the flags)\n", err)
		return exitUsage
	}

	// The first signal drains, and the second stops at once. A third kills the program, as it would any other.
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
		printf("batch: interrupted before anything was sent\n")
		return exitInterrupted
	case err != nil:
		printf("batch: %v\n", err)
		if errors.As(err, new(*fileError)) {
			return exitUsage
		}
		return exitFailed
	}
	printf("%v", sum)
	if sum.stopped != nil {
		printf("batch: stopped: %v\n", sum.stopped)
	}
	switch {
	case soft.Err() != nil:
		printf("%v", sum.leftovers)
		if sum.todo > 0 {
			printf("batch: interrupted with %d lines left to do: the same command continues from here\n", sum.todo)
		}
		return exitInterrupted
	case sum.stopped != nil || sum.failed > 0 || sum.todo > 0 || sum.duplicated > 0:
		return exitFailed
	}
	return exitOK
}
