package redisbucket_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

// TestFailover: a sentinel promotes the replica of a master that was killed, or that stops and comes back.
func TestFailover(t *testing.T) {
	for _, name := range []string{"killed", "stopped"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
			host, port, err := net.SplitHostPort(master.Addr)
			require.NoError(t, err)
			replica := redistest.Start(t, "--replicaof", host+" "+port)
			until(replica, "master_link_status:up", "INFO", "replication")
			config := filepath.Join(t.TempDir(), "sentinel.conf")
			require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "sentinel monitor budgets %s %s 1\n"+
				"sentinel down-after-milliseconds budgets 600000\nsentinel failover-timeout budgets 5000\n", host, port), 0o600))
			sentinel := redistest.Start(t, config, "--sentinel")
			until(sentinel, "num-slaves:1", "SENTINEL", "MASTER", "budgets")

			var stores []bucket.Store
			for range 3 {
				client, err := rueidis.NewClient(rueidis.ClientOption{
					InitAddress: []string{sentinel.Addr}, Sentinel: rueidis.SentinelOption{MasterSet: "budgets"}, DisableCache: true,
				})
				require.NoError(t, err)
				t.Cleanup(client.Close)
				store, err := redisbucket.New(client, "test")
				require.NoError(t, err)
				stores = append(stores, store)
			}
			promoted := func() { // by the sentinel, as soon as the master is silent for 300 ms
				sentinel.Do("SENTINEL", "SET", "budgets", "down-after-milliseconds", "300")
				_, port, _ := net.SplitHostPort(replica.Addr)
				until(sentinel, port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "budgets")
				sentinel.Do("SENTINEL", "SET", "budgets", "down-after-milliseconds", "600000")
			}
			redistest.UnderFault(t, stores, func(f *redistest.Fleet) {
				if name == "killed" {
					f.Lose(1, master.Kill)
					promoted()
				} else { // when the master comes back, it answers the asks that have come meanwhile
					f.Lose(2, func() { master.Signal("STOP") })
					promoted()
					connected(replica, len(stores))
					master.Signal("CONT")
				}
				until(replica, "1", "EXISTS", "fairlead:{test}") // it was replicated
			})
		})
	}
}

// connected returns when so many clients have sent an ask to a server.
func connected(server *redistest.Server, clients int) {
	for strings.Count(server.Do("CLIENT", "LIST"), " cmd=evalsha ") < clients {
		time.Sleep(20 * time.Millisecond)
	}
}

// until returns when the reply to a command contains a text. A server that is promoted closes its connections.
func until(server *redistest.Server, text string, command ...string) {
	for {
		if reply, err := server.Try(command...); err == nil && strings.Contains(reply, text) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
