package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest/loopback"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// redisServer is a Redis server of a test, which may be stopped and started with nothing in it.
type redisServer struct {
	t       *testing.T
	address string
	cmd     *exec.Cmd
}

// newRedis starts a server.
func newRedis(t *testing.T) *redisServer {
	skipOrFail(t)
	address, free, err := loopback.Hold()
	require.NoError(t, err)
	t.Cleanup(free)
	r := &redisServer{t: t, address: address}
	r.start()
	t.Cleanup(r.kill)
	return r
}

// skipOrFail skips a test where Redis is not installed, and fails it if that is CI.
func skipOrFail(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		require.Empty(t, os.Getenv("CI"), "CI has to test with Redis, but there is none")
		t.Skip("there is no Redis to test with: apt-get install redis-server")
	}
}

func (r *redisServer) start() {
	_, port, _ := net.SplitHostPort(r.address)
	r.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--requirepass", "s3cret")
	require.NoError(r.t, r.cmd.Start())
	for deadline := time.After(time.Minute); ; {
		c, err := net.Dial("tcp", r.address)
		if err == nil {
			require.NoError(r.t, c.Close())
			return
		}
		select {
		case <-deadline:
			require.NoError(r.t, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (r *redisServer) kill() {
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait() // it was killed
	}
}

func (r *redisServer) budget(name string) string {
	return "redis://:s3cret@" + r.address + "?name=" + name
}

func (r *redisServer) client() rueidis.Client {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.address}, Password: "s3cret", DisableCache: true})
	require.NoError(r.t, err)
	return client
}

// TestSharedBudget checks that parts of a file that share a budget keep its quota together, of requests and of
// tokens, while the store is lost in between. Every run says so.
func TestSharedBudget(t *testing.T) {
	t.Parallel()
	const of, n, first = 3, 360, 45 // even if all of the first are one run's, it can't end with the tokens that it has bought
	redis := newRedis(t)
	st, began := newSite(t, generous, requests(n)...), time.Now()
	g := newGate(t)
	var come atomic.Int64
	st.intercept(func(_ http.ResponseWriter, line int) bool {
		if come.Add(1) > first {
			g.pass(line)
		}
		return false
	})
	runs := make([]*startedRun, of)
	for i := range runs {
		runs[i] = st.start("-rpm", "3000", "-burst", "5", "-tpm", "600000", "-token-burst", "5000",
			"-part", fmt.Sprintf("%d/%d", i+1, of), "-budget", redis.budget("demo"))
	}
	<-g.held
	client := redis.client()
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
	client.Close()
	require.NoError(t, err)
	require.Subset(t, keys, []string{"fairlead:{demo/requests}", "fairlead:{demo/tokens}"})
	redis.kill()
	g.open()
	for _, r := range runs {
		r.log.await(t, `the shared budget "demo" at redis://`+redis.address+" does not answer (")
	}
	redis.start()
	for _, r := range runs {
		sum := r.result(t)
		require.Equal(t, counts{answered: n / of}, sum.counts)
		require.Regexp(t, `\nbudget away: +(once|\d+ times), \d+`, sum.String())
		require.Contains(t, r.log.String(), "batch: the shared budget answers again after ")
		require.Contains(t, r.log.String(), "batch: the shared budget of requests is new, or its store has lost it: it sells none for ")
		require.NotContains(t, r.log.String(), "s3cret")
		require.NotContains(t, r.log.String(), "has a limit already", "all have the same")
	}
	require.Len(t, st.entries(), n)
	st.requireNoneRepeated()
	require.Zero(t, st.over(began))
}

// over returns by how many requests those to an API were ahead of a shared budget of 3000 a minute, at the worst moment. A
// new budget is empty, and first learns.
func (st *site) over(began time.Time) (most float64) {
	for i, e := range st.entries() {
		most = max(most, float64(i+1)-3000*max(0, (e.At.Sub(began)-bucket.LearnTime).Minutes()))
	}
	return most
}

// TestUnsharedBudgets checks that requests are over the quota of TestSharedBudget if it is not shared.
func TestUnsharedBudgets(t *testing.T) {
	t.Parallel()
	st, began := newSite(t, generous, requests(18)...), time.Now()
	var runs []*startedRun
	for i := range 3 {
		runs = append(runs, st.start("-rpm", "3000", "-burst", "5", "-part", fmt.Sprintf("%d/3", i+1)))
	}
	for _, r := range runs {
		r.result(t)
	}
	require.Positive(t, st.over(began))
}

// TestOtherLimitOfASharedBudget checks that a run says so if its limit is not that of the budget. A run that has ended
// has given back what it had bought.
func TestOtherLimitOfASharedBudget(t *testing.T) {
	t.Parallel()
	redis := newRedis(t)
	st := newSite(t, generous, requests(1)...)
	_, err := st.process("-part", "1/1", "-budget", redis.budget("a"))
	require.NoError(t, err)
	client := redis.client()
	second := fmt.Sprint(time.Now().Add(-time.Second).UnixMicro()) // one that left counts as if it had been silent for longer
	sharers, err := client.Do(t.Context(), client.B().Zcount().Key("fairlead:{a/requests}:processes").Min(second).Max("+inf").Build()).AsInt64()
	client.Close()
	require.NoError(t, err)
	require.Zero(t, sharers, "the run has left")
	cfg, err := parseFlags(st.args("-rpm", "600", "-burst", "7", "-budget", redis.budget("a")))
	require.NoError(t, err)
	log := newLogBuffer()
	b, err := newBatch(t.Context(), cfg, log)
	require.NoError(t, err)
	defer b.close()
	for b.s.Snapshot().Budgets[0].Store.Exchanges == 0 { // the event of the other limit comes before the run subscribes
		time.Sleep(time.Millisecond)
	}
	sum, err := b.process(t.Context(), t.Context(), log)
	require.NoError(t, err)
	require.Equal(t, counts{answered: 1}, sum.counts)
	require.Contains(t, log.String(), "batch: the shared budget of requests has a limit already, which counts instead of this command's: ")
}

// TestStoreBeforeTheSubscription checks that what a store did before there was a subscription is said, and once.
func TestStoreBeforeTheSubscription(t *testing.T) {
	var said []string
	mine, other := bucket.PerMinute(60).Burst(1), bucket.PerMinute(90).Burst(2)
	w := &storeWatch{
		name: `"a" at redis://h`, maxAway: time.Hour, say: func(s string) { said = append(said, s) },
		gone: map[string]bool{}, limits: bucket.Limits{"requests": mine, "tokens": mine}, until: map[string]time.Time{},
	}
	now := time.Now()
	from := now.Add(2 * time.Second)
	w.catchUp(scheduler.Snapshot{At: now, Budgets: []scheduler.Budget{
		{Name: "requests", Limit: mine, Store: &scheduler.StoreState{Away: true, AwaySince: now.Add(-9 * time.Second), Err: "lost"}},
		{Name: "tokens", Limit: other, Store: &scheduler.StoreState{SellsFrom: from}},
	}})
	w.addLimit(scheduler.Snapshot{Budgets: []scheduler.Budget{{Name: "tokens", Limit: other}}}, "tokens")
	w.add(events.Event{Kind: events.StoreReset, Budget: "tokens", Until: from})
	w.add(events.Event{At: now, Kind: events.StoreAway, Budget: "requests"})
	w.add(events.Event{At: now.Add(time.Second), Kind: events.StoreBack, Budget: "requests"})
	w.add(events.Event{At: now.Add(time.Second), Kind: events.StoreBack, Budget: "requests"})
	require.Equal(t, []string{
		`the shared budget "a" at redis://h does not answer (lost): requests wait until it does`,
		"the shared budget of tokens is new, or its store has lost it: it sells none for 2s",
		`the shared budget of tokens has a limit already, which counts instead of this command's: 90 a minute, 2 at once: to change it, see "Several machines" in batch's README`,
		"the shared budget answers again after 10s",
	}, said)
	require.Equal(t, "once, 10s", w.summary())
}

// TestStoreThatDoesNotAnswer checks that a run ends before it sends anything if its store can't be used.
func TestStoreThatDoesNotAnswer(t *testing.T) {
	redis := newRedis(t)
	st := newSite(t, generous, requests(1)...)
	requireRefused := func(address, want string) {
		t.Helper()
		_, err := st.process("-budget", address)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, ": check that the server runs, and the address, the user and the password")
		require.ErrorAs(t, err, new(*fileError), "exit code 2")
		require.NotContains(t, err.Error(), "s3cret")
		require.NotContains(t, err.Error(), "wr0ng")
		_, err = os.Stat(st.out)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	requireRefused("redis://:wr0ng@"+redis.address+"?name=a", "-budget \"a\" at redis://"+redis.address+": WRONGPASS")
	requireRefused("redis://"+redis.address+"?name=a", "NOAUTH")
	requireRefused("redis://:s3cret@"+redis.address+"/x/y?name=a", "invalid URL path")
	redis.kill()
	requireRefused(redis.budget("a"), "connect: connection refused")
	requireRefused("postgres://me:s3cret@"+redis.address+"/db?name=a", "-budget \"a\" at postgres://"+redis.address+": dial tcp "+redis.address+": connect: connection refused")
	require.Empty(t, st.entries())
}

// TestStoreAwayForTooLong checks that a run stops after -max-away without its store, and the same command continues.
func TestStoreAwayForTooLong(t *testing.T) {
	t.Parallel()
	redis := newRedis(t)
	st := newSite(t, generous, requests(20)...)
	r := st.start("-rpm", "60", "-burst", "1", "-budget", redis.budget("a"), "-max-away", "1s")
	st.awaitEntries(1)
	redis.kill()
	sum := r.result(t)
	require.ErrorContains(t, sum.stopped, "the shared budget did not answer for 1s, which is -max-away: see that its store runs, and the same command continues from here")
	require.Positive(t, sum.answered, r.log.String())
	require.Equal(t, 20, sum.answered+sum.todo)
}

// TestStoreWatch checks what is said about stores that are away, once for all budgets, and what the summary says.
func TestStoreWatch(t *testing.T) {
	var said []string
	var mu sync.Mutex
	gaveUp := make(chan string, 1)
	w := &storeWatch{
		name: `"a" at redis://h`, maxAway: time.Hour, gone: map[string]bool{}, until: map[string]time.Time{},
		say:    func(s string) { mu.Lock(); said = append(said, s); mu.Unlock() },
		giveUp: func(brief string, _ error) { gaveUp <- brief },
	}
	require.Empty(t, w.summary())
	require.Empty(t, (*storeWatch)(nil).summary())
	now := time.Now()
	at := func(second int, kind events.Kind, budget string, err error) {
		w.add(events.Event{At: now.Add(time.Duration(second) * time.Second), Kind: kind, Budget: budget, Err: err})
	}
	at(1, events.StoreAway, "requests", nil)
	at(2, events.StoreAway, "tokens", errors.New("lost"))
	at(3, events.StoreBack, "tokens", nil)
	at(11, events.StoreBack, "requests", nil)
	require.Equal(t, "once, 11s", w.summary())
	at(20, events.StoreAway, "tokens", errors.New("lost"))
	at(23, events.StoreBack, "tokens", nil)
	require.Equal(t, "2 times, 15s in all", w.summary())
	const away, back = `the shared budget "a" at redis://h does not answer (%s): requests wait until it does`, "the shared budget answers again after %v"
	require.Equal(t, []string{fmt.Sprintf(away, "no answer"), fmt.Sprintf(back, "11s"), fmt.Sprintf(away, "lost"), fmt.Sprintf(back, "4s")}, said)
	require.Empty(t, gaveUp)
	w.maxAway = time.Millisecond
	at(30, events.StoreAway, "tokens", nil)
	require.Equal(t, "the shared budget did not answer for 1ms", <-gaveUp)
}
