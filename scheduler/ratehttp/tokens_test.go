package ratehttp_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// slow is a limit that does not refill during a test.
var slow = bucket.Limit{Capacity: 1000, Refill: 1, Per: time.Hour}

// ask posts JSON, in a body with or without GetBody.
func ask(t *testing.T, url, body string, again bool) *http.Request {
	req := request(t, "POST", url, body)
	if !again {
		req.Body, req.GetBody = io.NopCloser(once{strings.NewReader(body)}), nil
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return req
}

// left returns the tokens in each budget.
func left(s *scheduler.Scheduler) map[string]int64 {
	all := map[string]int64{}
	for _, b := range s.Snapshot().Budgets {
		all[b.Name] = b.Available
	}
	return all
}

// TestEstimate checks the cost of a request before it is sent.
func TestEstimate(t *testing.T) {
	const question = `{"messages":[{"content":"Grüße, \"max_tokens\": 7","max_tokens":8}],`
	for name, c := range map[string]struct {
		tokens ratehttp.Tokens
		body   string
		input  int64 // 0 for one token per 4 bytes, rounded up, where an escape counts a byte less
		output int64
	}{
		"input alone":            {body: question + `"n":1}`, output: 0},
		"max_tokens":             {body: question + `"max_tokens":100}`, output: 100},
		"max_completion_tokens":  {body: question + `"max_completion_tokens" : 100 }`, output: 100},
		"max_output_tokens":      {body: question + "\"max_output_tokens\"\n:\t100}", output: 100},
		"the largest":            {body: question + `"max_tokens":100,"max_completion_tokens":200}`, output: 200},
		"one that is assumed":    {tokens: ratehttp.Tokens{Output: 50}, body: question + `"n":1}`, output: 50},
		"not if it is said":      {tokens: ratehttp.Tokens{Output: 50}, body: question + `"max_tokens":0}`, output: 0},
		"no number":              {body: question + `"max_tokens":"9"}`, output: 0},
		"nor a fraction":         {body: question + `"max_tokens":9.5}`, output: 0},
		"several answers":        {body: question + `"n":3,"max_tokens":100}`, output: 300},
		"Gemini's":               {body: question + `"generationConfig":{"candidateCount":2,"maxOutputTokens":100}}`, output: 200},
		"assumed of each":        {tokens: ratehttp.Tokens{Output: 50}, body: question + `"n":3}`, output: 150},
		"an image":               {body: `{"max_tokens":3,"url":"data:image/png;base64,` + strings.Repeat("A", 9000) + `"}`, input: 12 + 1000, output: 3},
		"nor less than nothing":  {body: question + `"max_tokens":-9}`, output: 0},
		"counted by another":     {tokens: ratehttp.Tokens{Count: func(b []byte) int64 { return int64(len(b)) }}, body: `{"max_tokens":3}`, input: 16, output: 3},
		"counted as nonsense":    {tokens: ratehttp.Tokens{Count: func([]byte) int64 { return -1 }}, body: `{"max_tokens":3}`, input: -1, output: 3},
		"more than is looked at": {tokens: ratehttp.Tokens{MaxBody: 20}, body: `{"max_tokens":3,"input":"` + strings.Repeat("x", 75), output: 3},
	} {
		for _, again := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
					b, err := io.ReadAll(r.Body)
					if err != nil || string(b) != c.body {
						t.Errorf("%q, %v", b, err)
					}
				})
				s := open(t, scheduler.Config{Limit: bucket.Limit{Capacity: 2000, Refill: 1, Per: time.Hour}})
				res, err := client(t, &ratehttp.Transport{Scheduler: s, Tokens: &c.tokens}).Do(ask(t, srv.URL, c.body, again))
				require.Empty(t, text(t, res, err))
				if c.input == 0 {
					c.input = int64(len(c.body)-strings.Count(c.body, `\`)+3) / 4
				}
				require.Equal(t, max(0, c.input)+c.output, s.Snapshot().Ledger.Spent)
				idle(t, s, srv)
			})
		}
	}
}

// TestNoTokens checks that a body that is not JSON costs no tokens.
func TestNoTokens(t *testing.T) {
	srv := answers(t, "200")
	s := open(t, scheduler.Config{Limits: bucket.Limits{"requests": slow, "tokens": slow}})
	c := client(t, &ratehttp.Transport{Scheduler: s, Tokens: new(ratehttp.Tokens)})
	res, err := c.Get(srv.URL)
	_ = text(t, res, err)
	res, err = c.Post(srv.URL, "audio/wav", strings.NewReader("ping"))
	_ = text(t, res, err)
	require.Equal(t, map[string]int64{"requests": 998, "tokens": 1000}, left(s))
}

// TestBodyThatFails checks that a body that fails while it is read early ends the request like without this package.
func TestBodyThatFails(t *testing.T) {
	srv := answers(t, "200")
	s := open(t, scheduler.Config{})
	broken := errors.New("the disk is gone")
	req := ask(t, srv.URL, "{}", false)
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), &failing{broken}))
	_, err := client(t, &ratehttp.Transport{Scheduler: s, Tokens: new(ratehttp.Tokens)}).Do(req)
	require.ErrorIs(t, err, broken)
	idle(t, s, nil)
}

// failing is a reader that fails once.
type failing struct{ err error }

func (f *failing) Read([]byte) (n int, err error) {
	err, f.err = f.err, io.EOF
	return 0, err
}

// Answers of the three APIs, whole and as streams. Their texts contain what looks like a usage.
const (
	chat = `{"id":"c","choices":[{"index":0,"message":{"content":"5\", \"usage\":{\"total_tokens\":1}","usage":{"total_tokens":2}}}],
		"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":4,"total_tokens":5}}}`
	message = `{"type":"message","content":[{"text":"usage"}],"usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":99,"output_tokens":20}}`
	gemini  = `{"candidates":[{"content":{"parts":[{"text":"usageMetadata"}]}}],
		"usageMetadata":{"promptTokenCount":7,"toolUsePromptTokenCount":3,"candidatesTokenCount":15,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":30}}`

	chatStream = "data: {\"choices\":[{\"delta\":{\"content\":\"usage: {total_tokens: 9}\"}}],\"usage\":null}\n\n" +
		"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}\n\ndata: [DONE]\n\n"
	responsesStream = "event: response.created\r\ndata: {\"response\":{\"usage\":null}}\r\n\r\n" +
		"event: response.completed\r\ndata: {\"response\":{\"usage\":{\"input_tokens\":10,\r\ndata:\"output_tokens\":20,\"total_tokens\":30}}}\r\n\r\n"
	messageStream = ": {\"usage\":{\"input_tokens\":77}}\n" +
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n" +
		"event: broken\ndata: {\"text\":\"is cut off\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":20}}\n\nevent: message_stop\ndata: {}\n\n"
	cachedStream = "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":4,\"cache_creation_input_tokens\":6,\"cache_read_input_tokens\":99,\"output_tokens\":1}}}\n\n" +
		"event: message_delta\ndata: {\"usage\":{\"output_tokens\":12}}\n\nevent: message_delta\ndata: {\"usage\":{\"output_tokens\":20}}\n\n"
	geminiStream = "data: {\"usageMetadata\":{\"promptTokenCount\":10,\"totalTokenCount\":10}}\r\n\r\n" +
		"data: {\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":8,\"totalTokenCount\":18}}\r\n\r\n" +
		"data: {\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":20,\"totalTokenCount\":30}}\r\n\r\n"
	geminiArray = `[{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":8,"totalTokenCount":18}},` + "\r\n" +
		`{"candidates":[{"usageMetadata":{"totalTokenCount":1}}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":20,"totalTokenCount":30}}]`
)

// TestSettle checks that the response settles a request's cost in the scheduler's budgets.
func TestSettle(t *testing.T) {
	for name, c := range map[string]struct {
		kind, answer   string
		all, in, out   int64
		compressed     bool
		onlyToTheUsage bool
		breaksOff      bool
	}{
		"OpenAI":                      {kind: "application/json", answer: chat, all: 30, in: 10, out: 20},
		"Anthropic":                   {kind: "application/json", answer: message, all: 33, in: 13, out: 20},
		"OpenAI's stream":             {kind: "text/event-stream; charset=utf-8", answer: chatStream, all: 30, in: 10, out: 20},
		"OpenAI's other stream":       {kind: "text/event-stream", answer: responsesStream, all: 30, in: 10, out: 20},
		"Anthropic's stream":          {kind: "text/event-stream", answer: messageStream, all: 30, in: 10, out: 20},
		"Anthropic's with a cache":    {kind: "text/event-stream", answer: cachedStream, all: 30, in: 10, out: 20},
		"Gemini":                      {kind: "application/json", answer: gemini, all: 30, in: 10, out: 20},
		"Gemini's stream":             {kind: "text/event-stream", answer: geminiStream, all: 30, in: 10, out: 20},
		"Gemini's other stream":       {kind: "application/json", answer: geminiArray, all: 30, in: 10, out: 20},
		"a gateway that counts twice": {kind: "application/json", answer: `{"usage":{"prompt_tokens":10,"cache_creation_input_tokens":8,"completion_tokens":20,"total_tokens":30}}`, all: 30, in: 10, out: 20},
		"embeddings":                  {kind: "application/json", answer: `{"usage":{"prompt_tokens":8,"total_tokens":8}}`, all: 8, in: 8, out: 0},
		"input alone":                 {kind: "application/vnd.x+json", answer: `{"usage":{"prompt_tokens":8}}`, all: 8, in: 8, out: 107},
		"through gzip":                {kind: "application/json", answer: chat, compressed: true, all: 30, in: 10, out: 20},
		"closed before the end":       {kind: "text/event-stream", answer: chatStream, onlyToTheUsage: true, all: 30, in: 10, out: 20},
		"closed before the usage":     {kind: "text/event-stream", answer: messageStream[:200], onlyToTheUsage: true, all: 120, in: 13, out: 107},
		"of another kind":             {kind: "text/plain", answer: chat, all: 120, in: 13, out: 107},
		"without a usage":             {kind: "application/json", answer: `{"usage":null,"x":[{"usage":{"total_tokens":7}}]}`, all: 120, in: 13, out: 107},
		"with an absurd usage":        {kind: "application/json", answer: `{"usage":{"total_tokens":1000000000000,"input_tokens":-5,"output_tokens":2.5}}`, all: 120, in: 13, out: 107},
		"with one of another sort":    {kind: "application/json", answer: `{"usage":{"seconds":7}}`, all: 120, in: 13, out: 107},
		"with a name that is no name": {kind: "application/json", answer: `{"usage":{"a":"total_tokens","input_tokens_that_is_a_very_long_name_indeed":7,"` + strings.Repeat("x", 31) + `":1}}`, all: 120, in: 13, out: 107},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				out := io.Writer(w)
				if c.compressed {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					defer z.Close()
					out = z
				}
				for i := range len(c.answer) { // byte by byte
					_, _ = io.WriteString(out, c.answer[i:i+1])
				}
				if c.onlyToTheUsage {
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				}
			})
			s := open(t, scheduler.Config{Limits: bucket.Limits{"requests": slow, "tokens": slow, "input-tokens": slow, "output-tokens": slow}})
			h := client(t, &ratehttp.Transport{Scheduler: s, Tokens: new(ratehttp.Tokens)})
			res, err := h.Do(ask(t, srv.URL, `{"max_tokens":107,"input":"`+strings.Repeat("x", 22)+`"}`, true))
			require.NoError(t, err)
			require.Equal(t, map[string]int64{"requests": 999, "tokens": 1000 - 120, "input-tokens": 1000 - 13, "output-tokens": 1000 - 107}, left(s))
			_, err = io.CopyN(io.Discard, res.Body, int64(len(c.answer)))
			require.NoError(t, err)
			if !c.onlyToTheUsage {
				_, err = io.Copy(io.Discard, res.Body)
				require.NoError(t, err)
			}
			require.NoError(t, res.Body.Close())
			require.Equal(t, map[string]int64{"requests": 999, "tokens": 1000 - c.all, "input-tokens": 1000 - c.in, "output-tokens": 1000 - c.out}, left(s))
			idle(t, s, srv)
		})
	}
}

// TestReadUsage checks that ReadUsage finds the same in a whole body as in a stream.
func TestReadUsage(t *testing.T) {
	for _, answer := range []string{
		chat, message, gemini, chatStream, responsesStream, messageStream, cachedStream, geminiStream, geminiArray, "\r\n" + geminiArray,
	} {
		used, ok := ratehttp.ReadUsage([]byte(answer))
		require.True(t, ok)
		if answer == message {
			require.Equal(t, ratehttp.Usage{Total: 33, Input: 13, Output: 20}, used)
		} else {
			require.Equal(t, ratehttp.Usage{Total: 30, Input: 10, Output: 20}, used, answer)
		}
	}
	for _, answer := range []string{"", " ", "total_tokens", `"usage"`, messageStream[:200], `{"usage":{"total_tokens":-1}}`, `{"usage":{"total_tokens":30`} {
		used, ok := ratehttp.ReadUsage([]byte(answer))
		require.False(t, ok)
		require.Equal(t, ratehttp.Usage{Total: -1, Input: -1, Output: -1}, used, answer)
	}
}

// TestSettleWhenTheContextIsDone checks that a stream that ends only by its context is settled.
func TestSettleWhenTheContextIsDone(t *testing.T) {
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, chatStream)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s := open(t, scheduler.Config{Limit: slow, MaxInFlight: 1})
	c := client(t, &ratehttp.Transport{Scheduler: s, Tokens: new(ratehttp.Tokens)})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := c.Do(ask(t, srv.URL, `{"max_tokens":500}`, true).WithContext(ctx))
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.CopyN(io.Discard, res.Body, int64(len(chatStream)))
	require.NoError(t, err)
	cancel()
	next, err := s.Reserve(t.Context()) // granted when the slot is free
	require.NoError(t, err)
	<-next.Ready()
	next.Done(nil)
	require.Equal(t, map[string]int64{"": 1000 - 30 - 1}, left(s))
}
