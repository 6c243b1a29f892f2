package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// producers is how many goroutines of a child submit calls.
const producers = 4

// plan tells a child what to do. It comes on the standard input.
type plan struct {
	Do      string // in plans
	Path    string
	URL     string // of the server that the handler calls
	Life    int
	Seed    uint64
	Rate    int64          // of the limit, in tokens a second
	Backoff time.Duration  // the first
	Clock   time.Duration  // how far the clock is ahead
	Next    [producers]int // which call each producer submits first
	Pending []string       // calls that were acknowledged in earlier lives, and whose end was not seen
	Close   time.Duration  // when to close the journal; 0 means never
	Last    bool           // submit nothing, and end when all calls have ended
}

// plans has what a child can be told to do.
var plans = map[string]func(*plan){"work": (*plan).work, "poison": (*plan).poison, "slow": (*plan).slow, "hold": (*plan).hold}

func init() { children["plan"] = carryOut }

// carryOut does what the process that has started this one wants.
func carryOut() {
	p := new(plan)
	if err := json.NewDecoder(os.Stdin).Decode(p); err != nil {
		fail(err)
	}
	plans[p.Do](p)
}

// say writes a line to the parent. A process that is killed has written it whole or not at all.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// fail tells the parent what must not be.
func fail(err error) {
	say("fault %v", err)
	os.Exit(1)
}

// shifted is a clock that is ahead of another one.
type shifted struct {
	clock.Clock
	by time.Duration
}

func (c shifted) Now() time.Time { return c.Clock.Now().Add(c.by) }

// open opens the journal.
func (p *plan) open(cfg Config) *Journal {
	cfg.Scheduler.Clock = shifted{clock.System(), p.Clock}
	say("opening")
	j, err := Open(p.Path, cfg)
	if err != nil {
		fail(err)
	}
	for _, b := range j.s.Snapshot().Budgets {
		if b.Available > b.Limit.Capacity {
			fail(fmt.Errorf("%d tokens are left of %d", b.Available, b.Limit.Capacity))
		}
	}
	r := j.Report()
	if len(r.Damaged) > 0 {
		fail(fmt.Errorf("damaged: %+v", r.Damaged))
	}
	say("opened %d", r.Suspects)
	return j
}

// config is the configuration of the journal in work. Its calls exceed the limit.
func (p *plan) config() Config {
	return Config{
		Handlers: Handlers{"post": p.post}, KeepEnded: 1 << 20, KeepFor: 1000 * time.Hour, // the last life looks for each
		MaxCrashes: 10_000, // a disk may be too slow for the end of a call in 20 lives of 50 ms
		Scheduler: scheduler.Config{
			Limit: bucket.PerSecond(p.Rate).Burst(burst), MaxInFlight: 8, Classify: retry.Network,
			Retry: retry.Policy{Initial: p.Backoff, Max: 20 * time.Millisecond, MaxServerWait: 20 * time.Millisecond},
		},
	}
}

// burst is the capacity of the limit of work.
const burst = 20

// post sends the call to the server.
func (p *plan) post(ctx context.Context, payload []byte) error {
	info, _ := CallInfo(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"Id": info.ID, "Attempt": strconv.Itoa(info.Attempt), "Repeated": strconv.FormatBool(info.Repeated), "Life": strconv.Itoa(p.Life),
	} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		return retry.Transient(errBusy)
	}
	return errors.Join(err, Result(ctx, answer))
}

// work submits calls until the journal is closed, and tells of each that is acknowledged and of each that has ended.
func (p *plan) work() {
	j := p.open(p.config())
	var all sync.WaitGroup
	for _, id := range p.Pending {
		all.Go(func() { p.await(j, id) })
	}
	if p.Close > 0 {
		all.Go(func() {
			<-time.After(p.Close)
			ctx, cancel := context.WithTimeout(context.Background(), p.Close/4)
			defer cancel()
			say("closing")
			if err := j.Close(ctx); err != nil {
				fail(err)
			}
		})
	}
	for i := range producers {
		if !p.Last {
			all.Go(func() { p.produce(j, i) })
		}
	}
	if p.Last {
		defer time.AfterFunc(4*time.Minute, func() { fail(fmt.Errorf("not all calls have ended: %v", j.s.Snapshot())) }).Stop()
	}
	all.Wait()
	if p.Last {
		p.finish(j)
	}
	say("done")
}

// finish closes a journal when its calls have ended, also those that were accepted and not acknowledged.
func (p *plan) finish(j *Journal) {
	if err := j.s.WaitIdle(context.Background()); err != nil {
		fail(err)
	}
	for l, err := range j.Dead() {
		fail(fmt.Errorf("a dead letter: %v %w", l, err))
	}
	if err := j.Close(context.Background()); err != nil {
		fail(err)
	}
}

// await tells when a call has ended.
func (p *plan) await(j *Journal, id string) {
	result, err := j.Wait(context.Background(), id)
	switch {
	case errors.Is(err, ErrClosed):
	case err != nil:
		fail(fmt.Errorf("%s: %w", id, err))
	case string(result) != answerTo(id):
		fail(fmt.Errorf("%s has the result %q", id, result))
	default:
		say("end %s", id)
	}
}

// produce submits calls one after another. Sometimes its context ends too soon, and it submits the call again.
func (p *plan) produce(j *Journal, producer int) {
	rnd := rand.New(rand.NewPCG(p.Seed, uint64(producer)))
	open := make(chan struct{}, 8)
	for i := p.Next[producer]; ; i++ {
		open <- struct{}{}
		id := fmt.Sprintf("%d-%d", producer, i)
		for {
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if rnd.IntN(8) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(3_000_000)))
			}
			_, err := j.Submit(ctx, Call{ID: id, Handler: "post", Payload: payloadOf(id), Priority: i % 2})
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			if errors.Is(err, ErrClosed) {
				return
			}
			if err != nil {
				fail(fmt.Errorf("%s: %w", id, err))
			}
			break
		}
		say("ack %s", id)
		go func() {
			p.await(j, id)
			<-open
		}()
	}
}

// payloadOf returns the payload of a call.
func payloadOf(id string) []byte { return bytes.Repeat([]byte(id), 20) }

// answerTo returns what the server answers to a call.
func answerTo(id string) string { return "done: " + id }
