package timeline

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/internal/mean"
)

// group has the calls of one key. Calls without a key have a group too. Calls of all keys beyond MaxKeys share one
// group.
type group struct {
	order int    // 0 for calls without a key
	key   string // as text
	holds breaks // of this key alone
	ended [32]int
	spent mean.Sum

	calls []call // of a picture
}

// groups has the groups of a timeline. Its zero value has none but those of calls without a key.
type groups struct {
	plain  group
	byKey  map[string]*group
	list   []*group // in order of arrival
	others *group   // nil if every key has a group
	more   map[string]struct{}
}

const (
	defaultKeys = 50
	maxKeyBytes = 8 * maxText // by which keys are told apart
	maxMoreKeys = 10_000      // of those without a group; further ones are not counted
	lastOrder   = math.MaxInt
)

// find returns the group of a key. For a new key it returns the group of other keys if there are already most
// groups.
func (gs *groups) find(key string, most int) *group {
	if key == "" {
		return &gs.plain
	}
	key = key[:min(len(key), maxKeyBytes)]
	if g := gs.byKey[key]; g != nil {
		return g
	}
	if len(gs.list) < most {
		if gs.byKey == nil {
			gs.byKey = map[string]*group{}
		}
		g := &group{order: len(gs.list) + 1, key: text(key)}
		gs.byKey[key], gs.list = g, append(gs.list, g)
		return g
	}
	if gs.others == nil {
		gs.others, gs.more = &group{order: lastOrder}, map[string]struct{}{}
	}
	if len(gs.more) < maxMoreKeys {
		gs.more[strings.Clone(key)] = struct{}{}
	}
	return gs.others
}

// maxKeys returns the limit of keys with a group of their own.
func (t *Timeline) maxKeys() int {
	if t.MaxKeys <= 0 {
		return defaultKeys
	}
	return t.MaxKeys
}

// rows returns what stands below one another, which is the calls and, if there are keys, a heading for each group.
func (p picture) rows() (all []row) {
	if p.groups == nil {
		for i := range p.calls {
			all = append(all, row{call: &p.calls[i]})
		}
		return all
	}
	for i := range p.groups {
		g := &p.groups[i]
		all = append(all, row{group: g})
		for j := range g.calls {
			all = append(all, row{group: g, call: &g.calls[j]})
		}
	}
	return all
}

// row is a call, or the heading of a group if call is nil.
type row struct {
	group *group
	call  *call
}

// draw returns the groups for a picture, in order. Each takes its calls from the list, which is sorted by groups.
func (gs *groups) draw(calls []call, now, first time.Duration) (all []group) {
	every := append([]*group{&gs.plain}, gs.list...)
	if gs.others != nil {
		every = append(every, gs.others)
	}
	for _, g := range every {
		d := *g
		n := 0
		for n < len(calls) && calls[n].group == g {
			n++
		}
		d.calls, calls = calls[:n], calls[n:]
		d.holds = shift(g.holds.until(now), first)
		if g.order > 0 || n > 0 || total(g.ended) > 0 {
			all = append(all, d)
		}
	}
	return all
}

// leftOut says how many keys have no group of their own, or "".
func (gs *groups) leftOut() string {
	switch n := len(gs.more); {
	case n == 0:
		return ""
	case n == maxMoreKeys:
		return fmt.Sprintf("%d or more other keys", n)
	default:
		return count(n, "other key")
	}
}

// title returns what stands above the calls of a group.
func (p picture) title(g *group) string {
	switch g.order {
	case 0:
		return "no key"
	case lastOrder:
		return p.leftOut
	}
	return g.key
}

// name returns the title of a group in a form for text.
func (p picture) name(g *group) string {
	if 0 < g.order && g.order < lastOrder {
		return "key " + strconv.Quote(g.key)
	}
	return p.title(g)
}

// describe says in one line what happened to all calls of a group.
func (p picture) describe(g *group) string {
	s := p.name(g) + ": " + count(total(g.ended), "call") + " ended" + outcomes(g.ended)
	if n := g.ended[events.Refused]; n > 0 {
		s += fmt.Sprintf("; %s refused", count(n, "more call"))
	}
	if g.spent.Calls > 0 {
		s += fmt.Sprintf("; on average a call took %v", g.spent.Mean())
	}
	return s
}
