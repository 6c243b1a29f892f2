package main

import (
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCtrlC checks that the program, stopped by real signals and started again, loses nothing.
func TestCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a program can't be sent a Ctrl-C there")
	}
	program := build(t)
	start := func(st *site) (*exec.Cmd, *logBuffer) {
		log := newLogBuffer()
		cmd := exec.Command(program, st.args("-in-flight", "2")...)
		cmd.Stderr = log
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test fails
		return cmd, log
	}
	requireEnd := func(cmd *exec.Cmd, code int, log *logBuffer, texts ...string) {
		_ = cmd.Wait() // the exit code is checked
		require.Equal(t, code, cmd.ProcessState.ExitCode(), log)
		for _, text := range texts {
			require.Contains(t, log.String(), text)
		}
	}

	st := newSite(t, generous, requests(5)...)
	g := st.gate()
	cmd, log := start(st)
	<-g.held
	<-g.held
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	log.await(t, "accepted requests have 10s to finish")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	requireEnd(cmd, exitInterrupted, log,
		"left to do:       5\nduplicated:       0\n",
		", 2 running)\n  line 1 \"c1\": running, attempts made: 1\n  line 2 \"c2\": running, attempts made: 1\n",
		"batch: interrupted with 5 lines left to do: the same command continues from here\n")
	require.NotContains(t, log.String(), "time per request", "no request has finished")

	cmd, log = start(st)
	<-g.held
	<-g.held
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	log.await(t, "accepted requests have 10s to finish")
	g.open()
	requireEnd(cmd, exitInterrupted, log, "time per request:", "batch: everything that was accepted has finished\n")

	cmd, log = start(st)
	requireEnd(cmd, exitOK, log, "answered:         5\nfailed:           0\nleft to do:       0\nduplicated:       0\n")
	require.Len(t, st.results(), 5)
}
