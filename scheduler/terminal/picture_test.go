package terminal

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew; check them in the diff")

// TestPictures draws the transcripts in testdata. Each is a list of states, followed by the picture
// of each:
//
//	the differences from the state before, one a line (see painter.set)
//	draw 80, or plain
//	----
//	the picture
//
// After a change, run go test . -run TestPictures -rewrite and read the diff.
func TestPictures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := newPainter(t).paint(string(want))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

// painter holds the state that is drawn.
type painter struct {
	t       testing.TB
	style   style
	counts  counts
	history *history
	colours bool
	stopped bool
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func newPainter(t testing.TB) *painter {
	return &painter{t: t, history: newHistory(scheduler.Snapshot{At: epoch, Rate: 1})}
}

func (p *painter) paint(transcript string) string {
	var out strings.Builder
	for i, part := range strings.Split(strings.TrimSpace(transcript), "\n\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		commands, _, _ := strings.Cut(part, "\n----")
		out.WriteString(commands + "\n")
		for _, command := range strings.Split(commands, "\n") {
			if !strings.HasPrefix(command, "#") {
				out.WriteString(p.set(command))
			}
		}
	}
	return out.String()
}

// set runs a command and returns what it draws, if anything.
//
//	title crawl, total 320, done 120, failed 3
//	budget requests 12 of 60 per 1m     what is left of a budget, and its limit
//	running 8, queued 41, retries 14, backing-off 3 1.2s, later 2 9h
//	key acme 12 3 2.5s, others 12 3     what a key has queued and running, and its longest wait
//	held 12s, paused, paused 5s, resumed, rate 0.5, closed
//	look 10s attempts=50 ended=40 spent=50
//	                                    adds a snapshot 10 s later; counts are since the one before
//	ascii yes, colours yes, stopped yes
//	draw 80, plain
func (p *painter) set(command string) string {
	verb, rest, _ := strings.Cut(command, " ")
	snap := &p.history.now
	switch verb {
	case "title":
		p.style.title = rest
	case "total":
		p.style.total = p.int(rest)
	case "done":
		p.counts.done = p.int(rest)
	case "failed":
		p.counts.failed = p.int(rest)
	case "budget":
		p.budget(strings.Fields(rest))
	case "running":
		snap.Running = int(p.int(rest))
	case "queued":
		snap.Queued = int(p.int(rest))
	case "retries":
		snap.Totals.Retries = uint64(p.int(rest))
	case "backing-off":
		n, next, _ := strings.Cut(rest, " ")
		snap.BackingOff, snap.NextRetry = int(p.int(n)), p.in(next)
	case "later":
		n, next, _ := strings.Cut(rest, " ")
		snap.Later, snap.NextLater = int(p.int(n)), p.in(next)
	case "key":
		p.history.keys.keys = append(p.history.keys.keys, p.load(strings.Fields(rest)))
	case "others":
		p.history.keys.others = p.load(append([]string{"others"}, strings.Fields(rest)...))
	case "held":
		snap.HeldUntil = p.in(rest)
	case "paused":
		snap.Paused, snap.PausedUntil = true, p.in(rest)
	case "resumed":
		snap.Paused, snap.PausedUntil, snap.HeldUntil = false, time.Time{}, time.Time{}
	case "rate":
		rate, err := strconv.ParseFloat(rest, 64)
		require.NoError(p.t, err)
		snap.Rate = rate
	case "closed":
		snap.Closed = true
	case "look":
		p.look(strings.Fields(rest))
	case "ascii":
		p.style.ascii = rest == "yes"
	case "colours":
		p.colours = rest == "yes"
	case "stopped":
		p.stopped = rest == "yes"
	case "draw":
		return "----\n" + p.draw(int(p.int(rest)))
	case "plain":
		return "----\n" + p.style.plain(p.history, p.counts, p.stopped) + "\n"
	default:
		p.t.Fatalf("unknown command %q", command)
	}
	return ""
}

// load reads a key, how many of its calls are queued and running, and how long the first has waited.
func (p *painter) load(words []string) load {
	l := load{key: strings.Trim(words[0], `"`), queued: int(p.int(words[1])), running: int(p.int(words[2]))}
	if len(words) > 3 {
		l.wait = p.in(words[3]).Sub(p.history.now.At)
	}
	return l
}

func (p *painter) int(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	require.NoError(p.t, err)
	return n
}

// in returns the instant that long after the snapshot, or the zero time for "".
func (p *painter) in(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	d, err := time.ParseDuration(s)
	require.NoError(p.t, err)
	return p.history.now.At.Add(d)
}

func (p *painter) budget(words []string) {
	require.Len(p.t, words, 6)
	name := strings.Trim(words[0], `"`)
	b := scheduler.Budget{Name: name, Available: p.int(words[1]), Limit: bucket.Per(p.int(words[3]), p.in(words[5]).Sub(p.history.now.At))}
	budgets := &p.history.now.Budgets
	for i := range *budgets {
		if (*budgets)[i].Name == name {
			b.Ledger = (*budgets)[i].Ledger
			(*budgets)[i] = b
			return
		}
	}
	*budgets = append(*budgets, b)
	p.history.first.Budgets = append(p.history.first.Budgets, scheduler.Budget{Name: name})
}

// look adds a snapshot that is some time later.
func (p *painter) look(words []string) {
	snap := p.history.now
	snap.At = p.in(words[0])
	snap.Budgets = append([]scheduler.Budget(nil), snap.Budgets...)
	for _, w := range words[1:] {
		name, n, _ := strings.Cut(w, "=")
		switch name {
		case "attempts":
			snap.Totals.Attempts += uint64(p.int(n))
		case "ended":
			snap.Totals.Succeeded += uint64(p.int(n))
		case "spent":
			for i := range snap.Budgets {
				snap.Budgets[i].Ledger.Spent += p.int(n)
			}
		default:
			p.t.Fatalf("a look does not see %q", w)
		}
	}
	p.history.add(snap)
}

// draw returns the picture, with ^ for the escape character.
func (p *painter) draw(columns int) string {
	var b strings.Builder
	for _, l := range p.style.picture(p.history, p.counts, p.stopped, columns) {
		require.Less(p.t, displaywidth.String(l.String()), columns)
		text := l.String()
		if p.colours {
			text = l.paint()
		}
		b.WriteString(strings.ReplaceAll(text, "\x1b", "^") + "\n")
	}
	return b.String()
}

// TestPictureFits checks that with any names and width each line is narrower than the terminal, takes
// one row, and has no character that a terminal would obey.
func TestPictureFits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPainter(t)
		p.style = style{title: rapid.String().Draw(rt, "title"), total: rapid.Int64Min(0).Draw(rt, "total"), ascii: rapid.Bool().Draw(rt, "ascii")}
		p.counts = counts{rapid.Int64().Draw(rt, "done"), rapid.Int64().Draw(rt, "failed")}
		p.history.now.Budgets = []scheduler.Budget{{Name: rapid.String().Draw(rt, "budget"), Available: rapid.Int64().Draw(rt, "available")}}
		if rapid.Bool().Draw(rt, "keyed") {
			p.history.keys.keys = []load{{key: rapid.String().Draw(rt, "key"), queued: 12}, {key: rapid.String().Draw(rt, "key"), running: 1}}
			p.history.keys.others = load{queued: 3}
		}
		columns := rapid.IntRange(2, 200).Draw(rt, "columns")
		for _, l := range p.style.picture(p.history, p.counts, rapid.Bool().Draw(rt, "over"), columns) {
			if w := displaywidth.String(l.String()); w >= columns {
				rt.Fatalf("%q is %d columns wide", l, w)
			}
			if n := rows(l.String(), columns); n != 1 {
				rt.Fatalf("%q takes %d rows of %d columns", l, n, columns)
			}
			if strings.ContainsAny(l.String(), "\x1b\r\n\t\b\u009b\x00") {
				rt.Fatalf("%q has control characters", l)
			}
		}
	})
}

// TestPercent checks that percentages are exact, and 100 only when all is done.
func TestPercent(t *testing.T) {
	for done := range int64(101) {
		require.EqualValues(t, done, style{total: 100}.percent(counts{done: done}))
	}
	require.Equal(t, 99, style{total: 1_000_000_000_000}.percent(counts{done: 999_999_999_999}))
	require.Zero(t, style{total: 100}.percent(counts{done: -1}))
}

// TestRows checks that rows are counted as terminals wrap them.
func TestRows(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    int
	}{
		{"", 10, 1}, {"0123456789", 10, 1}, {"0123456789a", 10, 2}, {"01234567890123456789", 10, 2}, {"012345678901234567890", 10, 3},
		{"日本語", 6, 1}, {"日本語", 5, 2}, {"日本語日本語", 5, 3}, {"e\u0301e\u0301", 2, 1}, {"e\u0301e\u0301e\u0301", 2, 2},
	} {
		require.Equal(t, c.want, rows(c.text, c.columns), "%q on %d columns", c.text, c.columns)
	}
}

// TestClean checks that names can't drive a terminal.
func TestClean(t *testing.T) {
	require.Equal(t, `a\x1b[2J\nb\tc`, clean("a\x1b[2J\nb\tc", false))
	require.Equal(t, "日本語", clean("日本語", false))
	require.Equal(t, "??? b", clean("日本語 b", true))
	require.Equal(t, `a\xffb`, clean("a\xffb", false))
	require.Equal(t, `a\u202eb`, clean("a\u202eb", false), "it would reverse the rest of the line")
}
