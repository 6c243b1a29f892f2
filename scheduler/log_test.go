package scheduler

import (
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// A logger that is not enabled for Debug does not even subscribe to failed calls.
func TestKindsFor(t *testing.T) {
	at := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: level}))
	}
	require.Equal(t, logged, kindsFor(at(slog.LevelInfo)))
	require.Equal(t, logged|events.Of(events.Failed), kindsFor(at(slog.LevelDebug)))
	require.Equal(t, logged, kindsFor(slog.New(rude{})), "a handler that panics is no reason to fail")
}

// rude is a handler whose methods panic, since it has none.
type rude struct{ slog.Handler }
