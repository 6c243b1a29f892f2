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
	if b.cfg.report == "" && b.cfg.trace == "" {
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
		return errors.Join(writeFile(b.cfg.report, drawn.WriteHTML), writeFile(b.cfg.trace, drawn.WriteTrace))
	}
}

func writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
