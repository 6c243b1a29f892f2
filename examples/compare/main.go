// Compare sends the same requests twice to a local API with a quota. First it uses goroutines with exponential
// backoff, as many programs do, and then batch.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"example.com/fairlead/examples/internal/strict"
)

const usage = `Usage: compare [flags]

Sends the requests of a file twice, each time to a new API with the same settings and a full
quota. First -in-flight goroutines send them, with exponential backoff, and then batch. The
figures that it prints side by side are those of the two APIs.

The API is strictapi. Batch gets its rates, and a tenth less than it accepts at once, since
requests that are sent evenly don't arrive evenly. The goroutines do what OpenAI's cookbook
shows. They try six times at most, wait a random time of at least 1 second and up to 1, 2, 4,
8 and 16 seconds in between, and ignore Retry-After.

Flags:
`

// setting holds what both runs have in common.
type setting struct {
	in       string
	inFlight int
	api      strict.Config
	unit     time.Duration // a second of the naive backoff; shorter in tests
}

func main() {
	var set setting
	flag.StringVar(&set.in, "in", "demo/requests.jsonl", "`file` of requests, in the form of OpenAI's batch API")
	flag.IntVar(&set.inFlight, "in-flight", 32, "`requests` in flight")
	flag.IntVar(&set.api.PerMinute, "rpm", 1800, "`requests` that the API accepts a minute")
	flag.IntVar(&set.api.Burst, "burst", 60, "`requests` that it accepts at once")
	flag.IntVar(&set.api.TokensPerMinute, "tpm", 120_000, "`tokens` that it accepts a minute; 0 means not to count them")
	flag.IntVar(&set.api.TokenBurst, "token-burst", 10_000, "`tokens` that it accepts at once; 0 means all of -tpm")
	flag.Float64Var(&set.api.FailRate, "fail-rate", 0.03, "`share` of requests that it answers with 500 or 503")
	flag.Float64Var(&set.api.DropRate, "drop-rate", 0.02, "`share` of requests whose connection it drops")
	flag.Float64Var(&set.api.SlowRate, "slow-rate", 1, "`share` of requests that it answers late")
	flag.DurationVar(&set.api.Slow, "slow", 200*time.Millisecond, "how late the slow answers are")
	flag.Uint64Var(&set.api.Seed, "seed", 1, "seed of the random failures")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	set.unit = time.Second
	if flag.NArg() > 0 || set.inFlight < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, set, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// compare does both runs, and prints what their APIs have seen.
func compare(ctx context.Context, set setting, w io.Writer) error {
	lines, text, err := readRequests(set.in)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The same %d requests, %d in flight, against an API of\n%v; a full quota for each.\n", len(lines), set.inFlight, set.api)
	fmt.Fprintf(w, "It fails %.3g %% of the accepted requests, drops %.3g %%, and answers %.3g %% %v late.\n\n",
		100*set.api.FailRate, 100*set.api.DropRate, 100*set.api.SlowRate, set.api.Slow)
	goroutines, fairlead, err := runBoth(ctx, set, lines, text)
	if err != nil {
		return err
	}
	printTable(w, goroutines, fairlead)
	return nil
}

// runBoth does one run after the other, and discards the answers.
func runBoth(ctx context.Context, set setting, lines []request, text []byte) (goroutines, fairlead figures, err error) {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return goroutines, fairlead, err
	}
	defer os.RemoveAll(dir)
	set.in = filepath.Join(dir, "requests.jsonl")
	if err := os.WriteFile(set.in, text, 0o600); err != nil {
		return goroutines, fairlead, err
	}
	program := filepath.Join(dir, "batch.exe")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "example.com/fairlead/examples/batch").CombinedOutput(); err != nil {
		return goroutines, fairlead, fmt.Errorf("building batch: %w\n%s", err, out)
	}
	goroutines, err = measure(set.api, len(lines), func(url string) error {
		return naive(ctx, lines, url, set.inFlight, set.unit)
	})
	if err != nil {
		return goroutines, fairlead, err
	}
	fairlead, err = measure(set.api, len(lines), func(url string) error {
		return batch(ctx, program, set, url, filepath.Join(dir, "results.jsonl"))
	})
	return goroutines, fairlead, err
}

// batch runs the program. Failed lines are no error here, since the figures show them.
func batch(ctx context.Context, program string, set setting, url, out string) error {
	args := []string{"-in", set.in, "-out", out, "-url", url, "-in-flight", strconv.Itoa(set.inFlight),
		"-rpm", strconv.Itoa(set.api.PerMinute), "-burst", strconv.Itoa(tenthLess(set.api.Burst))}
	if set.api.TokensPerMinute > 0 {
		args = append(args, "-tpm", strconv.Itoa(set.api.TokensPerMinute))
		if set.api.TokenBurst == 0 {
			set.api.TokenBurst = set.api.TokensPerMinute
		}
		args = append(args, "-token-burst", strconv.Itoa(tenthLess(set.api.TokenBurst)))
	}
	log, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); err == nil || ok && exit.ExitCode() == 1 && bytes.Contains(log, []byte("answered:")) {
		return nil
	}
	return fmt.Errorf("batch: %w\n%s", err, log)
}

// tenthLess returns n less a tenth, and at least 1.
func tenthLess(n int) int { return max(1, n-n/10) }
