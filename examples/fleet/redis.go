package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"example.com/fairlead/bucket/storetest/loopback"
)

// redisServer is a real Redis server on a free port, in a temporary folder.
type redisServer struct {
	program, dir, address string
	cmd                   *exec.Cmd // nil while it is killed
	free                  func()    // lets another server have the address
}

// startRedis starts a server.
func startRedis(ctx context.Context) (*redisServer, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is needed and is not installed: apt-get install redis-server, or brew install redis")
	}
	r := &redisServer{program: program}
	if r.dir, err = os.MkdirTemp("", "fleet-*"); err != nil {
		return nil, err
	}
	if r.address, r.free, err = loopback.Hold(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.remove())
	}
	return r, nil
}

// start starts the server, which has nothing in it, and waits until it accepts connections.
func (r *redisServer) start(ctx context.Context) error {
	host, port, err := net.SplitHostPort(r.address)
	if err != nil {
		return err
	}
	r.cmd = exec.Command(r.program, "--bind", host, "--port", port, "--dir", r.dir, "--save", "", "--appendonly", "no", "--logfile", "log")
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		return err
	}
	for range 3000 { // for half a minute, since the machine may be busy
		if c, err := net.Dial("tcp", r.address); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	log, _ := os.ReadFile(r.dir + "/log") // without it, the error says less
	return fmt.Errorf("redis-server did not start at %s: %s", r.address, log)
}

// kill kills the server, which loses everything.
func (r *redisServer) kill() error {
	if r.cmd == nil {
		return nil
	}
	err := r.cmd.Process.Kill()
	_ = r.cmd.Wait() // it was killed
	r.cmd = nil
	return err
}

// remove kills the server, gives up its address and removes its folder.
func (r *redisServer) remove() error {
	defer r.free()
	return errors.Join(r.kill(), os.RemoveAll(r.dir))
}
