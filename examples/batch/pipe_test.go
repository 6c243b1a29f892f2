//go:build unix

package main

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fifo creates a FIFO.
func fifo(t *testing.T) (path string) {
	path = filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return path
}

// feed writes a text to a FIFO once a reader has opened it.
func feed(t *testing.T, path, text string) {
	over := make(chan error, 1)
	go func() { over <- os.WriteFile(path, []byte(text), 0) }()
	t.Cleanup(func() { require.NoError(t, <-over) })
}

// TestH72_PipeAsInput checks that a pipe as input works like a file, in the first run and in the next. No copy
// of it is left.
func TestH72_PipeAsInput(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	lines := requests(5)
	st := newSite(t, generous)
	for _, n := range []int{3, 5} {
		st.in = fifo(t)
		feed(t, st.in, strings.Join(lines[:n], "\n"))
		r := st.start()
		require.Equal(t, counts{answered: n}, r.result(t).counts)
		require.Contains(t, r.log.String(), "batch: -in "+st.in+" is a pipe: it is read to its end before anything is sent\n")
		require.Len(t, st.entries(), n)
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestH72_CtrlCAtAPipe checks that Ctrl-C ends the program while its input has no writer, and while the writer
// does not write.
func TestH72_CtrlCAtAPipe(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	program := build(t)
	for _, written := range []string{"", requests(1)[0] + "\n"} {
		st := newSite(t, generous)
		st.in = fifo(t)
		cmd, log := exec.Command(program, st.args()...), newLogBuffer()
		cmd.Stderr = log
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test fails
		log.await(t, "is a pipe")
		if written != "" {
			writer, err := os.OpenFile(st.in, os.O_WRONLY, 0)
			require.NoError(t, err)
			defer writer.Close()
			_, err = writer.WriteString(written)
			require.NoError(t, err)
		}
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait() // the exit code is checked
		require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), log)
		require.Contains(t, log.String(), "batch: interrupted before anything was sent\n")
		require.NoFileExists(t, st.out)
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestH72_Refused checks that the program refuses files that it can't read twice or append to. It says so on one
// line, with the flag and the value, sends nothing, and leaves nothing behind.
func TestH72_Refused(t *testing.T) {
	program := build(t)
	st := newSite(t, generous, requests(1)...)
	pipe, folder := fifo(t), t.TempDir()
	nowhere := filepath.Join(folder, "nowhere")
	const written = "name a regular file, or one that is to be made"
	for _, c := range []struct{ flag, value, want string }{
		{"-in", filepath.Join(nowhere, "in.jsonl"), "no such file or directory"},
		{"-in", "-", "there is no such file: for standard input use /dev/stdin"},
		{"-in", folder, "it is a folder: name a file or a pipe"},
		{"-in", os.DevNull, "it is a device: name a file or a pipe"},
		{"-out", folder, "it is a folder: " + written},
		{"-out", pipe, "it is a pipe: " + written},
		{"-out", os.DevNull, "it is a device: " + written},
		{"-out", "/dev/full", "it is a device: " + written},
		{"-out", filepath.Join(nowhere, "out.jsonl"), "there is no folder " + nowhere + ": make it first"},
		{"-out", filepath.Join(st.in, "out.jsonl"), "not a directory"},
		{"-report", pipe, "it is a pipe: " + written},
		{"-report", filepath.Join(nowhere, "run.html"), "there is no folder " + nowhere + ": make it first"},
		{"-trace", folder, "it is a folder: " + written},
	} {
		if c.value == "/dev/full" {
			if _, err := os.Stat(c.value); err != nil {
				continue // not on every system
			}
		}
		cmd := exec.CommandContext(t.Context(), program, st.args(c.flag, c.value)...)
		ended := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // should it hang
		out, _ := cmd.CombinedOutput()                                          // the exit code is checked
		ended.Stop()
		require.Equal(t, exitUsage, cmd.ProcessState.ExitCode(), "%s %s: %s", c.flag, c.value, out)
		require.Equal(t, "batch: "+c.flag+" "+c.value+": "+c.want+"\n", string(out))
		require.NoFileExists(t, st.out)
	}
	require.Empty(t, st.entries())
}

// TestFilesArePrivate checks that new files are readable by their owner only, and that an existing file keeps
// its mode.
func TestFilesArePrivate(t *testing.T) {
	st := newSite(t, generous, requests(1)...)
	page, trace := filepath.Join(t.TempDir(), "run.html"), filepath.Join(t.TempDir(), "run.json")
	_, err := st.process("-report", page, "-trace", trace)
	require.NoError(t, err)
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	for _, path := range []string{st.out, page, trace} {
		require.Equal(t, fs.FileMode(0o600), mode(path), path)
		require.NoError(t, os.Chmod(path, 0o640))
	}
	_, err = st.process("-report", page, "-trace", trace)
	require.NoError(t, err)
	for _, path := range []string{st.out, page, trace} {
		require.Equal(t, fs.FileMode(0o640), mode(path), path)
	}
}

// TestH72_NoRoom checks that a result that can't be written ends the run at once, even while another request
// runs. The next run continues.
func TestH72_NoRoom(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("it takes a device that is always full")
	}
	st := newSite(t, generous, requests(50)...)
	g := newGate(t)
	st.intercept(func(_ http.ResponseWriter, line int) bool {
		if line != 2 {
			g.pass(line)
		}
		return false
	})
	cfg, err := parseFlags(st.args("-in-flight", "2", "-timeout", "1h"))
	require.NoError(t, err)
	b, err := newBatch(t.Context(), cfg, io.Discard)
	require.NoError(t, err)
	defer b.close()
	require.NoError(t, b.out.file.Close())
	b.out.file = full
	over := make(chan error, 1)
	go func() {
		_, err := b.process(t.Context(), t.Context(), io.Discard)
		over <- err
	}()
	<-g.held
	select {
	case err := <-over:
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, "writing a result: write /dev/full: no space left on device: fix that, and the same command continues")
	case <-time.After(time.Minute):
		t.Fatal("the run waits for an answer that it could not write")
	}
	require.Len(t, st.entries(), 1, "the rest was not sent")

	g.open()
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, 50, sum.answered)
}

// TestPartOfAPipe checks that a part of a pipe has the same lines as that part of a file.
func TestPartOfAPipe(t *testing.T) {
	st := newSite(t, generous)
	for range 2 {
		st.in = fifo(t)
		feed(t, st.in, strings.Join(requests(7), "\n"))
		sum, err := st.process("-part", "3/4")
		require.NoError(t, err)
		require.Equal(t, counts{answered: 2}, sum.counts)
	}
	require.ElementsMatch(t, []int{3, 7}, []int{lineOf(st.entries()[0].ID), lineOf(st.entries()[1].ID)})
	require.Len(t, st.entries(), 2)
}
