// Strictapi is a local HTTP API that enforces a quota, answers 429 with Retry-After, and can be made to fail. It
// is for trying out clients.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"example.com/fairlead/examples/internal/strict"
)

const usage = `Usage: strictapi [flags]

Serves an API like a chat API's on a loopback address. It accepts requests within a quota,
and answers all others with 429 and Retry-After. Every answer says what is left, in OpenAI's
header fields.

A request is counted as a token for every four bytes of its body and as many as its answer
may have, by max_tokens, max_completion_tokens or max_output_tokens. When it is answered, the
count is corrected to what it has used. A failed request keeps its count. A request that is
refused for lack of tokens still counts as a request.

  strictapi -rpm 600 -burst 10
  strictapi -rpm 600 -burst 10 -tpm 60000
  strictapi -rpm 600 -burst 10 -fail-rate 0.05 -drop-rate 0.02 -slow-rate 0.05 -slow 500ms

Flags:
`

func main() {
	log.SetFlags(0)
	log.SetPrefix("strictapi: ")
	var cfg strict.Config
	flag.IntVar(&cfg.PerMinute, "rpm", 600, "`requests` accepted a minute")
	flag.IntVar(&cfg.Burst, "burst", 10, "`requests` accepted at once")
	flag.IntVar(&cfg.TokensPerMinute, "tpm", 0, "`tokens` accepted a minute; 0 means not to count them")
	flag.IntVar(&cfg.TokenBurst, "token-burst", 0, "`tokens` accepted at once; 0 means all of -tpm")
	flag.Float64Var(&cfg.FailRate, "fail-rate", 0, "`share` of requests answered with 500 or 503, from 0 to 1")
	flag.Float64Var(&cfg.DropRate, "drop-rate", 0, "`share` of requests whose connection is dropped")
	flag.Float64Var(&cfg.SlowRate, "slow-rate", 0, "`share` of requests answered late")
	flag.DurationVar(&cfg.Slow, "slow", 500*time.Millisecond, "how late the slow answers are")
	flag.Uint64Var(&cfg.Seed, "seed", 1, "seed of the random failures")
	addr := flag.String("addr", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	addrFile := flag.String("addr-file", "", "`file` to write the API's URL to when it is ready")
	logFile := flag.String("log", "", "`file` to append a line to for every request: time, X-Request-Id, status, tokens")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(cfg, *addr, *addrFile, *logFile); err != nil {
		log.Fatal(err)
	}
}

func serve(cfg strict.Config, addr, addrFile, logFile string) error {
	if logFile != "" {
		f, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		cfg.Log = func(e strict.Entry) { fmt.Fprintln(f, e) }
	}
	api, err := strict.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		listener.Close()
		return fmt.Errorf("-addr %s: other machines could reach it, so use a loopback address such as 127.0.0.1:0", addr)
	}
	url := "http://" + listener.Addr().String()
	if err := publish(addrFile, url, logFile); err != nil {
		return err
	}
	log.Printf("%s, at %s", cfg, url)
	server := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.Default()}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// publish writes the URL in one step, so that no reader finds a part of it. It replaces the file, so the file
// must be neither a device nor the log.
func publish(file, url, logFile string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(file); err == nil {
		log, err := os.Stat(logFile)
		switch {
		case !info.Mode().IsRegular():
			return fmt.Errorf("-addr-file %s: it is not a regular file, and would be replaced by one", file)
		case err == nil && os.SameFile(info, log):
			return fmt.Errorf("-addr-file %s: it is the file of -log, too", file)
		}
	}
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = temp.WriteString(url + "\n")
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
