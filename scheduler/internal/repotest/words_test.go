package repotest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCommentsReadWell checks the comments of all modules, without their tests. A function's
// comment begins with a verb, as in "Take takes". Pronouns that hide the subject are rare, and so
// are colons.
func TestCommentsReadWell(t *testing.T) {
	var w wordCount
	for _, path := range files(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			w.file(path, read(t, path))
		}
	}
	require.Greater(t, w.functions, 500)
	if n := len(w.noVerb); n*10 > w.functions {
		t.Errorf("%d of %d function comments don't begin with a verb in the third person, more than 10 %%:\n%s", n, w.functions, strings.Join(w.noVerb, "\n"))
	}
	if n := len(w.pronouns); n*1000 > w.lines {
		t.Errorf("%d pronouns like nobody in %d comment lines, more than 1 in 1000; name the subject:\n%s", n, w.lines, strings.Join(w.pronouns, "\n"))
	}
	if n := len(w.colons); n*100 > 12*w.sentences {
		t.Errorf("%d colons in %d sentences of comments, more than 12 in 100:\n%s", n, w.sentences, strings.Join(w.colons, "\n"))
	}
}

// TestWordCount checks the counting itself.
func TestWordCount(t *testing.T) {
	var w wordCount
	w.file("a.go", `package a // nobody, but not a comment of its own

// Take takes one. It waits: for long.
func (b *B) Take() {}

// wait is how long it takes.
func wait() {}

//go:noinline
func f() {
	// Somebody is first.
}
`)
	require.Equal(t, []string{"a.go:6: wait is how long it takes."}, w.noVerb)
	require.Equal(t, []string{"a.go:11: Somebody is first."}, w.pronouns)
	require.Equal(t, []string{"a.go:3: Take takes one. It waits: for long."}, w.colons)
	require.Equal(t, []int{2, 3, 4}, []int{w.functions, w.lines, w.sentences})
}

// wordCount counts what makes comments hard to read, with the places.
type wordCount struct {
	functions, lines, sentences int
	noVerb, pronouns, colons    []string
}

var (
	functionName = regexp.MustCompile(`^func (?:\([^)]*\) )?(\w+)`)
	thirdPerson  = regexp.MustCompile(`^\w+ [a-z-]+s\b`)
	pronoun      = regexp.MustCompile(`(?i)\b(?:whoever|nobody|anybody|somebody|everybody)\b`)
	sentenceEnd  = regexp.MustCompile(`[.!?](?:\s|$)`)
	colon        = regexp.MustCompile(`:(?:\s|$)`)
)

// file counts the comments of a file that have lines of their own.
func (w *wordCount) file(path, text string) {
	first := "" // the first line of the comment before, with its place
	for i, line := range strings.Split(text, "\n") {
		comment, is := strings.CutPrefix(strings.TrimSpace(line), "//")
		if !is {
			if m := functionName.FindStringSubmatch(line); m != nil {
				w.function(m[1], first)
			}
			first = ""
			continue
		}
		if comment != "" && comment[0] != ' ' && comment[0] != '\t' {
			continue // a directive
		}
		at := fmt.Sprintf("%s:%d: %s", path, i+1, strings.TrimSpace(comment))
		if first == "" {
			first = at
		}
		w.lines++
		w.sentences += len(sentenceEnd.FindAllString(comment, -1))
		for range pronoun.FindAllString(comment, -1) {
			w.pronouns = append(w.pronouns, at)
		}
		for range colon.FindAllString(comment, -1) {
			w.colons = append(w.colons, at)
		}
	}
}

// function counts the comment of a function, given its first line with its place.
func (w *wordCount) function(name, first string) {
	_, comment, _ := strings.Cut(first, ": ")
	if !strings.HasPrefix(comment, name+" ") {
		return
	}
	w.functions++
	if !thirdPerson.MatchString(comment) || strings.HasPrefix(comment, name+" is ") {
		w.noVerb = append(w.noVerb, first)
	}
}
