package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// partFile returns the name of the output of a part.
func (st *site) partFile(number, of int) string {
	return strings.Replace(st.out, ".jsonl", fmt.Sprintf(".%d-of-%d.jsonl", number, of), 1)
}

// joinParts puts the outputs of parts together in -out, as cat does.
func (st *site) joinParts(of int) {
	var all []byte
	for number := 1; number <= of; number++ {
		text, err := os.ReadFile(st.partFile(number, of))
		require.NoError(st.t, err)
		all = append(all, text...)
	}
	require.NoError(st.t, os.WriteFile(st.out, all, 0o600))
}

// TestPartsAnswerEachLineOnce checks that the parts of a file, run at the same time, are disjoint and complete.
// Put together they are a whole output.
func TestPartsAnswerEachLineOnce(t *testing.T) {
	const of, n = 8, 50
	lines := append(requests(n), "", "{bad", "")
	st := newSite(t, generous, lines...)
	var all sync.WaitGroup
	for number := 1; number <= of; number++ {
		all.Go(func() {
			sum, err := st.process("-part", fmt.Sprintf("%d/%d", number, of))
			if err != nil || sum.answered+sum.failed < n/of || sum.answered+sum.failed > n/of+1 || sum.todo+sum.duplicated > 0 {
				t.Errorf("part %d: %+v, %v", number, sum, err)
			}
			if want := fmt.Sprintf("part:             %d/8, in %s\nanswered: ", number, st.partFile(number, of)); !strings.HasPrefix(sum.String(), want) {
				t.Errorf("%q does not begin with %q", sum, want)
			}
		})
	}
	all.Wait()
	require.NoFileExists(t, st.out)
	require.Len(t, st.entries(), n)
	st.requireNoneRepeated()

	st.joinParts(of)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: n, failed: 1}, sum.counts)
	require.NotContains(t, sum.String(), "part:")
	require.Len(t, st.results(), n+1)
	require.Len(t, st.entries(), n, "nothing is sent again")
}

// TestPartResumes checks that a part goes on from a torn result, and takes its share of lines that were appended
// since. No other part's line is sent.
func TestPartResumes(t *testing.T) {
	lines := requests(12)
	st := newSite(t, generous, lines[:7]...)
	_, err := st.process("-part", "2/3")
	require.NoError(t, err)
	require.Len(t, st.entries(), 2, "lines 2 and 5")

	path := st.partFile(2, 3)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text[:len(text)-5], 0o600))
	st.input(lines...)
	r := st.start("-part", "2/3")
	sum := r.result(t)
	require.Equal(t, counts{answered: 4}, sum.counts)
	require.Contains(t, r.log.String(), "batch 2/3: 4 of 4 done, 100%, in ")
	require.Len(t, st.entries(), 2+1+2, "the torn one, 8 and 11")
	for _, e := range st.entries() {
		require.Equal(t, 2, lineOf(e.ID)%3, e.ID)
	}
}

// TestPartAgain checks that -again runs the failures of its own part only.
func TestPartAgain(t *testing.T) {
	st := newSite(t, generous, requests(6)...)
	st.intercept(refuse(func(line int) bool { return line > 2 }))
	for _, part := range []string{"1/2", "2/2"} {
		_, err := st.process("-part", part)
		require.NoError(t, err)
	}
	st.intercept(nil)
	sum, err := st.process("-part", "2/2", "-again")
	require.NoError(t, err)
	require.Equal(t, counts{answered: 3}, sum.counts)
	require.Len(t, st.entries(), 4+1)
	st.joinParts(2)
	sum, err = st.process("-again")
	require.NoError(t, err)
	require.Equal(t, counts{answered: 6}, sum.counts)
	require.Len(t, st.entries(), 4+2)
}

// TestPartOfMixedUpFiles checks that a run in parts ends before it sends anything if an output may have answers
// to lines of other parts, or other outputs may have answers to its lines.
func TestPartOfMixedUpFiles(t *testing.T) {
	st := newSite(t, generous, requests(6)...)
	_, err := st.process()
	require.NoError(t, err)
	_, err = st.process("-part", "2/3")
	require.EqualError(t, err, "-out "+st.out+": it exists, and may have answers to lines of part 2/3: continue without -part, or move it away")
	require.ErrorAs(t, err, new(*fileError), "exit code 2")

	require.NoError(t, os.Rename(st.out, st.partFile(2, 3)))
	before, err := os.ReadFile(st.partFile(2, 3))
	require.NoError(t, err)
	_, err = st.process("-part", "2/3", "-again")
	require.ErrorContains(t, err, "-out "+st.partFile(2, 3)+": it has a result of line ")
	require.ErrorContains(t, err, ", which is not in part 2/3: move it away, or continue without -part")
	require.ErrorAs(t, err, new(*fileError), "exit code 2")
	after, err := os.ReadFile(st.partFile(2, 3))
	require.NoError(t, err)
	require.Equal(t, before, after)

	require.NoError(t, os.Mkdir(st.out, 0o700))
	_, err = st.process("-part", "1/3")
	require.EqualError(t, err, "-out "+st.out+": it is a folder: name a regular file, or one that is to be made")
	require.Len(t, st.entries(), 6)
}

// TestPartFiles checks that each part has a timeline and a trace of its own.
func TestPartFiles(t *testing.T) {
	for path, want := range map[string]string{
		"a/out.jsonl": "a/out.2-of-8.jsonl", "a.b/out": "a.b/out.2-of-8", "x.tar.gz": "x.tar.2-of-8.gz", "": "",
	} {
		require.Equal(t, want, (&part{2, 8}).file(path))
		require.Equal(t, path, new(part).file(path))
	}
	cfg, err := parseFlags([]string{"-in", "in", "-out", "o.jsonl", "-report", "r.html", "-trace", "t.json", "-part", "2/8"})
	require.NoError(t, err)
	require.Equal(t, []string{"in", "o.2-of-8.jsonl", "r.2-of-8.html", "t.2-of-8.json"}, []string{cfg.in, cfg.out, cfg.report, cfg.trace})
}

// TestPartFlag checks what -part takes. Its fault says what it must be.
func TestPartFlag(t *testing.T) {
	for _, bad := range []string{"", "2", "0/8", "9/8", "-1/8", "1/0", "02/8", "2/8x", "2 /8", "a/b", "2/99999999999999999999"} {
		_, err := parseFlags([]string{"-in", "in", "-out", "out", "-part", bad})
		require.EqualError(t, err, fmt.Sprintf(`invalid value %q for flag -part: it must be like 2/8, the second of 8 parts, from 1/8 to 8/8`, bad))
	}
	for of := 1; of < 5; of++ {
		for line := 1; line < 20; line++ {
			var owners bytes.Buffer
			for number := 1; number <= of; number++ {
				var p part
				require.NoError(t, p.Set(fmt.Sprintf("%d/%d", number, of)))
				if p.has(line) {
					fmt.Fprint(&owners, number)
				}
			}
			require.Equal(t, fmt.Sprint((line-1)%of+1), owners.String())
		}
	}
}
