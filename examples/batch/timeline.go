package main

import (
	"errors"
	"io"
	"os"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
)

// record collects events from now on, if -report or -trace is set. The function that it returns closes the
// scheduler and writes the files.
func (b *batch) record() (written func() error) {
	if b.report == nil && b.trace == nil {
		return func() error { return nil }
	}
	var tl timeline.Timeline
	sub, done := b.s.Subscribe(events.All), make(chan struct{})
	go func() {
		defer close(done)
		for ev := range sub.C {
			tl.Add(ev)
		}
	}()
	return func() error {
		b.s.Close()
		<-done
		return errors.Join(overwrite(b.report, tl.WriteHTML), overwrite(b.trace, tl.WriteTrace))
	}
}

// overwrite replaces the content of a file, if there is one, and closes it.
func overwrite(f *os.File, write func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(write(f), f.Close())
}
