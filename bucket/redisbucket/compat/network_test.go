package compat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/bucket/redisbucket/goredis"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

// TestMain ignores goroutines of toxiproxy, which sometimes leaks one when a fault ends with a connection.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(redistest.Main{M: m}, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

// network is a proxy in front of a Redis server.
type network struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

func newNetwork(t *testing.T, server *redistest.Server) network {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(api, "network", "127.0.0.1:0", server.Addr)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return network{t, proxy}
}

// has lets the network have a fault, in toxiproxy's JSON, for a time.
func (n network) has(fault string, d time.Duration) {
	toxic, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(fault))
	require.NoError(n.t, err)
	time.Sleep(d)
	require.NoError(n.t, n.proxy.Toxics.RemoveToxic(context.Background(), toxic.Name))
}

// stores returns the stores of three processes, two with rueidis and one with go-redis.
func (n network) stores() (stores []bucket.Store) {
	for range 2 {
		store, err := redisbucket.New(redistest.Client(n.t, n.proxy.Listen), "test")
		require.NoError(n.t, err)
		stores = append(stores, store)
	}
	client := redis.NewClient(&redis.Options{Addr: n.proxy.Listen})
	n.t.Cleanup(func() { client.Close() })
	store, err := goredis.New(client, "test")
	require.NoError(n.t, err)
	return append(stores, store)
}

// TestLatency: answers come about 100 ms late, and then asks do.
func TestLatency(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, redistest.Start(t))
	redistest.UnderFault(t, n.stores(), func(*redistest.Fleet) {
		n.has(`{"type": "latency", "stream": "downstream", "attributes": {"latency": 100, "jitter": 50}}`, 1500*time.Millisecond)
		n.has(`{"type": "latency", "stream": "upstream", "attributes": {"latency": 100, "jitter": 50}}`, 1500*time.Millisecond)
	})
}

// lostAnswers is a fault that lets one byte of an answer through, and then closes the connection.
const lostAnswers = `{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 1}}`

// TestLostAnswers: Redis gets the asks, and its answers are lost with the connections.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, redistest.Start(t))
	redistest.UnderFault(t, n.stores(), func(*redistest.Fleet) {
		for range 20 {
			n.has(lostAnswers, 50*time.Millisecond)
			time.Sleep(50 * time.Millisecond)
		}
	})
}

// TestSentAgain: an ask whose answer is lost is sent again. Its token is sold once.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNetwork(t, server)
	slow := bucket.Limit{Capacity: 1000, Refill: 1, Per: 24 * time.Hour}
	left := slow.Capacity
	stores := n.stores()
	require.NoError(t, stores[0].(*redisbucket.Store).Create(t.Context(), slow))
	for i, store := range stores[1:] {
		for seq := range uint64(10) {
			ask := bucket.Ask{Process: fmt.Sprint(i), Seq: seq + 1, Want: 1, Limit: slow}
			toxic, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(lostAnswers))
			require.NoError(t, err)
			_, err = store.Exchange(t.Context(), ask)
			require.Error(t, err)
			require.NoError(t, n.proxy.Toxics.RemoveToxic(t.Context(), toxic.Name))
			answer, err := store.Exchange(t.Context(), ask)
			for err != nil { // until the client has connected again
				answer, err = store.Exchange(t.Context(), ask)
			}
			require.EqualValues(t, 1, answer.Tokens)
			require.Equal(t, left, answer.Level)
			left--
			require.Equal(t, fmt.Sprint(left), server.Do("HGET", "fairlead:{test}", "level"))
		}
	}
}

// TestBlackHole: asks get no answer, for longer than Grace, and the connections stay open.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, redistest.Start(t))
	redistest.UnderFault(t, n.stores(), func(*redistest.Fleet) {
		n.has(`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`, bucket.Grace+500*time.Millisecond)
	})
}

// TestResets: all connections are reset, again and again.
func TestResets(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, redistest.Start(t))
	redistest.UnderFault(t, n.stores(), func(*redistest.Fleet) {
		for range 10 {
			n.has(`{"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 0}}`, 50*time.Millisecond)
			time.Sleep(150 * time.Millisecond)
		}
	})
}
