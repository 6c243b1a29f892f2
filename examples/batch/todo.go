package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// todo yields the lines that are not answered yet, until the run stops reading. It reads a bounded number of
// bytes ahead.
func (b *batch) todo() iter.Seq[*line] {
	return func(yield func(*line) bool) {
		said := false
		for l := range readLines(b.in.reader(), &b.inputErr) {
			if b.soft.Err() != nil {
				return
			}
			if !b.in.part.has(l.number) {
				continue
			}
			done, err := b.out.answered(l)
			if err != nil {
				b.inputErr = fmt.Errorf("%s: %w", b.cfg.in, err)
				return
			}
			if done {
				b.tally.skipped.Add(1)
				continue
			}
			b.parse(l)
			if l.err == nil && !said {
				said = true
				b.sayFirstRequest(l)
			}
			if b.lineBytes.acquire(b.soft, l.bytes); b.soft.Err() != nil {
				b.lineBytes.release(l.bytes)
				return
			}
			if !yield(l) {
				return
			}
		}
	}
}

// parse makes a request of a line, and drops its text.
func (b *batch) parse(l *line) {
	l.parse(b.cfg.in, b.cfg.url)
	if l.err == nil && b.cfg.key != "" {
		var err error
		if l.key, err = l.keyOf(b.cfg.key); err != nil {
			l.err = fmt.Errorf("%s:%d: %w", b.cfg.in, l.number, err)
		}
	}
	l.text = nil // the body may be the same bytes
	l.bytes = int64(len(l.body))
}

// sayFirstRequest says where the first request goes, if the input does not show it. Otherwise a wrong -url would
// show only in answers.
func (b *batch) sayFirstRequest(l *line) {
	if u := b.cfg.url; u != nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		b.say(fmt.Sprintf("the first request is %s %s", l.method, redacted(l.url)))
	}
}

// checkURLs fails if a line needs -url and there is none.
func (b *batch) checkURLs(ctx context.Context) error {
	if b.cfg.url != nil {
		return nil
	}
	return b.in.each(ctx, func(l *line) error {
		if done, err := b.out.answered(l); done || err != nil {
			return err
		}
		if err := l.request(nil); errors.Is(err, errNoBase) {
			return &fileError{"-in", b.cfg.in, fmt.Errorf("line %d: %w", l.number, err)}
		}
		return nil
	})
}
