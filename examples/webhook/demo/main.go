// Demo sends webhooks through examples/webhook, which it kills ten times. The receivers tell what has arrived.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket/storetest/loopback"
)

func main() {
	d := demo{out: os.Stdout}
	flag.IntVar(&d.webhooks, "webhooks", 300, "how many webhooks there are")
	flag.IntVar(&d.kills, "kills", 10, "how often their sender is killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo kills the program webhook while it delivers.
type demo struct {
	out             io.Writer
	webhooks, kills int

	program, file, address string
	sender                 *exec.Cmd
	receivers              []*receiver
	accepted               atomic.Int64
}

func (d *demo) run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "webhook-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	d.program, d.file = filepath.Join(folder, "webhook.exe"), filepath.Join(folder, "webhooks.db")
	build := exec.CommandContext(ctx, "go", "build", "-o", d.program, "example.com/fairlead/examples/webhook")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	address, free, err := loopback.Hold()
	if err != nil {
		return err
	}
	defer free()
	d.address = address
	d.receivers = []*receiver{newReceiver(0), newReceiver(0.2)}
	for _, r := range d.receivers {
		defer r.Close()
	}
	return d.deliver(ctx)
}

// deliver submits the webhooks, kills their sender again and again, and waits until all are delivered.
func (d *demo) deliver(ctx context.Context) error {
	if err := d.start(); err != nil {
		return err
	}
	defer func() { d.kill() }()
	ctx, late := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("it should have ended long ago"))
	defer late()
	ctx, cancel := context.WithCancelCause(ctx)
	submitted := make(chan struct{})
	go func() {
		defer close(submitted)
		if err := d.submitAll(ctx); err != nil {
			cancel(err)
		}
	}()
	defer func() { cancel(nil); <-submitted }()
	for i := range d.kills {
		after := 100*time.Millisecond + rand.N(400*time.Millisecond)
		if err := pause(ctx, after); err != nil {
			return err
		}
		d.kill()
		got, _ := d.counts()
		fmt.Fprintf(d.out, "kill %2d, after %3d ms: %3d accepted, %3d delivered\n", i+1, after.Milliseconds(), d.accepted.Load(), got)
		if err := d.start(); err != nil {
			return err
		}
	}
	if err := d.await(ctx); err != nil {
		return err
	}
	<-submitted
	got, twice := d.counts()
	fmt.Fprintf(d.out, "%d accepted, %d delivered, %d of them twice or more, with the same key\n", d.accepted.Load(), got, twice)
	return nil
}

// pause waits for a time, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await waits until each receiver has what it should get.
func (d *demo) await(ctx context.Context) error {
	for got, _ := d.counts(); got < d.webhooks; got, _ = d.counts() {
		select {
		case <-d.receivers[0].come:
		case <-d.receivers[1].come:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d were delivered: %w", got, d.webhooks, context.Cause(ctx))
		}
	}
	return nil
}

func (d *demo) counts() (all, twice int) {
	for _, r := range d.receivers {
		got, again := r.counts()
		all, twice = all+got, twice+again
	}
	return all, twice
}

func (d *demo) start() error {
	d.sender = exec.Command(d.program, "-file", d.file, "-listen", d.address)
	d.sender.Stderr = os.Stderr
	return d.sender.Start()
}

// kill kills the sender with SIGKILL.
func (d *demo) kill() {
	_ = d.sender.Process.Kill() // it may have ended by itself
	_ = d.sender.Wait()         // which reports the kill
}

func (d *demo) submitAll(ctx context.Context) error {
	for i := range d.webhooks {
		if err := d.submit(ctx, i); err != nil {
			return err
		}
		d.accepted.Add(1)
	}
	return nil
}

// submit sends a webhook until it is accepted. It has the same key each time.
func (d *demo) submit(ctx context.Context, i int) error {
	to := d.receivers[i%len(d.receivers)].URL
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.address+"/?to="+to, strings.NewReader(bodyOf(i)))
		if err != nil {
			return err
		}
		req.Header.Set("Idempotency-Key", keyOf(i))
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusAccepted {
				return nil
			}
			err = errors.New(res.Status)
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("webhook %d was not accepted: %w", i, err)
		}
	}
}

func keyOf(i int) string  { return fmt.Sprint("webhook-", i) }
func bodyOf(i int) string { return fmt.Sprintf(`{"paid": %d}`, i) }
