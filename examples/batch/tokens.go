package main

import (
	"encoding/json"
	"fmt"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/ratehttp"
)

// mostTokens is more than any request has; what is above it is nonsense.
const mostTokens = 1 << 40

// estimator estimates requests as ratehttp does.
var estimator ratehttp.Tokens

// estimate returns how many tokens a request may cost: those of its body, and those that its answers may have.
func estimate(body []byte) int64 {
	input, output := estimator.Estimate(body)
	return input + output
}

// consumed returns how many tokens a request has cost, if its answer says so.
func consumed(answer json.RawMessage) (tokens int64, ok bool) {
	body := []byte(answer)
	if len(body) > 0 && body[0] == '"' { // not JSON, but may be a stream
		var text string
		_ = json.Unmarshal(answer, &text) // what can't be read reports no usage
		body = []byte(text)
	}
	used, ok := ratehttp.ReadUsage(body)
	return max(0, used.Total), ok
}

// overBudget returns an error that says why a line needs more tokens than the budget ever holds, and what
// to do.
func (cfg *config) overBudget(l *line, e *bucket.CostError) error {
	input, output := estimator.Estimate(l.body)
	remedy := "ask for less output (max_tokens, n)"
	if input > e.Capacity {
		remedy = "shorten its input"
	}
	if !cfg.tokens.auto {
		remedy += ", or raise -tpm or -token-burst"
	}
	return fmt.Errorf("not sent: it may need %d tokens, %d of input and %d of output, and no more than %d are ever let through at once: %s",
		e.Cost, input, output, e.Capacity, remedy)
}
