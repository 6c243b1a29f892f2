package main

import (
	"errors"
	"io"
	"os"

	"example.com/fairlead/events/timeline"
)

// draw notes all that happens from now on, if -report or -trace asks for it, until the
// function is called that it returns: that closes the scheduler, and writes the files.
func (b *batch) draw() (written func() error) {
	if b.report == nil && b.trace == nil {
		return func() error { return nil }
	}
	var drawn timeline.Timeline
	sub, over := b.s.Subscribe(), make(chan struct{})
	go func() {
		defer close(over)
		for ev := range sub.C {
			drawn.Add(ev)
		}
	}()
	return func() error {
		b.s.Close()
		<-over
		return errors.Join(replace(b.report, drawn.WriteHTML), replace(b.trace, drawn.WriteTrace))
	}
}

// replace overwrites a file, if there is one, and closes it.
func replace(f *os.File, write func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(write(f), f.Close())
}
