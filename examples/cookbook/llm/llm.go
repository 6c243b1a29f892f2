// Package llm asks a model as often as the account's budgets of requests and tokens allow.
package llm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// New returns OpenAI's own client for the API at url. Its requests wait for their turn in s, whose budgets are
// "requests" and "tokens". Only s retries them.
func New(s *scheduler.Scheduler, base http.RoundTripper, url, key string) openai.Client {
	transport := &ratehttp.Transport{
		Scheduler: s,
		Base:      base,
		Tokens:    &ratehttp.Tokens{Output: 1000}, // for requests that do not bound their answer
		Repeatable: func(a ratehttp.Attempt) bool { // these POSTs change nothing
			return strings.HasSuffix(a.Request.URL.Path, "/chat/completions")
		},
	}
	return openai.NewClient(
		option.WithBaseURL(url), option.WithAPIKey(key),
		option.WithHTTPClient(&http.Client{Transport: transport}),
		option.WithMaxRetries(0), // the client's retries would queue at the end, and multiply ours
	)
}

// Ask returns the answer to a prompt.
func Ask(ctx context.Context, c openai.Client, prompt string) (string, error) {
	res, err := c.Chat.Completions.New(ctx, question(prompt))
	if err != nil {
		return "", err
	}
	if len(res.Choices) == 0 {
		return "", errors.New("the model gave no answer")
	}
	return res.Choices[0].Message.Content, nil
}

// Stream writes the answer to w as it comes.
func Stream(ctx context.Context, c openai.Client, prompt string, w io.Writer) error {
	ask := question(prompt)
	ask.StreamOptions.IncludeUsage = openai.Bool(true) // otherwise it costs its estimate
	stream := c.Chat.Completions.NewStreaming(ctx, ask)
	defer stream.Close() // frees its slot
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			if _, err := io.WriteString(w, choice.Delta.Content); err != nil {
				return err
			}
		}
	}
	return stream.Err()
}

func question(prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:               "gpt-5",
		MaxCompletionTokens: openai.Int(200), // part of the estimate, so set it, and not too high
		Messages:            []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)},
	}
}
