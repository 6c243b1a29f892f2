package core

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
)

// purchase is the tokens that one answer has sold: see [bucket.Answer].
type purchase struct {
	from               time.Duration // when the answer was received
	level, part        int64         // as in the answer
	refill, per        int64
	tokens             int64         // how many were sold
	valid, spent       int64         // how many of them have become valid, and how many were spent or removed
	complete, lapsesAt time.Duration // when the last token is valid, and when what is left is given back
}

// lapseTime is how long a purchase may lie unused after its last token became valid. Then what is left is given back,
// so that another process can spend it.
const lapseTime = time.Second

func newPurchase(at time.Duration, a bucket.Answer) purchase {
	p := purchase{from: at, level: a.Level, part: a.Part, refill: a.Refill, per: a.Per, tokens: a.Tokens}
	p.complete = p.validAt(p.tokens)
	p.lapsesAt = After(p.complete, lapseTime)
	return p
}

// refunded returns a purchase of tokens that are valid at once.
func refunded(at time.Duration, tokens int64) purchase {
	return purchase{from: at, level: tokens, refill: 1, per: 1, tokens: tokens, valid: tokens, complete: at, lapsesAt: After(at, lapseTime)}
}

// left returns how many tokens are valid or will be.
func (p *purchase) left() int64 { return p.tokens - p.spent }

// slower bounds by how much the clocks of a process and of its store may differ in rate, as the part 1/slower. The
// process counts less time than it measures by this part, so that it spends no token before the store would have it.
const slower = 4096

// validBy returns how many of the tokens are valid by an instant.
func (p *purchase) validBy(at time.Duration) int64 {
	if at >= p.complete {
		return p.tokens
	}
	micros := max(0, int64(at-p.from)/1000)
	micros -= (micros + slower - 1) / slower
	return max(0, min(p.level+(micros*p.refill+p.part)/p.per, p.tokens))
}

// validAt returns when the k-th token is valid.
func (p *purchase) validAt(k int64) time.Duration {
	need := (k-p.level)*p.per - p.part
	if need <= 0 {
		return p.from
	}
	micros := (need-1)/p.refill + 1
	micros += (micros-1)/(slower-1) + 1
	if micros > math.MaxInt64/1000 {
		return bucket.Forever
	}
	return After(p.from, time.Duration(micros)*time.Microsecond)
}
