//go:build unix

package nats

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/goredis"
	"example.com/fairlead/bucket/storetest/loopback"
	"example.com/fairlead/examples/engines/internal/quota"
	"example.com/fairlead/examples/engines/internal/server"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slots is how many messages a worker handles at a time.
const slots = 16

// patience is how long a test waits for requests, on a machine that may be busy.
const patience = 5 * time.Minute

// fleet is two workers with one quota, and the messages that wait for them.
type fleet struct {
	t       *testing.T
	api     *quota.API
	redis   *redis.Client
	options natsserver.Options
	nats    *natsserver.Server
	conn    *nats.Conn
	stream  jetstream.Stream
	wrap    func(jetstream.Consumer) jetstream.Consumer
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// newFleet starts NATS, and Redis with a full budget.
func newFleet(t *testing.T) *fleet {
	t.Parallel()
	f := &fleet{t: t, redis: redis.NewClient(&redis.Options{Addr: server.Redis(t)}), api: quota.New(t)}
	f.wrap = func(c jetstream.Consumer) jetstream.Consumer { return c }
	t.Cleanup(func() { f.redis.Close() })
	require.NoError(t, f.store().Create(context.Background(), quota.Limit))

	address, free, err := loopback.Hold()
	require.NoError(t, err)
	t.Cleanup(free)
	at, err := netip.ParseAddrPort(address)
	require.NoError(t, err)
	f.options = natsserver.Options{Host: at.Addr().String(), Port: int(at.Port()), JetStream: true, StoreDir: t.TempDir(), NoSigs: true}
	f.serve()
	t.Cleanup(f.down)
	f.conn, err = nats.Connect(f.nats.ClientURL())
	require.NoError(t, err)
	t.Cleanup(f.conn.Close)
	f.stream, err = f.js().CreateStream(context.Background(), jetstream.StreamConfig{Name: "CALLS", Subjects: []string{"calls"}, Retention: jetstream.WorkQueuePolicy})
	require.NoError(t, err)
	return f
}

// serve starts NATS.
func (f *fleet) serve() {
	var err error
	f.nats, err = natsserver.NewServer(&f.options)
	require.NoError(f.t, err)
	f.nats.Start()
	require.True(f.t, f.nats.ReadyForConnections(time.Minute))
}

func (f *fleet) restart() {
	f.down()
	f.serve()
}

// down stops NATS.
func (f *fleet) down() {
	f.nats.Shutdown()
	f.nats.WaitForShutdown()
}

func (f *fleet) js() jetstream.JetStream {
	js, err := jetstream.New(f.conn, jetstream.WithDefaultTimeout(time.Minute))
	require.NoError(f.t, err)
	return js
}

func (f *fleet) store() *goredis.Store {
	store, err := goredis.New(f.redis, "api")
	require.NoError(f.t, err)
	return store
}

// publish adds messages.
func (f *fleet) publish(from, n int, customer string) {
	js := f.js()
	for job := range n {
		data, err := json.Marshal(Args{f.api.URL(from + job), customer})
		require.NoError(f.t, err)
		_, err = js.Publish(context.Background(), "calls", data, jetstream.WithRetryAttempts(200)) // JetStream may have to start
		require.NoError(f.t, err)
	}
}

// counted is a consumer that counts messages as runs.
type counted struct {
	jetstream.Consumer
	api *quota.API
}

func (c counted) Next(opts ...jetstream.FetchOpt) (jetstream.Msg, error) {
	m, err := c.Consumer.Next(opts...)
	if err != nil {
		return nil, err
	}
	c.api.Ran(args(m).URL)
	return m, nil
}

// deaf is a consumer whose messages lose their first two Acks, as if NATS restarted.
type deaf struct{ jetstream.Consumer }

func (d deaf) Next(opts ...jetstream.FetchOpt) (jetstream.Msg, error) {
	m, err := d.Consumer.Next(opts...)
	return &deafMessage{Msg: m}, err
}

type deafMessage struct {
	jetstream.Msg
	acks int
}

func (m *deafMessage) DoubleAck(ctx context.Context) error {
	switch m.acks++; m.acks {
	case 1:
		<-ctx.Done()
		return ctx.Err()
	case 2: // JetStream starts
		return nats.ErrNoResponders
	}
	return m.Msg.DoubleAck(ctx)
}

func args(m jetstream.Msg) (args Args) {
	_ = json.Unmarshal(m.Data(), &args)
	return args
}

// start starts two workers, as two processes would.
func (f *fleet) start(cfg jetstream.ConsumerConfig, perCustomer bucket.Limit, changes ...func(*scheduler.Scheduler)) {
	consumer, err := f.stream.CreateConsumer(context.Background(), cfg)
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	for range 2 {
		s, err := scheduler.New(Config(quota.Limit, f.store(), perCustomer))
		require.NoError(f.t, err)
		f.t.Cleanup(s.Close)
		for _, change := range changes {
			change(s)
		}
		w := &Worker{s, f.wrap(counted{consumer, f.api})}
		for range slots {
			f.workers.Go(func() {
				if err := w.Run(ctx); err != nil {
					f.t.Error(err)
				}
			})
		}
	}
	f.t.Cleanup(func() { f.shutdown() })
}

// shutdown stops the workers and returns how many messages are left.
func (f *fleet) shutdown() int {
	f.stop()
	f.workers.Wait()
	return f.left()
}

// left returns how many messages are not done.
func (f *fleet) left() int {
	info, err := f.stream.Info(context.Background())
	require.NoError(f.t, err)
	return int(info.State.Msgs)
}

// wait waits until all messages have made their request and are done.
func (f *fleet) wait(messages int) {
	f.api.Wait(messages, patience)
	for end := time.Now().Add(time.Minute); f.left() > 0; time.Sleep(10 * time.Millisecond) {
		require.True(f.t, time.Now().Before(end), "messages are left")
	}
}

// checkOnce checks that five messages are delivered once. If the machine stalls for longer than AckWait, a sign of life
// comes too late, so checkOnce tries again.
func (f *fleet) checkOnce(prepare func()) {
	for try := range 12 {
		before := f.api.Figures().Runs
		prepare()
		f.publish(5*try, 5, "")
		f.wait(5*try + 5)
		if f.api.Figures().Runs == before+5 {
			return
		}
	}
	f.t.Error("messages were delivered again, each time")
}

// finish waits until all messages are done, and stops the workers.
func (f *fleet) finish(messages int) quota.Figures {
	f.wait(messages)
	f.shutdown()
	figures := f.api.Figures()
	f.t.Log(figures)
	return figures
}

// TestQuota: two workers use the whole quota, and each message is delivered once.
func TestQuota(t *testing.T) {
	f := newFleet(t)
	f.publish(0, 200, "")
	f.start(Consumer, bucket.Unlimited)
	f.finish(200).Check(t, 2*slots)
}

// TestInProgress: a message that waits for longer than AckWait is delivered once.
func TestInProgress(t *testing.T) {
	f := newFleet(t)
	cfg := Consumer
	cfg.AckWait = longest - 1200*time.Millisecond
	var schedulers []*scheduler.Scheduler
	f.start(cfg, bucket.Unlimited, func(s *scheduler.Scheduler) { schedulers = append(schedulers, s) })
	f.checkOnce(func() {
		for _, s := range schedulers {
			require.NoError(t, s.PauseUntil(s.Now().Add(longest-600*time.Millisecond)))
		}
	})
}

// TestHold: while the server refuses everything for three seconds, messages are handed back.
func TestHold(t *testing.T) {
	f := newFleet(t)
	f.api.Hold(40, 3*time.Second)
	f.publish(0, 100, "")
	f.start(Consumer, bucket.Unlimited)
	f.finish(100).CheckHold(t, 20, 11*time.Second) // 5 s of the quota and the hold are 8 s
}

// TestSlowKey: messages of a customer with a limit of its own are handed back, so that others have the slots.
func TestSlowKey(t *testing.T) {
	f := newFleet(t)
	f.publish(0, 60, "slow") // more than all slots
	f.publish(60, 60, "")
	begin := time.Now()
	f.start(Consumer, bucket.Per(1, 10*time.Second).Burst(1)) // in each worker, so 60 take five minutes
	for n := 60; f.api.Of(60, 60).Accepted < 60; n++ {
		f.api.Wait(n, patience)
	}
	took, slow := time.Since(begin), f.api.Of(0, 60).Accepted
	left, all, others := f.shutdown(), f.api.Figures(), f.api.Of(60, 60)
	t.Logf("others: done after %.1f s, %v", took.Seconds(), others)
	t.Logf("all: %v", all)
	require.Less(t, slow, 60-2*slots, "slow ones before, if they take all slots")
	if quota.Targets() {
		require.Less(t, took, 12*time.Second, "3 s of the quota")
	}
	require.Zero(t, all.Twice)
	require.Equal(t, 120, all.Accepted+left)
}

// TestLostAck: a message whose first Acks are lost is delivered once, although it is held for longer than AckWait.
func TestLostAck(t *testing.T) {
	f := newFleet(t)
	f.wrap = func(c jetstream.Consumer) jetstream.Consumer { return deaf{c} }
	cfg := Consumer
	cfg.AckWait = 900 * time.Millisecond
	f.start(cfg, bucket.Unlimited)
	f.checkOnce(func() {})
}

// TestRestart: NATS is stopped and started, and each message makes its request. NATS delivers at least once, so those in
// slots may make two.
func TestRestart(t *testing.T) {
	f := newFleet(t)
	f.start(Consumer, bucket.Unlimited)
	f.restart() // while the workers wait for messages
	f.publish(0, 60, "")
	f.api.Wait(20, patience)
	f.restart() // while messages wait for their turns
	require.LessOrEqual(t, f.finish(60).Twice, 2*slots)
}

// TestMaxDeliver: a message that waits long is never delivered again if NATS counts deliveries, although its call was not
// made.
func TestMaxDeliver(t *testing.T) {
	f := newFleet(t)
	f.publish(0, 20, "")
	dead, err := f.conn.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>")
	require.NoError(t, err)
	cfg := Consumer
	cfg.MaxDeliver = 1
	f.start(cfg, bucket.Unlimited, func(s *scheduler.Scheduler) {
		require.NoError(t, s.PauseUntil(s.Now().Add(4*longest)))
	})
	for i := range 20 {
		_, err := dead.NextMsg(time.Minute)
		require.NoError(t, err, i)
	}
	require.Equal(t, 20, f.shutdown())
	require.Zero(t, f.api.Figures().Accepted)
}

// TestFailure: a message whose call fails for good is ended.
func TestFailure(t *testing.T) {
	f := newFleet(t)
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	ended, err := f.conn.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
	require.NoError(t, err)
	for _, data := range []string{`{"URL":"` + api.URL + `/jobs/0"}`, `{"URL":"none/jobs/1"}`} {
		_, err = f.js().Publish(context.Background(), "calls", []byte(data))
		require.NoError(t, err)
	}
	f.start(Consumer, bucket.Unlimited)
	for range 2 {
		_, err := ended.NextMsg(time.Minute)
		require.NoError(t, err)
	}
	require.Zero(t, f.shutdown(), "messages that are left")
}
