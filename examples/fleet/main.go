// Fleet shows eight processes that share one quota through Redis. It starts an API that refuses what is over its quota,
// a Redis server in a temporary folder, and the processes. Two of them are killed and started anew, and Redis is
// killed and started empty. At the end the API tells what it has counted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// plan has what the command line asks for.
type plan struct {
	workers int
	jobs    int
	rate    int  // of the quota, in requests a second
	burst   int  // of the quota
	late    int  // how many seconds late the API lets a token be spent
	shared  bool // the workers share a budget; otherwise each has the whole quota for itself
}

func main() {
	if os.Getenv(workerVariable) != "" {
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		return
	}
	p := plan{workers: 8, late: 1}
	flag.IntVar(&p.jobs, "jobs", 8000, "how many jobs there are")
	flag.IntVar(&p.rate, "rate", 500, "the quota, in requests a `second`")
	flag.BoolVar(&p.shared, "shared", true, "share the quota; with false, each process has a limiter of its own")
	flag.Parse()
	p.burst = max(1, p.rate/10)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	result, err := p.run(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
	fmt.Print("\n", result)
}

// run runs the fleet until all jobs are done, and prints a row each second.
func (p plan) run(ctx context.Context, out *os.File) (_ result, err error) {
	if p.jobs < 1 || p.rate < p.workers {
		return result{}, fmt.Errorf("-jobs must be at least 1, and -rate at least %d", p.workers)
	}
	expected := time.Duration(p.jobs/p.rate+15) * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, 10*expected, errors.New("the jobs should have been done long ago"))
	defer cancel()
	redis, err := startRedis(ctx)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, redis.remove()) }()
	api, err := startAPI(p)
	if err != nil {
		return result{}, err
	}
	defer api.close()
	f := newFleet(p, api, redis, newPicture(p, out))
	defer f.close()
	if err := f.work(ctx); err != nil {
		return result{}, err
	}
	return f.result(), nil
}
