package main

import "encoding/json"

// mostTokens is more than any request has; what is above it is nonsense.
const mostTokens = 1 << 40

// estimate is what a request may cost in tokens: one for every four bytes of its body, and
// as many as its answer may have.
func estimate(body []byte) int64 {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields) // what is no object says nothing about its answer
	answer := int64(0)
	for _, name := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		var n int64
		if raw, ok := fields[name]; ok && json.Unmarshal(raw, &n) == nil {
			answer = max(answer, n)
		}
	}
	return (int64(len(body))+3)/4 + min(answer, mostTokens)
}

// consumed is what a request has cost in tokens, if its answer says so.
func consumed(answer []byte) (tokens int64, ok bool) {
	var a struct {
		Usage struct {
			Total      *int64 `json:"total_tokens"`
			Prompt     *int64 `json:"prompt_tokens"`
			Completion *int64 `json:"completion_tokens"`
			Input      *int64 `json:"input_tokens"`
			Output     *int64 `json:"output_tokens"`
		}
	}
	err := json.Unmarshal(answer, &a)
	u := a.Usage
	switch {
	case err != nil: // what can't be read isn't said
	case u.Total != nil:
		return believed(*u.Total)
	case u.Prompt != nil && u.Completion != nil:
		return believed(*u.Prompt, *u.Completion)
	case u.Input != nil && u.Output != nil:
		return believed(*u.Input, *u.Output)
	}
	return 0, false
}

// believed is a sum of counts, if they can be counts of tokens.
func believed(counts ...int64) (sum int64, ok bool) {
	for _, n := range counts {
		if n < 0 || n > mostTokens {
			return 0, false
		}
		sum += n
	}
	return sum, true
}
