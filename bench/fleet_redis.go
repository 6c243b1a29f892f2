package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/fairlead/bucket/storetest/loopback"
)

// redisInstalled reports whether there is a Redis server to start.
func redisInstalled() bool {
	_, err := exec.LookPath("redis-server")
	return err == nil
}

// redisServer is a Redis server that this process starts, in a temporary folder at a free port. It saves nothing.
type redisServer struct {
	addr, folder string
	client       *redis.Client
	stop         func() // kills it
	free         func() // lets another server have its address
}

func newRedisServer() *redisServer {
	addr, free, err := loopback.Hold()
	check(err)
	s := &redisServer{addr: addr, folder: must(os.MkdirTemp("", "bench-redis")), free: free}
	s.client = redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
	return s
}

// guard runs a Redis server until its standard input ends, also because this process was killed.
const guard = `redis-server "$@" & cat; kill -9 $!; wait $! 2>/dev/null`

// start starts the server, which is empty, and returns when it answers.
func (s *redisServer) start() {
	_, port, err := net.SplitHostPort(s.addr)
	check(err)
	cmd := exec.Command("sh", "-c", guard, "sh", "--port", port, "--bind", "127.0.0.1", "--dir", s.folder, "--save", "")
	input := must(cmd.StdinPipe())
	check(cmd.Start())
	s.stop = func() {
		input.Close()
		_ = cmd.Wait() // it was killed
	}
	for begin := time.Now(); s.client.Ping(context.Background()).Err() != nil; time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute { // the machine may be busy
			panic("redis-server does not answer")
		}
	}
}

func (s *redisServer) close() {
	s.stop()
	s.free()
	s.client.Close()
	os.RemoveAll(s.folder)
}

// roundTrip returns the median time of a command that does nothing, in microseconds.
func (s *redisServer) roundTrip() float64 {
	var times []float64
	for range 51 {
		begin := time.Now()
		check(s.client.Ping(context.Background()).Err())
		times = append(times, float64(time.Since(begin))/1e3)
	}
	return median(times)
}

// redisUse has what a Redis server has done until an instant.
type redisUse struct {
	at    time.Duration
	calls map[string]float64 // of each command
	cpu   float64            // seconds
}

func (s *redisServer) use() redisUse {
	text := must(s.client.InfoMap(context.Background(), "commandstats", "cpu").Result())
	u := redisUse{at: sharedNow(), calls: map[string]float64{}}
	for name, value := range text["Commandstats"] {
		calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		u.calls[strings.TrimPrefix(name, "cmdstat_")] = must(strconv.ParseFloat(calls, 64))
	}
	cpu := text["CPU"]
	u.cpu = must(strconv.ParseFloat(cpu["used_cpu_user"], 64)) + must(strconv.ParseFloat(cpu["used_cpu_sys"], 64))
	return u
}

// asked returns how often some commands were called between two instants.
func asked(from, to redisUse, commands []string) float64 {
	n := 0.0
	for _, name := range commands {
		n += to.calls[name] - from.calls[name]
	}
	return n
}
