package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"strconv"

	"github.com/redis/rueidis"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// workerVariable is set in the environment of a worker, to its number.
const workerVariable = "FLEET_WORKER"

// The states of the store, as a worker sees it.
const (
	storeSells  = "sells"
	storeLearns = "learns" // it is new, and sells nothing yet
	storeAway   = "away"
)

// work is the program of a worker. It sends a request for each job that comes on standard input, and reports on
// standard output.
func work() error {
	number, err := strconv.Atoi(os.Getenv(workerVariable))
	if err != nil {
		return err
	}
	var rate, burst int64
	var shared bool
	if _, err := fmt.Sscan(os.Getenv("FLEET_LIMIT"), &rate, &burst, &shared); err != nil {
		return err
	}
	config := scheduler.Config{Limit: bucket.PerSecond(rate).Burst(burst), MaxInFlight: 50}
	if shared {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{os.Getenv("FLEET_REDIS")}, DisableCache: true})
		if err != nil {
			return err
		}
		defer client.Close()
		store, err := redisbucket.New(client, "fleet")
		if err != nil {
			return err
		}
		config.Store = reporting{store}
	}
	s, err := scheduler.New(config)
	if err != nil {
		return err
	}
	defer s.Shutdown(context.Background()) // gives tokens back, which takes a second at most
	address, client := os.Getenv("FLEET_API"), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: config.MaxInFlight}}
	send := func(ctx context.Context, job string) (struct{}, error) {
		id, err := strconv.Atoi(job)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, post(ctx, client, address, requestID(number, id))
	}
	for res := range scheduler.Stream(context.Background(), s, lines(os.Stdin), send) {
		if res.Err != nil {
			return res.Err
		}
		fmt.Println("done", res.Input)
	}
	return nil
}

// reporting reports each exchange.
type reporting struct{ *redisbucket.Store }

func (r reporting) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	answer, err := r.Store.Exchange(ctx, a)
	switch {
	case err != nil:
		fmt.Println("store", storeAway)
	case answer.Learning > 0:
		fmt.Println("store", storeLearns)
	default:
		fmt.Println("store", storeSells)
	}
	return answer, err
}

// lines yields the lines of a text.
func lines(r io.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for all := bufio.NewScanner(r); all.Scan(); {
			if !yield(all.Text()) {
				return
			}
		}
	}
}

// post sends a request to the API. A refusal is retried.
func post(ctx context.Context, client *http.Client, address, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Request-Id", id)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusTooManyRequests:
		return retry.RateLimited(errors.New(res.Status))
	}
	return errors.New(res.Status)
}
