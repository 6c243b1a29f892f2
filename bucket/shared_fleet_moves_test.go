package bucket_test

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
)

// send sends the open ask of a process once more.
func (f *fleet) send(p *fleetProcess) {
	p.resend = f.now + 50_000 + f.Int64N(300_000)
	for copies := f.IntN(4); copies > 0; copies-- { // none: it is lost
		f.messages = append(f.messages, message{at: f.now + f.delay(), p: p, ask: p.ask, sent: f.now})
	}
}

// delay draws how long a message is on its way.
func (f *fleet) delay() int64 {
	if f.IntN(30) == 0 {
		return f.Int64N(5_000_000)
	}
	return f.Int64N(30_000)
}

// serve lets the store answer.
func (f *fleet) serve(m message) {
	if f.begins == 0 {
		f.begins = f.now + bucket.LearnTime.Microseconds()
	}
	got := f.exchange(f.store, m.ask)
	if m.ask.Seq == m.p.ask.Seq {
		m.p.sold = max(m.p.sold, got.Tokens)
	}
	if f.IntN(5) > 0 { // else it is lost
		f.messages = append(f.messages, message{at: f.now + f.delay(), p: m.p, ask: m.ask, sent: m.sent, answer: &got})
	}
}

func (f *fleet) exchange(s *bucket.Shared, a bucket.Ask) bucket.Answer {
	return s.Exchange(fmt.Sprint("run-", f.run), f.now-f.behind, a)
}

// receive lets a process take in an answer to its open ask.
func (f *fleet) receive(m message) {
	p, a := m.p, m.answer
	if !p.open || m.ask.Seq != p.ask.Seq {
		return
	}
	p.open = false
	p.fence = m.sent + int64(float64(bucket.Grace.Microseconds())/p.clock)
	if a.Epoch != p.epoch {
		p.epoch = a.Epoch
		if a.Learning == 0 {
			p.tokens = nil
		}
	}
	for k := range a.Tokens {
		wait := max(0, ((k+1-a.Level)*a.Per-a.Part+a.Refill-1)/a.Refill)
		wait += wait/4096 + 1
		p.tokens = append(p.tokens, f.after(p, time.Duration(wait)*time.Microsecond))
	}
}

// spend spends some of the tokens that are valid. Others are kept.
func (f *fleet) spend(p *fleetProcess) {
	if f.IntN(3) == 0 {
		return
	}
	kept := p.tokens[:0]
	for _, valid := range p.tokens {
		if valid <= f.now && f.IntN(8) > 0 {
			f.spent++
		} else {
			kept = append(kept, valid)
		}
	}
	p.tokens = kept
}

// talk lets a process ask, or ask again.
func (f *fleet) talk(p *fleetProcess) {
	switch {
	case p.open && f.now-p.first >= 2_000_000: // the store may have forgotten the process
		p.ask.Seq++
		p.ask.Back, p.ask.Epoch, p.ask.Mine = 0, p.epoch, int64(len(p.tokens))
		p.first, p.sold = f.now, 0
		f.send(p)
	case p.open && f.now >= p.resend:
		f.send(p)
	case !p.open && f.IntN(10) == 0:
		p.ask = bucket.Ask{Process: p.name, Seq: p.ask.Seq + 1, Epoch: p.epoch, Limit: f.limit, Version: 1}
		if f.IntN(4) > 0 && len(p.tokens) < 20 {
			p.ask.Want = 1 + f.Int64N(40)
			p.ask.Least = 1 + f.Int64N(f.limit.Capacity)
		}
		if n := len(p.tokens); n > 0 && f.IntN(3) == 0 {
			back := 1 + f.IntN(n)
			p.ask.Back, p.tokens = int64(back), p.tokens[back:]
		}
		if f.IntN(60) == 0 {
			p.ask.Hold = time.Duration(f.Int64N(int64(2 * time.Second)))
		}
		p.ask.Mine = int64(len(p.tokens))
		p.ask.Leave = f.IntN(200) == 0
		p.open, p.first, p.sold = true, f.now, 0
		f.send(p)
	}
}
