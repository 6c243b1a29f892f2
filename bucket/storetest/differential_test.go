package storetest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
)

// exchange is what Differential tests.
type exchange func(run string, now int64, a bucket.Ask) (bucket.Answer, error)

// shared returns the exchange of a store that answers as it should, except that change may change each ask.
func shared(change func(s *bucket.Shared, a *bucket.Ask)) exchange {
	var s bucket.Shared
	return func(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
		change(&s, &a)
		return s.Exchange(run, now, a), nil
	}
}

// TestDifferentialPasses: Shared answers as Shared does.
func TestDifferentialPasses(t *testing.T) {
	for seed := range uint64(200) {
		storetest.Differential(t, seed, 300, shared(func(*bucket.Shared, *bucket.Ask) {}))
	}
}

// TestDifferentialFinds: a store that is wrong in one detail is found, by any ten seeds.
func TestDifferentialFinds(t *testing.T) {
	epoch := func(s *bucket.Shared, run string, now int64) string {
		return s.Clone().Exchange(run, now, bucket.Ask{Process: "reads the epoch", Seq: 1}).Epoch
	}
	for name, broken := range map[string]func() exchange{
		"executes an ask that comes twice": func() exchange {
			seq := uint64(0)
			return shared(func(_ *bucket.Shared, a *bucket.Ask) { seq++; a.Seq = seq })
		},
		"takes tokens back of any epoch": func() exchange {
			var s bucket.Shared
			return func(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
				if a.Back > 0 {
					a.Epoch = epoch(&s, run, now)
				}
				return s.Exchange(run, now, a), nil
			}
		},
		"does not see that it was restarted": func() exchange {
			var s bucket.Shared
			return func(_ string, now int64, a bucket.Ask) (bucket.Answer, error) {
				got := s.Exchange("", now, a)
				got.Epoch += "run-0"
				return got, nil
			}
		},
		"counts in float32": func() exchange {
			var s bucket.Shared
			return func(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
				got := s.Exchange(run, now, a)
				got.Part = int64(float32(got.Part))
				return got, nil
			}
		},
		"does not charge what processes hold": func() exchange {
			return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.Mine = 0 })
		},
		"sells no big call at once": func() exchange {
			return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.Least = 0 })
		},
		"forgets charges":  func() exchange { return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.Charge = 0 }) },
		"does not hold":    func() exchange { return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.Hold = 0 }) },
		"never forgets":    func() exchange { return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.Leave = false }) },
		"takes any limit":  func() exchange { return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.Version = 1 }) },
		"does not observe": func() exchange { return shared(func(_ *bucket.Shared, a *bucket.Ask) { a.HasRemaining = false }) },
		"fails": func() exchange {
			return func(string, int64, bucket.Ask) (bucket.Answer, error) { return bucket.Answer{}, fmt.Errorf("away") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			for first := uint64(0); first < 100; first += 10 {
				failed := ""
				for seed := first; seed < first+10 && failed == ""; seed++ {
					failed = failure(t, func(tb testing.TB) { storetest.Differential(tb, seed, 1000, broken()) })
				}
				require.Contains(t, failed, "want ")
			}
		})
	}
}

// fatal is a test that panics with its failure.
type fatal struct{ testing.TB }

func (f fatal) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// failure returns how a test fails, or "".
func failure(t *testing.T, test func(testing.TB)) (message string) {
	defer func() {
		if p := recover(); p != nil {
			message = p.(string)
		}
	}()
	test(fatal{t})
	return ""
}
