package forecast

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestPredict compares forecasts with what can be worked out by hand.
func TestPredict(t *testing.T) {
	slow := scheduler.Config{Limit: bucket.PerMinute(100).Burst(10)}
	for _, c := range []struct {
		name string
		cfg  scheduler.Config
		work []Workload
		want Forecast
	}{
		{"all at once", slow, []Workload{{Calls: 500}}, Forecast{
			Took: 294 * time.Second, MedianWait: 144 * time.Second, P99Wait: 291 * time.Second, WorstWait: 294 * time.Second,
			Totals: scheduler.Totals{Accepted: 500, Succeeded: 500, Attempts: 500}, Spent: map[string]int64{"": 500}, MostQueued: 490, MostRunning: 1,
		}},
		{"as fast as the budget", slow, []Workload{{Calls: 100, Every: 600 * time.Millisecond, Latency: time.Second}}, Forecast{
			Took:   99*600*time.Millisecond + time.Second,
			Totals: scheduler.Totals{Accepted: 100, Succeeded: 100, Attempts: 100}, Spent: map[string]int64{"": 100}, MostRunning: 2,
		}},
		{"one at a time", scheduler.Config{MaxInFlight: 1}, []Workload{{Calls: 100, Latency: time.Second}}, Forecast{
			Took: 100 * time.Second, MedianWait: 49 * time.Second, P99Wait: 98 * time.Second, WorstWait: 99 * time.Second,
			Totals: scheduler.Totals{Accepted: 100, Succeeded: 100, Attempts: 100}, Spent: map[string]int64{"": 100}, MostQueued: 99, MostRunning: 1,
		}},
		{"all fail", scheduler.Config{Retry: retry.Policy{MaxRetries: 2, Jitter: retry.None}}, []Workload{{Calls: 3, Cost: 7, Failures: 1}}, Forecast{
			Took:   3 * time.Second,
			Totals: scheduler.Totals{Accepted: 3, Exhausted: 3, Attempts: 9, Retries: 6}, Spent: map[string]int64{"": 63}, MostRunning: 3,
		}},
		{"all fail, for two seconds", scheduler.Config{Retry: retry.Policy{MaxRetries: 9, Multiplier: 1, Jitter: retry.None, MaxElapsed: 2 * time.Second}}, []Workload{{Calls: 3, Cost: 7, Failures: 1}}, Forecast{
			Took:   2 * time.Second,
			Totals: scheduler.Totals{Accepted: 3, Exhausted: 3, Attempts: 9, Retries: 6}, Spent: map[string]int64{"": 63}, MostRunning: 3,
		}},
		{"too late, too many, too dear", scheduler.Config{Limit: bucket.PerSecond(1), MaxQueued: 5, Overflow: scheduler.RefuseNew},
			[]Workload{{Calls: 4, Timeout: 2 * time.Second}, {Calls: 10}, {Calls: 1, Cost: 2}}, Forecast{
				Took: 5 * time.Second, MedianWait: 2 * time.Second, P99Wait: 4 * time.Second, WorstWait: 5 * time.Second,
				Totals: scheduler.Totals{Accepted: 6, Succeeded: 6, Refused: 9, Attempts: 6}, Spent: map[string]int64{"": 6}, MostQueued: 5, MostRunning: 1,
			}},
		{"the urgent overtake", scheduler.Config{Limit: bucket.PerSecond(1), MaxQueued: 2, Overflow: scheduler.DropLowest},
			[]Workload{{Calls: 3}, {Calls: 2, Priority: 1}}, Forecast{
				Took: 2 * time.Second, MedianWait: time.Second, P99Wait: time.Second, WorstWait: 2 * time.Second,
				Totals: scheduler.Totals{Accepted: 5, Succeeded: 3, Dropped: 2, Attempts: 3}, Spent: map[string]int64{"": 3}, MostQueued: 2, MostRunning: 1,
			}},
		{"from an empty budget", scheduler.Config{Limit: bucket.PerSecond(1), Level: &bucket.State{}}, []Workload{{Calls: 1}}, Forecast{
			Took: time.Second, MedianWait: time.Second, P99Wait: time.Second, WorstWait: time.Second,
			Totals: scheduler.Totals{Accepted: 1, Succeeded: 1, Attempts: 1}, Spent: map[string]int64{"": 1}, MostQueued: 1, MostRunning: 1,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Predict(c.cfg, c.work...)
			require.NoError(t, err)
			requireSamples(t, got)
			c.want.Limits, got.Samples = bucket.Limits{"": c.cfg.Limit.WithDefaults()}, nil
			require.Len(t, got.Parts, len(c.work))
			got.Parts = nil
			require.Equal(t, c.want, got)
		})
	}
}

// requireSamples checks that the samples begin with the initial budget, go forward and reach the
// end.
func requireSamples(t *testing.T, f Forecast) {
	t.Helper()
	require.LessOrEqual(t, len(f.Samples), maxSamples+1)
	require.Zero(t, f.Samples[0].At)
	require.Zero(t, f.Samples[0].Attempts)
	for i, s := range f.Samples[1:] {
		before := f.Samples[i]
		require.True(t, before.At <= s.At && before.Attempts <= s.Attempts && before.Ended <= s.Ended, "%+v %+v", before, s)
		require.True(t, 0 <= s.Available[0] && s.Available[0] <= f.Limits[""].Capacity, "%+v", s)
		require.LessOrEqual(t, s.Queued, f.MostQueued)
		require.LessOrEqual(t, s.Running, f.MostRunning)
	}
	last := f.Samples[len(f.Samples)-1]
	require.Equal(t, Sample{At: f.Took, Available: last.Available, Attempts: f.Totals.Attempts, Ended: f.Totals.Accepted + f.Totals.Refused}, last)
}

// TestPredictIsWhatHappens checks that a real scheduler takes exactly as long as predicted, for all
// calls together and for the slowest.
func TestPredictIsWhatHappens(t *testing.T) {
	cfg := scheduler.Config{
		Limit: bucket.PerMinute(70).Burst(5), MaxInFlight: 8,
		Retry: retry.Policy{MaxRetries: 3, Initial: 700 * time.Millisecond, Seed: 7},
	}
	for _, work := range []Workload{
		{Calls: 60, Every: 100 * time.Millisecond, Cost: 2, Latency: 3 * time.Second},
		{Calls: 40, Every: time.Second, Latency: 50 * time.Millisecond, Failures: 1},
	} {
		want, err := Predict(cfg, work)
		require.NoError(t, err)
		synctest.Test(t, func(t *testing.T) {
			s, err := scheduler.New(cfg)
			require.NoError(t, err)
			start := time.Now()
			var handles []*scheduler.Handle
			for i := range work.Calls {
				time.Sleep(time.Until(start.Add(time.Duration(i) * work.Every)))
				h, err := s.Submit(t.Context(), func(context.Context) error {
					time.Sleep(work.Latency)
					if work.Failures == 1 {
						return retry.Transient(errPredicted)
					}
					return nil
				}, scheduler.Cost(max(1, work.Cost)))
				require.NoError(t, err)
				handles = append(handles, h)
			}
			for _, h := range handles {
				<-h.Done()
			}
			require.Equal(t, want.Took, time.Since(start))
			if work.Failures == 0 { // without retries, a wait is the time before the first start
				worst := time.Duration(0)
				for _, h := range handles {
					worst = max(worst, h.Times().Total()-h.Times().Run)
				}
				require.Equal(t, want.WorstWait, worst)
			}
			require.Equal(t, want.Totals, s.Snapshot().Totals)
			s.Close()
		})
	}
}

// TestPredictSeveralBudgets predicts a workload that is short of tokens, and one short of requests.
func TestPredictSeveralBudgets(t *testing.T) {
	cfg := scheduler.Config{Limits: bucket.Limits{"requests": bucket.PerMinute(60), "tokens": bucket.PerMinute(6000)}}
	f, err := Predict(cfg, Workload{Calls: 120, Costs: map[string]int64{"tokens": 200}})
	require.NoError(t, err)
	require.Equal(t, 3*time.Minute, f.Took)
	require.Equal(t, map[string]int64{"requests": 120, "tokens": 24_000}, f.Spent)
	require.Equal(t, cfg.Limits, f.Limits)
	require.Equal(t, []int64{60, 6000}, f.Samples[0].Available)
	f, err = Predict(cfg, Workload{Calls: 120, Costs: map[string]int64{"tokens": 50}})
	require.NoError(t, err)
	require.Equal(t, time.Minute, f.Took)
	var b bytes.Buffer
	require.NoError(t, f.WriteSVG(&b))
	require.Contains(t, b.String(), "Forecast: requests 60 per 1m0s, capacity 60; tokens 6000 per 1m0s, capacity 6000")
}

// TestPredictDraws checks that random parts have the given probabilities and are the same each
// time.
func TestPredictDraws(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerSecond(1_000_000), Retry: retry.Policy{MaxRetries: 1}}
	work := Workload{Calls: 20_000, Every: time.Millisecond, Cost: 10, MaxCost: 20, Latency: time.Second, MaxLatency: 3 * time.Second, Failures: 0.25}
	f, err := Predict(cfg, work)
	require.NoError(t, err)
	require.InDelta(t, 0.25, float64(f.Totals.Retries)/20_000, 0.01)
	require.InDelta(t, 0.25*0.25, float64(f.Totals.Exhausted)/20_000, 0.01)
	require.InDelta(t, 15, float64(f.Spent[""])/float64(f.Totals.Attempts), 0.1)
	require.InDelta(t, 2000*1.25, f.MostRunning, 250, "by Little's law")
	requireSamples(t, f)

	again, err := Predict(cfg, work)
	require.NoError(t, err)
	require.Equal(t, f, again)
	cfg.Retry.Seed = 1
	other, err := Predict(cfg, work)
	require.NoError(t, err)
	require.NotEqual(t, f.Spent, other.Spent)
}

// TestPredictRefuses checks that Predict names each fault of its arguments.
func TestPredictRefuses(t *testing.T) {
	_, err := Predict(scheduler.Config{})
	require.ErrorContains(t, err, "at least one Workload")
	_, err = Predict(scheduler.Config{MaxQueued: -1}, Workload{Every: -1, Latency: -1, MaxLatency: -1, Timeout: -1, Cost: -1, Failures: math.NaN()})
	for _, fault := range []string{"MaxQueued", "workload 1", "Calls is 0", "Every", "Latency is", "MaxLatency", "Timeout", "Cost is -1", "Failures is NaN"} {
		require.ErrorContains(t, err, fault)
	}
	_, err = Predict(scheduler.Config{Limits: bucket.Limits{"a": {}}}, Workload{Calls: 1, Costs: map[string]int64{"": 1, "a": -1, "b": 1}})
	require.ErrorIs(t, err, scheduler.ErrNoBudget)
	for _, fault := range []string{`Costs[""]`, `Costs["a"] is -1`, `Costs["b"]`} {
		require.ErrorContains(t, err, fault)
	}
	_, err = Predict(scheduler.Config{Limit: bucket.Limit{Capacity: 1, Refill: 1, Per: bucket.Forever}}, Workload{Calls: 3})
	require.ErrorContains(t, err, "takes more than")
}

// TestForecastSVG checks that the chart is well-formed and stays within its frame.
func TestForecastSVG(t *testing.T) {
	for _, work := range []Workload{
		{Calls: 1}, // takes no time at all
		{Calls: 5000, Failures: 0.2, Latency: time.Minute},
		{Calls: 3, Cost: 1001}, // none is accepted
	} {
		f, err := Predict(scheduler.Config{}, work)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, f.WriteSVG(&b))
		lines := 0
		for d := xml.NewDecoder(&b); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" && e.Attr[0].Value != "grid" {
				lines++
				requireWithin(t, e.Attr[1].Value)
			}
		}
		require.Equal(t, 6, lines)
	}
	require.ErrorIs(t, Forecast{}.WriteSVG(brokenWriter{}), io.ErrShortWrite)

	odd := "<a>\x1b\x00\u009b\xff&"
	f, err := Predict(scheduler.Config{Limits: bucket.Limits{odd: bucket.PerMinute(5)}}, Workload{Calls: 10})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, f.WriteSVG(&b))
	require.Contains(t, b.String(), "&lt;a&gt;\ufffd\ufffd\ufffd\ufffd&amp;")
	require.NoError(t, xml.Unmarshal(b.Bytes(), new(struct{})), "the chart has no control characters")
}

func requireWithin(t *testing.T, path string) {
	t.Helper()
	for point := range bytes.SplitSeq([]byte(path[1:]), []byte("L")) {
		var x, y float64
		_, err := fmt.Sscan(string(point), &x, &y)
		require.NoError(t, err, path)
		require.True(t, x >= chartLeft && x <= chartLeft+chartInner+0.1 && y >= chartTop && y <= chartBottom+0.1, "%v %v", x, y)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestAxis checks that an axis has few marks, at round numbers.
func TestAxis(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.3: 1, 1: 1, 3: 5, 7: 10, 10: 10, 150: 200, 1999: 2000, 2001: 5000} {
		require.Equal(t, want, roundStep(v), v)
	}
	for d, want := range map[time.Duration]time.Duration{
		3: 5, 30 * time.Millisecond: 50 * time.Millisecond, 7 * time.Second: 10 * time.Second, 16 * time.Second: 30 * time.Second,
		31 * time.Second: time.Minute, 40 * time.Minute: time.Hour, 5 * time.Hour: 6 * time.Hour, 13 * time.Hour: 24 * time.Hour, 72 * time.Hour: 120 * time.Hour,
	} {
		require.Equal(t, want, time.Duration(roundTime(float64(d))), d)
	}
	for d, want := range map[time.Duration]string{0: "0s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m", 6 * time.Hour: "6h", 90 * time.Minute: "1h30m", 24 * time.Hour: "24h", 72 * time.Hour: "3d"} {
		require.Equal(t, want, shortTime(d))
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1500: "1.5k", 2e6: "2M", 5e9: "5G"} {
		require.Equal(t, want, short(v))
	}
}

// BenchmarkPredict predicts 50,000 calls of which one attempt in ten fails.
func BenchmarkPredict(b *testing.B) {
	for b.Loop() {
		f, err := Predict(scheduler.Config{}, Workload{Calls: 50_000, Failures: 0.1, Latency: time.Second})
		if err != nil || f.Totals.Accepted != 50_000 {
			b.Fatal(errors.Join(err, errPredicted))
		}
	}
}

// TestPredictQuota checks that a forecast with a Reset goes by the time of day.
func TestPredictQuota(t *testing.T) {
	evening := time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC)
	mock := clocktest.NewMock()
	mock.Set(evening)
	daily := bucket.Daily(1000, "America/Los_Angeles") // it is noon there
	f, err := Predict(scheduler.Config{Limit: daily, Clock: mock}, Workload{Calls: 2500})
	require.NoError(t, err)
	require.Equal(t, 12*time.Hour+23*time.Hour, f.Took, "a day of 23 hours")
	require.Equal(t, 12*time.Hour, f.MedianWait)
	require.Equal(t, Sample{At: 35 * time.Hour, Available: []int64{500}, Attempts: 2500, Ended: 2500}, f.Samples[len(f.Samples)-1])
	var b bytes.Buffer
	require.NoError(t, f.WriteSVG(&b))
	require.Contains(t, b.String(), "1000 at once every day at 00:00 America/Los_Angeles")

	level := bucket.State{Tokens: 200, At: evening}
	f, err = Predict(scheduler.Config{Limit: daily, Level: &level}, Workload{Calls: 300})
	require.NoError(t, err)
	require.Equal(t, 12*time.Hour, f.Took)
	mock.Add(12 * time.Hour)
	f, err = Predict(scheduler.Config{Limit: daily, Level: &level, Clock: mock}, Workload{Calls: 300})
	require.NoError(t, err)
	require.Zero(t, f.Took, "midnight was since")
	_, err = Predict(scheduler.Config{Limit: daily}, Workload{Calls: 300})
	require.ErrorContains(t, err, "set Config.Clock")
}

func TestPredictNoStore(t *testing.T) {
	_, err := Predict(scheduler.Config{Store: storetest.NewMemory(time.Now)}, Workload{Calls: 1})
	require.ErrorContains(t, err, "forecast: Config has a Store")
}
