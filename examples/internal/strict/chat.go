package strict

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// chatRequest is a request to a chat API.
type chatRequest struct {
	size       int // of the body, in bytes
	model      string
	prompt     int // tokens
	maxAnswer  int // tokens that the answer may have at most
	completion int // tokens that the answer has
}

// defaultAnswer is the length of the answer to a request without a maximum, in tokens.
const defaultAnswer = 16

// parseRequest makes a chatRequest of any body. The length of the answer depends only on the body.
func parseRequest(body []byte) chatRequest {
	var request struct {
		Model               string
		MaxTokens           int `json:"max_tokens"`
		MaxCompletionTokens int `json:"max_completion_tokens"`
		MaxOutputTokens     int `json:"max_output_tokens"`
	}
	_ = json.Unmarshal(body, &request) // any body is answered
	q := chatRequest{size: len(body), model: request.Model, prompt: max(1, len(body)/4), completion: defaultAnswer}
	q.maxAnswer = min(max(0, request.MaxTokens, request.MaxCompletionTokens, request.MaxOutputTokens), 1<<30)
	if q.maxAnswer > 0 {
		h := fnv.New32a()
		_, _ = h.Write(body) // never fails
		q.completion = 1 + int(uint64(h.Sum32())*uint64(q.maxAnswer)>>32)
	}
	return q
}

// maxCost returns the most tokens that the request may cost.
func (q chatRequest) maxCost() int { return q.prompt + q.maxAnswer }

// response returns an answer in the form of a chat API.
func (q chatRequest) response(id string) map[string]any {
	return map[string]any{
		"id": "chatcmpl-" + id, "object": "chat.completion", "model": q.model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": fmt.Sprintf("I have read your %d bytes.", q.size)},
		}},
		"usage": map[string]int{"prompt_tokens": q.prompt, "completion_tokens": q.completion, "total_tokens": q.prompt + q.completion},
	}
}
