package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/examples/internal/strict"
	"example.com/fairlead/scheduler"
)

// chats returns the input lines of n requests that bound their answers.
func chats(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"custom_id":"c%d","url":"/v1/chat/completions","body":{"model":"m","seed":%d,"max_tokens":%d}}`, i+1, i+1, 50+i)
	}
	return lines
}

// spent returns how many tokens the API has counted, and how many requests it has refused.
func (st *site) spent() (tokens int64, refused int) {
	for _, e := range st.entries() {
		tokens += int64(e.Tokens)
		if e.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	return tokens, refused
}

// levels returns the levels of a scheduler's budgets.
func levels(s *scheduler.Scheduler) map[string]int64 {
	all := map[string]int64{}
	for _, b := range s.Snapshot().Budgets {
		all[b.Name] = b.Available
	}
	return all
}

// TestTokenBudget checks that an API that counts tokens refuses nothing, although failed and dropped requests
// use tokens, too.
func TestTokenBudget(t *testing.T) {
	api := generous
	api.TokensPerMinute, api.TokenBurst = 120_000, 3000
	api.FailRate, api.DropRate = 0.05, 0.05
	st := newSite(t, api, chats(80)...)
	sum, err := st.process("-tpm", "120000", "-token-burst", "2000", "-in-flight", "4", "-retries", "30") // late ones fit into the API's burst
	require.NoError(t, err)
	require.Zero(t, sum.rateLimited)
	require.Equal(t, 80, sum.answered)
	require.Len(t, st.results(), 80)
	tokens, refused := st.spent()
	require.Zero(t, refused)
	require.Greater(t, tokens, int64(3000), "more than the API allows at once")
	require.Greater(t, tokens, sum.tokensUsed, "failed attempts are paid, too")
}

// TestCostIsCorrected checks that a line pays its estimate at first, and its usage in the end.
func TestCostIsCorrected(t *testing.T) {
	api := generous
	api.TokensPerMinute, api.TokenBurst = 1_000_000_000, 1_000_000_000
	st := newSite(t, api, chats(40)...)
	r := st.start("-tpm", "1", "-token-burst", "100000", "-rpm", "1", "-burst", "1000")
	sum := r.result(t)
	require.Equal(t, counts{answered: 40}, sum.counts)
	tokens, _ := st.spent()
	require.Equal(t, tokens, sum.tokensUsed)
	require.Contains(t, sum.String(), fmt.Sprintf("\ntokens used:      %d\n", sum.tokensUsed))
	after := levels(r.s)
	require.InDelta(t, 100_000-tokens, after[tokenBudget], 1, "one token may have come in meanwhile")
	require.InDelta(t, 960, after[requestBudget], 1)
	require.Contains(t, r.log.String(), fmt.Sprintf("; %d of 1000 requests and %d of 100000 tokens left, ", after[requestBudget], after[tokenBudget]))

	ledger := r.s.Snapshot().Budgets[1].Ledger
	estimated := int64(0)
	for i, text := range chats(40) {
		l := newLine(i+1, []byte(text))
		l.parse(st.in, r.cfg.url)
		estimated += estimate(l.body)
	}
	require.Equal(t, estimated, ledger.Spent)
	require.Equal(t, estimated-tokens, ledger.Refunded)
}

// TestTooLong checks that a line that the budget can never pay is not sent, and that its result says what to do.
func TestTooLong(t *testing.T) {
	long := `{"x":"` + strings.Repeat("wind ", 100) + `"}`
	st := newSite(t, generous, `{"max_tokens":100}`, `{"max_tokens":95}`, `{"max_tokens":1e99}`, `{"max_tokens":50,"n":2}`, long)
	sum, err := st.process("-tpm", "100")
	require.NoError(t, err)
	require.Equal(t, counts{answered: 2, failed: 3}, sum.counts, "an absurd max_tokens is ignored")
	require.Len(t, st.entries(), 2)
	messages := map[int]string{}
	for id, r := range st.results() {
		if r.Error != nil {
			messages[lineOf(id)] = r.Error.Message
		}
	}
	const and, or = " of output), and the budget never holds more than 100: ", ", or raise -tpm or -token-burst"
	require.Equal(t, map[int]string{
		1: "not sent: it may need 105 tokens (5 of input, 100" + and + "ask for less output (max_tokens, n)" + or,
		4: "not sent: it may need 106 tokens (6 of input, 100" + and + "ask for less output (max_tokens, n)" + or,
		5: "not sent: it may need 127 tokens (127 of input, 0" + and + "shorten its input" + or,
	}, messages)

	// With auto, the server sets the limit.
	api := generous
	api.TokensPerMinute = 1000
	st = newSite(t, api, `{"max_tokens":10}`, `{"max_tokens":2000}`)
	sum, err = st.process("-tpm", "auto", "-in-flight", "1")
	require.NoError(t, err)
	require.Equal(t, counts{answered: 1, failed: 1}, sum.counts)
	require.Len(t, st.entries(), 1)
	for id, r := range st.results() {
		if lineOf(id) == 2 {
			require.Equal(t, "not sent: it may need 2005 tokens (5 of input, 2000 of output), and the budget never holds more than 1000: ask for less output (max_tokens, n)", r.Error.Message)
		}
	}
}

// TestH71_PictureInALine checks that a picture is sent although its base64, counted as text, would exceed the
// budget.
func TestH71_PictureInALine(t *testing.T) {
	const picture = `{"max_tokens":100,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`
	st := newSite(t, generous, fmt.Sprintf(picture, strings.Repeat("A", 900_000)))
	sum, err := st.process("-tpm", "2000", "-timeout", "1m")
	require.NoError(t, err)
	require.Equal(t, counts{answered: 1}, sum.counts)
}

// TestEstimate checks that a line is estimated as ratehttp estimates a request.
func TestEstimate(t *testing.T) {
	for body, want := range map[string]int64{
		``:                          0,
		`{}`:                        1,
		`{"max_tokens":100}`:        5 + 100,
		`{"max_tokens":1000,"n":8}`: 7 + 8000,
		`{"generationConfig":{"maxOutputTokens":10,"candidateCount":2}}`: 16 + 20,
		`{"inlineData":{"data":"` + strings.Repeat("A", 9000) + `"}}`:    7 + 1000,
		`{"max_tokens":9223372036854775807}`:                             9,
		`{"max_tokens":999999999999,"best_of":999999999999}`:             math.MaxInt64,
	} {
		require.Equal(t, want, estimate([]byte(body)), body)
	}
}

// TestUsedTokens checks that batch reads the usage in answers, including streams.
func TestUsedTokens(t *testing.T) {
	for answer, want := range map[string]int64{
		`{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":8}}`:                  8,
		`{"usage":{"input_tokens":3,"output_tokens":5}}`:                                        8,
		`{"usage":{"input_tokens":3,"cache_creation_input_tokens":100,"output_tokens":5}}`:      108,
		`{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":8}}`: 8,
		`[{"usageMetadata":{"totalTokenCount":3}},{"usageMetadata":{"totalTokenCount":8}}]`:     8,
		`"data: {\"usage\":{\"total_tokens\":8}}\n\ndata: [DONE]\n\n"`:                          8,
		`{"usage":{"total_tokens":0}}`:                                                          0,
		`{"usage":{"total_tokens":9223372036854775807}}`:                                        -1,
		`{"usage":null}`: -1,
		`"usage"`:        -1,
		`null`:           -1,
	} {
		got, ok := usedTokens(json.RawMessage(answer))
		if !ok {
			require.Zero(t, got, answer)
			got = -1
		}
		require.Equal(t, want, got, answer)
	}
}

// TestAuto checks that with auto, the limits and levels are the server's.
func TestAuto(t *testing.T) {
	api := strict.Config{PerMinute: 6000, Burst: 6000, TokensPerMinute: 600_000}
	st := newSite(t, api, chats(100)...)
	r := st.start("-rpm", "auto", "-burst", "0", "-tpm", "auto")
	sum := r.result(t)
	require.Equal(t, counts{answered: 100}, sum.counts)
	_, refused := st.spent()
	require.Zero(t, refused)
	all := r.s.Snapshot().Budgets
	require.Equal(t, "6000 per 1m0s, capacity 600", all[0].Limit.String())
	require.Equal(t, "600000 per 1m0s, capacity 600000", all[1].Limit.String())
	require.Greater(t, all[1].Available, int64(500_000), "more than it began with")
	require.Contains(t, r.log.String(), "batch: the server's limit is 6000 requests every 1m0s\n")
	require.Contains(t, r.log.String(), "batch: the server's limit is 600000 tokens every 1m0s\n")
}

// TestOthersUseTheKey checks that batch takes the server's level when others have used a part of the quota, with
// limits of its own and with auto.
func TestOthersUseTheKey(t *testing.T) {
	api := strict.Config{PerMinute: 60, Burst: 60, TokensPerMinute: 6000}
	for _, flags := range [][]string{{"-rpm", "1000", "-tpm", "6000"}, {"-rpm", "auto", "-tpm", "auto"}} {
		st, began := newSite(t, api, chats(40)...), time.Now()
		_, err := st.process("-rpm", "1000", "-burst", "1000") // as another user of the key
		require.NoError(t, err)
		st.in, st.out = st.in+".more", st.out+".more"
		st.input(`{"max_tokens":1000}`, `{"max_tokens":1001}`)
		r := st.start(append(flags, "-burst", "1000", "-in-flight", "1")...)
		require.Equal(t, counts{answered: 2}, r.result(t).counts)
		used, refused := st.spent()
		require.Zero(t, refused)
		left := levels(r.s)
		seconds := 1 + time.Since(began).Seconds() // in which one request and 100 tokens a second have come in
		require.InDelta(t, 60-40-2, left[requestBudget], seconds)
		require.InDelta(t, 6000-used, left[tokenBudget], 100*seconds)
	}
}
