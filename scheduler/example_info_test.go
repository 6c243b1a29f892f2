package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// newModels returns a scheduler with short waits between attempts.
func newModels() *scheduler.Scheduler {
	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{Initial: time.Millisecond}})
	if err != nil {
		panic(err)
	}
	return s
}

// A function may ask another model at its third attempt, and tell the server which attempt this is.
func ExampleCallInfo() {
	s := newModels()
	defer s.Close()
	err := s.Do(context.Background(), func(ctx context.Context) error {
		info, _ := scheduler.CallInfo(ctx)
		model := "large"
		if info.Attempt >= 3 {
			model = "small"
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/"+model, nil)
		if err != nil {
			return err
		}
		req.Header.Set("X-Request-ID", fmt.Sprintf("%s-%d-%d", info.Name, info.Call, info.Attempt))
		fmt.Println(req.URL.Path, req.Header)
		if model == "large" { // a real function sends the request here
			return retry.Transient(errors.New("overloaded"))
		}
		return nil
	}, scheduler.Name("summary"), scheduler.Cost(20))
	fmt.Println(err)
	// Output:
	// /large map[X-Request-Id:[summary-1-1]]
	// /large map[X-Request-Id:[summary-1-2]]
	// /small map[X-Request-Id:[summary-1-3]]
	// <nil>
}

// callHandler adds the call and the attempt to each record that is logged with the context of a call.
type callHandler struct{ slog.Handler }

func (h callHandler) Handle(ctx context.Context, r slog.Record) error {
	if info, ok := scheduler.CallInfo(ctx); ok {
		r.AddAttrs(slog.Uint64("call", info.Call), slog.String("name", info.Name), slog.Int("attempt", info.Attempt))
	}
	return h.Handler.Handle(ctx, r)
}

func (h callHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return callHandler{h.Handler.WithAttrs(attrs)}
}

func (h callHandler) WithGroup(name string) slog.Handler {
	return callHandler{h.Handler.WithGroup(name)}
}

// A slog.Handler can add the call to log lines that know nothing of the scheduler.
func ExampleCallInfo_slog() {
	s := newModels()
	defer s.Close()
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(callHandler{slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})})
	h, err := s.Submit(context.Background(), func(ctx context.Context) error {
		log.InfoContext(ctx, "rows read", "rows", 12)
		return nil
	}, scheduler.Name("import"))
	if err != nil {
		panic(err)
	}
	<-h.Done()
	// Output: level=INFO msg="rows read" rows=12 call=1 name=import attempt=1
}

// The zero time of a grant says that Do did not wait for its first attempt.
func ExampleInfo() {
	s := newModels()
	defer s.Close()
	err := s.Do(context.Background(), func(ctx context.Context) error {
		info, ok := scheduler.CallInfo(ctx)
		age := time.Duration(0)
		if !info.Granted.IsZero() {
			age = time.Since(info.Granted)
		}
		fmt.Println(ok, info.Call, info.Name, info.Attempt, info.Cost, age < time.Minute)
		return nil
	}, scheduler.Name("summary"), scheduler.Cost(20))
	fmt.Println(err)
	// Output:
	// true 1 summary 1 20 true
	// <nil>
}
