package main

import (
	"encoding/json"
	"fmt"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/ratehttp"
)

// maxTokens bounds the token counts that are believed. No request has as many.
const maxTokens = 1 << 40

// estimator estimates requests as ratehttp does.
var estimator ratehttp.Tokens

// estimate returns how many tokens a request may cost, in its body and in its answers.
func estimate(body []byte) int64 {
	input, output := estimator.Estimate(body)
	return input + output
}

// usedTokens returns how many tokens a request has cost, if its answer says so.
func usedTokens(answer json.RawMessage) (tokens int64, ok bool) {
	body := []byte(answer)
	if len(body) > 0 && body[0] == '"' { // not JSON, but may be a stream
		var text string
		_ = json.Unmarshal(answer, &text) // a text without usage is no error
		body = []byte(text)
	}
	used, ok := ratehttp.ReadUsage(body)
	return max(0, used.Total), ok
}

// overBudget returns an error that says why a line can never be paid, and what to do.
func (cfg *config) overBudget(l *line, e *bucket.CostError) error {
	input, output := estimator.Estimate(l.body)
	remedy := "ask for less output (max_tokens, n)"
	if input > e.Capacity {
		remedy = "shorten its input"
	}
	if !cfg.tokens.auto {
		remedy += ", or raise -tpm or -token-burst"
	}
	return fmt.Errorf("not sent: it may need %d tokens (%d of input, %d of output), and the budget never holds more than %d: %s",
		e.Cost, input, output, e.Capacity, remedy)
}
