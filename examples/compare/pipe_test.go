//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/examples/internal/strict"
)

// TestH72_PipeIsReadOnce checks that both runs get the requests of a pipe, which can be read only once.
func TestH72_PipeIsReadOnce(t *testing.T) {
	set := setting{in: filepath.Join(t.TempDir(), "fifo"), inFlight: 2, unit: time.Millisecond, api: strict.Config{PerMinute: 60_000, Burst: 1000}}
	require.NoError(t, syscall.Mkfifo(set.in, 0o600))
	fed := make(chan error, 1)
	go func() { fed <- os.WriteFile(set.in, []byte(`{"url":"/x","body":{}}`+"\n"+`{"url":"/x","body":{}}`), 0) }()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // a run that reads the pipe again would hang, and batch has to be built
	defer cancel()
	var out strings.Builder
	require.NoError(t, compare(ctx, set, &out))
	require.NoError(t, <-fed)
	require.Regexp(t, `requests sent +2 +2\n`, out.String())
}
