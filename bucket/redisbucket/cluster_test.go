package redisbucket_test

import (
	"net"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
	"example.com/fairlead/bucket/storetest/loopback"
)

// TestCluster: in a cluster of two nodes each budget is on one of them.
func TestCluster(t *testing.T) {
	t.Parallel()
	var nodes []*redistest.Server
	var bus string // the second node's
	for range 2 {
		addr, free, err := loopback.Hold()
		require.NoError(t, err)
		t.Cleanup(free)
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		nodes, bus = append(nodes, redistest.Start(t, "--cluster-enabled", "yes", "--cluster-port", port)), port
	}
	nodes[0].Do("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	nodes[1].Do("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	nodes[1].Do("CLUSTER", "SET-CONFIG-EPOCH", "2")
	host, port, err := net.SplitHostPort(nodes[1].Addr)
	require.NoError(t, err)
	nodes[0].Do("CLUSTER", "MEET", host, port, bus)
	for _, node := range nodes {
		until(node, "cluster_state:ok", "CLUSTER", "INFO")
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{nodes[0].Addr, nodes[1].Addr}, DisableCache: true})
	require.NoError(t, err)
	defer client.Close()
	for _, name := range []string{"a", "b", "c", "d", "with a space"} {
		store, err := redisbucket.New(client, name)
		require.NoError(t, err)
		require.NoError(t, store.Create(ctx, bucket.PerSecond(10)))
		require.EqualValues(t, 4, ask(t, store, bucket.Ask{Process: "a", Seq: 1, Want: 4, Limit: bucket.PerSecond(10)}).Tokens)
	}
	for _, node := range nodes {
		require.NotEqual(t, "0", node.Do("DBSIZE"))
	}
}
