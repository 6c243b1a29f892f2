package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDemo checks that each webhook is delivered to its receiver, although the sender is killed ten times. Only those
// that it was delivering at a kill may come again.
func TestDemo(t *testing.T) {
	var out strings.Builder
	d := &demo{out: &out, webhooks: 300, kills: 10}
	require.NoError(t, d.run(t.Context()))
	t.Log(out.String())
	again := 0
	for i := range d.webhooks {
		r := d.receivers[i%2]
		require.Equal(t, bodyOf(i), r.bodies[keyOf(i)])
		again += r.got[keyOf(i)] - 1
	}
	require.LessOrEqual(t, again, 8*d.kills, "more than four deliveries to each receiver at each kill")
	require.Len(t, regexp.MustCompile(`(?m)^kill +\d+, after +\d+ ms: +\d+ accepted, +\d+ delivered$`).FindAllString(out.String(), -1), 10)
	require.Contains(t, out.String(), "\n300 accepted, 300 delivered, ")
}
