package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/google/go-github/v92/github"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// api is a server that refuses one request in three, like the API that it imitates.
type api struct {
	*httptest.Server
	requests, refused atomic.Int64
}

func play(t *testing.T, refuse func(http.ResponseWriter), answer http.HandlerFunc) *api {
	a := new(api)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.requests.Add(1)%3 == 1 { // including the first
			a.refused.Add(1)
			refuse(w)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// check compares the counts of the server and the scheduler.
func (a *api) check(t *testing.T, s *counted, calls int) {
	t.Helper()
	n := s.count()
	require.EqualValues(t, a.requests.Load(), n[events.Granted])
	require.EqualValues(t, a.refused.Load(), n[events.Retrying])
	require.Positive(t, n[events.Retrying])
	require.Equal(t, calls, n[events.Succeeded])
}

// runAll makes n calls at once.
func runAll(t *testing.T, n int, call func(context.Context) error) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := call(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// budgets returns a configuration with short waits and budgets that are never full, so that all given back
// tokens show.
func budgets(names ...string) scheduler.Config {
	cfg := scheduler.Config{MaxInFlight: 8, Limits: bucket.Limits{}, Levels: map[string]bucket.State{}}
	for _, name := range names {
		cfg.Limits[name] = bucket.PerSecond(1_000_000).Burst(1_000_000_000)
		cfg.Levels[name] = bucket.State{}
	}
	return cfg
}

// paid returns what all calls have taken from a budget.
func (c *counted) paid(budget string) int64 {
	for _, b := range c.Snapshot().Budgets {
		if b.Name == budget {
			return b.Ledger.Spent - b.Ledger.Refunded
		}
	}
	return -1
}

const refusedByOpenAI = `{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}`

func refuseAsOpenAI(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Ratelimit-Limit-Requests", "500")
	w.Header().Set("Retry-After-Ms", "20")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, refusedByOpenAI)
}

// openAI returns OpenAI's client, with its own retries turned off.
func openAI(url string, c *http.Client) openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey("none"), option.WithHTTPClient(c), option.WithMaxRetries(0))
}

var hello = openai.ChatCompletionNewParams{
	Model: "gpt-4", MaxTokens: openai.Int(500), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
}

// TestOpenAI checks that OpenAI's client gets all completions, whole or as streams that are not read to the end,
// and that each pays what it has used.
func TestOpenAI(t *testing.T) {
	const usage = `"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}`
	server := play(t, refuseAsOpenAI, func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Stream   bool
			Messages []struct{ Content string }
		}
		if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked.Messages) != 1 || asked.Messages[0].Content != "hello" {
			t.Errorf("it was asked %+v", asked)
		}
		if asked.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\ndata: {\"choices\":[],%s}\n\ndata: [DONE]\n\n", usage)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","content":"hi"}}],%s}`, usage)
	})
	s := schedule(t, budgets("requests", "tokens"))
	client := openAI(server.URL, s.client(t, ratehttp.Transport{Tokens: new(ratehttp.Tokens)}))
	runAll(t, 20, func(ctx context.Context) error {
		done, err := client.Chat.Completions.New(ctx, hello)
		if err == nil && done.Choices[0].Message.Content != "hi" {
			err = errors.New(done.RawJSON())
		}
		return err
	})
	runAll(t, 20, func(ctx context.Context) error {
		stream := client.Chat.Completions.NewStreaming(ctx, hello)
		text := ""
		for stream.Next() {
			for _, c := range stream.Current().Choices {
				text += c.Delta.Content
			}
		}
		if text != "hi" {
			return fmt.Errorf("the stream was %q: %w", text, stream.Err())
		}
		return errors.Join(stream.Err(), stream.Close())
	})
	require.EqualValues(t, server.requests.Load(), s.paid("requests"))
	refused := s.paid("tokens") - 40*12
	require.Greater(t, refused, server.refused.Load()*500, "what was refused has paid the estimate")
	require.Less(t, refused, server.refused.Load()*600)
	server.check(t, s, 40)
}

// TestOpenAIExhausted checks that the client returns its own error when retries are exhausted.
func TestOpenAIExhausted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuseAsOpenAI(w) }))
	t.Cleanup(server.Close)
	s := schedule(t, budgets("requests", "tokens"))
	policy := manyRetries
	policy.MaxRetries = 2
	client := openAI(server.URL, s.client(t, ratehttp.Transport{
		Options: func(*http.Request) []scheduler.Option { return []scheduler.Option{scheduler.Retry(policy)} },
	}))
	_, err := client.Chat.Completions.New(context.Background(), hello)
	var refused *openai.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.Equal(t, "rate_limit_exceeded", refused.Code)
	require.Equal(t, 3, s.count()[events.Granted])
}

// TestAnthropic checks Anthropic's client, with three budgets.
func TestAnthropic(t *testing.T) {
	server := play(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After-Ms", "20")
		w.WriteHeader(529)
		_, _ = io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
	}, func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Stream bool }
		if json.NewDecoder(r.Body).Decode(&asked) != nil {
			t.Error("it was not asked in JSON")
		}
		if asked.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, ev := range [][2]string{
				{"message_start", `{"type":"message_start","message":{"type":"message","role":"assistant","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}`},
				{"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`},
				{"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}`},
				{"content_block_stop", `{"type":"content_block_stop","index":0}`},
				{"message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}`},
				{"message_stop", `{"type":"message_stop"}`},
			} {
				fmt.Fprintf(w, "event: %s\ndata: %s\n\n", ev[0], ev[1])
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":25,"output_tokens":15}}`)
	})
	s := schedule(t, budgets("requests", "input-tokens", "output-tokens"))
	httpClient := s.client(t, ratehttp.Transport{
		Tokens:     new(ratehttp.Tokens),
		Repeatable: func(ratehttp.Attempt) bool { return true }, // for status 529
	})
	client := anthropic.NewClient(anthropicoption.WithBaseURL(server.URL), anthropicoption.WithAPIKey("none"),
		anthropicoption.WithHTTPClient(httpClient), anthropicoption.WithMaxRetries(0))
	ask := anthropic.MessageNewParams{Model: "claude", MaxTokens: 100, Messages: []anthropic.MessageParam{
		anthropic.NewUserMessage(anthropic.NewTextBlock("hello")),
	}}
	runAll(t, 20, func(ctx context.Context) error {
		message, err := client.Messages.New(ctx, ask)
		if err == nil && message.Content[0].Text != "hi" {
			err = errors.New(message.RawJSON())
		}
		return err
	})
	runAll(t, 20, func(ctx context.Context) error {
		stream := client.Messages.NewStreaming(ctx, ask)
		var message anthropic.Message
		for stream.Next() {
			if err := message.Accumulate(stream.Current()); err != nil {
				return err
			}
		}
		if stream.Err() == nil && message.Content[0].Text != "hi" {
			return errors.New("the stream was " + message.RawJSON())
		}
		return errors.Join(stream.Err(), stream.Close())
	})
	require.EqualValues(t, 40*15+server.refused.Load()*100, s.paid("output-tokens"))
	server.check(t, s, 40)
}

// TestGitHub checks both kinds of GitHub's refusals, which are 403. By default, GitHub's client would not ask
// before the reset.
func TestGitHub(t *testing.T) {
	secondary := false
	server := play(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		if secondary = !secondary; secondary {
			w.Header().Set("Retry-After", "1")
		} else {
			w.Header().Set("X-Ratelimit-Limit", "5000")
			w.Header().Set("X-Ratelimit-Remaining", "0")
			w.Header().Set("X-Ratelimit-Reset", fmt.Sprint(unixIn(1)))
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"API rate limit exceeded"}`)
	}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":7,"name":"here"}`)
	})
	s := schedule(t, scheduler.Config{Limit: fast, MaxInFlight: 1})
	url := server.URL + "/"
	client, err := github.NewClient(github.WithHTTPClient(s.client(t, ratehttp.Transport{})), github.WithURLs(&url, &url), github.WithDisableRateLimitCheck())
	require.NoError(t, err)
	runAll(t, 6, func(ctx context.Context) error {
		repo, _, err := client.Repositories.Get(ctx, "some", "here")
		if err == nil && repo.GetID() != 7 {
			err = errors.New(repo.String())
		}
		return err
	})
	server.check(t, s, 6)
}
