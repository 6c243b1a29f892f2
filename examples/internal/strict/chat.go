package strict

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// question is a request as a chat API sees it.
type question struct {
	size       int // of the body, in bytes
	model      string
	prompt     int // tokens
	most       int // tokens that the answer may have
	completion int // tokens that it has
}

// someTokens is how long an answer is to a request that does not say how long it may be.
const someTokens = 16

// read makes a question of any body. How long the answer is depends on nothing but the body.
func read(body []byte) question {
	var request struct {
		Model               string
		MaxTokens           int `json:"max_tokens"`
		MaxCompletionTokens int `json:"max_completion_tokens"`
		MaxOutputTokens     int `json:"max_output_tokens"`
	}
	_ = json.Unmarshal(body, &request) // any body is answered
	q := question{size: len(body), model: request.Model, prompt: max(1, len(body)/4), completion: someTokens}
	q.most = min(max(0, request.MaxTokens, request.MaxCompletionTokens, request.MaxOutputTokens), 1<<30)
	if q.most > 0 {
		h := fnv.New32a()
		_, _ = h.Write(body) // never fails
		q.completion = 1 + int(uint64(h.Sum32())*uint64(q.most)>>32)
	}
	return q
}

// atMost is what it may cost, as far as one can tell beforehand.
func (q question) atMost() int { return q.prompt + q.most }

// answer looks like that of a chat API.
func (q question) answer(id string) map[string]any {
	return map[string]any{
		"id": "chatcmpl-" + id, "object": "chat.completion", "model": q.model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": fmt.Sprintf("I have read your %d bytes.", q.size)},
		}},
		"usage": map[string]int{"prompt_tokens": q.prompt, "completion_tokens": q.completion, "total_tokens": q.prompt + q.completion},
	}
}
