package redisbucket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

// underFault lets three schedulers share a budget in a server while a fault happens.
func underFault(t *testing.T, server *redistest.Server, fault func(*redistest.Fleet)) {
	t.Helper()
	redistest.UnderFault(t, []bucket.Store{newStore(t, server), newStore(t, server), newStore(t, server)}, fault)
}

func TestKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(f *redistest.Fleet) { f.Lose(1, server.Kill); server.Run() })
}

func TestRestartFromAOF(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes")
	underFault(t, server, func(f *redistest.Fleet) {
		f.Lose(1, server.Kill)
		server.Run()
		require.Contains(t, server.Log(), "DB loaded from append only file")
	})
}

func TestRestartFromRDB(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(f *redistest.Fleet) {
		server.Do("SAVE")
		f.Await(200, f.Now())
		f.Lose(1, server.Kill)
		server.Run()
		require.Contains(t, server.Log(), "Done loading RDB, keys loaded: 2")
	})
}

func TestFlushAll(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(f *redistest.Fleet) { f.Lose(1, func() { server.Do("FLUSHALL") }) })
}

// TestEvictedProcesses: Redis may evict one of the two keys.
func TestEvictedProcesses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(f *redistest.Fleet) {
		f.Lose(1, func() { require.Equal(t, "1", server.Do("DEL", "fairlead:{test}:processes")) })
	})
}

// TestEviction: Redis evicts all that it has, again and again.
func TestEviction(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(f *redistest.Fleet) {
		f.Lose(1, func() {
			server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1000000")
			time.Sleep(500 * time.Millisecond)
			for strings.Contains(server.Do("INFO", "stats"), "evicted_keys:0\r") {
				time.Sleep(20 * time.Millisecond)
			}
			server.Do("CONFIG", "SET", "maxmemory", "0")
		})
	})
}

// TestNoMemory: Redis refuses to write, and the budget is as it was when it has memory again.
func TestNoMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var epoch string
	underFault(t, server, func(*redistest.Fleet) {
		epoch = server.Do("HGET", "fairlead:{test}", "epoch")
		server.Do("CONFIG", "SET", "maxmemory", "1000000")
		until(server, "errorstat_OOM", "INFO", "errorstats")
		time.Sleep(500 * time.Millisecond)
		server.Do("CONFIG", "SET", "maxmemory", "0")
	})
	require.Equal(t, epoch, server.Do("HGET", "fairlead:{test}", "epoch"))
}

func TestScriptFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(*redistest.Fleet) { server.Do("SCRIPT", "FLUSH") })
}

// TestStopped: Redis stands still, once for less than Grace and once for longer.
func TestStopped(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(*redistest.Fleet) {
		for _, d := range []time.Duration{bucket.Grace / 4, bucket.Grace + bucket.Grace/4} {
			server.Signal("STOP")
			time.Sleep(d)
			server.Signal("CONT")
			time.Sleep(bucket.Grace / 4)
		}
	})
}

// TestClockSetBack: to the store, this is as if its clock was set back by an hour.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	underFault(t, server, func(f *redistest.Fleet) {
		f.Lose(1, func() { server.Do("HINCRBY", "fairlead:{test}", "lastSeen", "3600000000") })
	})
}
