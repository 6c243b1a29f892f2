//go:build unix

package pgbucket

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
)

// member is a process that shares a budget, as simple as can be: it buys tokens, and spends each when it is valid.
type member struct {
	name  string
	store bucket.Store
	limit bucket.Limit
	begin time.Time

	seq    uint64
	first  time.Duration // when the ask was sent for the first time
	asked  *bucket.Ask   // without an answer yet
	epoch  string
	sent   time.Duration // when the latest exchange that succeeded was sent
	bought int           // at the latest purchase
	held   []token
	spent  []token
	count  atomic.Int64 // of spent, for other goroutines
	lost   int          // exchanges that failed
}

// token is a token that was bought. By the store's clock it became valid between two instants.
type token struct{ from, to, spent time.Duration }

func (m *member) now() time.Duration { return time.Since(m.begin) }

// run buys and spends until ctx ends.
func (m *member) run(ctx context.Context) {
	for ctx.Err() == nil {
		m.spend()
		if m.asked != nil || len(m.held) <= m.bought/2 || m.now() > m.sent+bucket.Grace/2 {
			m.exchange(ctx)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// spend spends the tokens that are valid. Those that have passed the fence are dropped.
func (m *member) spend() {
	now := m.now()
	if now >= m.sent+bucket.Grace {
		m.held = nil
	}
	for len(m.held) > 0 && m.held[0].to <= now {
		m.held[0].spent = now
		m.spent = append(m.spent, m.held[0])
		m.held = m.held[1:]
		m.count.Add(1)
	}
}

// exchange asks for tokens. If the answer was lost, it sends the same ask again.
func (m *member) exchange(ctx context.Context) {
	sent := m.now()
	if m.asked == nil || sent > m.first+bucket.MemoryTime/2 {
		m.seq++
		m.first = sent
		m.asked = &bucket.Ask{Process: m.name, Seq: m.seq, Want: 1000, Epoch: m.epoch, Mine: int64(len(m.held)), Limit: m.limit, Version: 1}
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	a, err := m.store.Exchange(short, *m.asked)
	if err != nil {
		m.lost++
		return
	}
	m.asked, m.sent, m.bought = nil, sent, int(a.Tokens)
	if a.Epoch != m.epoch && a.Learning == 0 {
		m.held = nil
	}
	m.epoch = a.Epoch
	m.spend() // what has not passed its fence until now
	for k := int64(1); k <= a.Tokens; k++ {
		after := max(0, time.Duration(((k-a.Level)*a.Per-a.Part+a.Refill-1)/a.Refill)*time.Microsecond)
		m.held = append(m.held, token{from: m.first + after, to: m.now() + after})
	}
}

// over returns by how many tokens the members have spent more than a bucket lets through, at the worst moment.
func over(members []*member, limit bucket.Limit) (over int) {
	var all []token
	for _, m := range members {
		all = append(all, m.spent...)
	}
	slices.SortFunc(all, func(a, b token) int { return int(a.to - b.to) })
	for _, begin := range all {
		n := 0
		for _, end := range all {
			if end.from < begin.from {
				continue
			}
			n++
			comes := limit.Refill*int64(end.to-begin.from+time.Microsecond)/int64(limit.Per) + 1
			over = max(over, n-int(limit.Capacity+comes))
		}
	}
	return over
}

// spent returns how many tokens the members have spent.
func spent(members []*member) (n int64) {
	for _, m := range members {
		n += m.count.Load()
	}
	return n
}
