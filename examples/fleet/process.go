package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// worker is a worker process, as the fleet sees it.
type worker struct {
	n      int
	cmd    *exec.Cmd
	in     io.WriteCloser // takes the numbers of jobs
	jobs   map[int]bool   // that it has
	store  string         // the state of the store at its latest exchange
	killed bool
	ended  bool          // its end was reported
	over   chan struct{} // closed when the process has ended
}

// report is a line that a worker prints, or its end.
type report struct {
	from *worker
	line string
}

// startWorker starts the program once more, as a worker.
func startWorker(n int, f *fleet) (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{n: n, cmd: exec.Command(program), jobs: map[int]bool{}, over: make(chan struct{})}
	w.cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=%d", workerVariable, n),
		"FLEET_API="+f.api.url, "FLEET_REDIS="+f.redis.address,
		fmt.Sprintf("FLEET_LIMIT=%d %d %v", f.plan.rate, f.plan.burst, f.plan.shared))
	w.cmd.Stderr = os.Stderr
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go w.listen(out, f)
	return w, nil
}

// listen passes on what a worker reports, and then that it has ended.
func (w *worker) listen(out io.Reader, f *fleet) {
	defer close(w.over)
	pass := func(line string) {
		select {
		case f.reports <- report{w, line}:
		case <-f.closed:
		}
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		pass(lines.Text())
	}
	pass(fmt.Sprint("ended ", w.cmd.Wait()))
}

// kill kills the process, which gives back nothing.
func (w *worker) kill() error {
	w.killed = true
	return w.cmd.Process.Kill()
}

// close tells the worker that there are no more jobs, and waits until it has ended.
func (w *worker) close() {
	_ = w.in.Close() // it may have ended before
	stuck := time.AfterFunc(10*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer stuck.Stop()
	<-w.over
}
