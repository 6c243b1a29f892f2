package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// request is a line of the file.
type request struct {
	URL  string
	Body json.RawMessage
}

// readRequests reads a file of requests. It also returns the text, since a pipe can't be read again.
func readRequests(path string) (all []request, text []byte, err error) {
	if text, err = os.ReadFile(path); err != nil {
		return nil, nil, err
	}
	for in := json.NewDecoder(bytes.NewReader(text)); ; {
		var r request
		switch err := in.Decode(&r); {
		case err == io.EOF:
			return all, text, nil
		case err != nil:
			return nil, nil, fmt.Errorf("%s: request %d: %w", path, len(all)+1, err)
		case r.URL == "" || r.Body == nil:
			return nil, nil, fmt.Errorf(`%s: request %d: it needs a "url" and a "body"`, path, len(all)+1)
		}
		all = append(all, r)
	}
}

// naive sends the requests from that many goroutines, each of which retries.
func naive(ctx context.Context, all []request, url string, workers int, unit time.Duration) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = workers // like batch
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				sendWithRetries(ctx, client, url+all[i].URL, all[i].Body, strconv.Itoa(i+1), unit)
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	return ctx.Err()
}

// sendWithRetries sends a request as OpenAI's cookbook does, with tenacity's wait_random_exponential(min=1,
// max=60) and stop_after_attempt(6).
func sendWithRetries(ctx context.Context, client *http.Client, url string, body []byte, id string, unit time.Duration) {
	for attempt := range 6 {
		if attempt > 0 {
			ceiling := unit << (attempt - 1)
			wait := unit + time.Duration(rand.Float64()*float64(ceiling-unit))
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil || sendOnce(ctx, client, url, body, id) {
			return
		}
	}
}

// sendOnce sends a request, and reports whether it succeeded.
func sendOnce(ctx context.Context, client *http.Client, url string, body []byte, id string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", id)
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}
