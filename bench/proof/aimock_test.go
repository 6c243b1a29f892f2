package proof

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler/ratehttp"
)

// unixIn returns the Unix time in n seconds.
func unixIn(n int) int64 { return time.Now().Add(time.Duration(n) * time.Second).Unix() }

// TestAimock checks the transport with aimock, which refuses at random, and asks to wait a second. Its journal
// must have as many requests as the scheduler has counted.
func TestAimock(t *testing.T) {
	module(t, "@copilotkit/aimock")
	llmock := module(t, ".bin/llmock")
	server := start(t, program(t, "node"), llmock, "-p", "0", "-f", module(t, "@copilotkit/aimock/fixtures/example-greeting.json"),
		"--chaos-ratelimit", "0.3", "--journal-max", "0")
	url := server.waitFor(t, `listening on (http://\S+)$`)
	s := schedule(t, budgets("requests", "tokens"))
	client := openAI(url, s.client(t, ratehttp.Transport{Tokens: new(ratehttp.Tokens)}))
	const calls = 40
	runAll(t, calls, func(ctx context.Context) error {
		done, err := client.Chat.Completions.New(ctx, hello)
		if err == nil && done.Choices[0].Message.Content != "Hello! How can I help you today?" {
			err = errors.New(done.RawJSON())
		}
		return err
	})
	var journal []struct{ Response struct{ Status int } }
	getJSON(t, fmt.Sprintf("%s/__aimock/journal?path=/v1/chat/completions", url), &journal)
	by := map[int]int{}
	for _, entry := range journal {
		by[entry.Response.Status]++
	}
	limited := int(s.Snapshot().Totals.RateLimited)
	n := s.count()
	t.Logf("aimock: %v; %d attempts", by, n[events.Granted])
	require.Equal(t, calls, by[200])
	require.Equal(t, len(journal), n[events.Granted])
	require.Equal(t, by[429], limited)
	require.Positive(t, limited, "by chance none was refused: once in 1.6 million runs")
	require.Equal(t, calls, n[events.Succeeded])
}
