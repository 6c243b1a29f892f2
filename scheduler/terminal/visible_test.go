package terminal

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// nasty contains what a terminal obeys: sequences that set the title, clear the screen and write to the clipboard,
// the C1 form of one, DEL, overrides, and a stray byte that begins a sequence on a terminal without UTF-8.
const nasty = "\x1b]0;title\x07\x1b[2J\x1b]52;c;aGk=\x1b\\\u009b2J\x7f\u202eabc\u2066\u2028\x9b2J\x00"

const nastyShown = `\x1b]0;title\x07\x1b[2J\x1b]52;c;aGk=\x1b\\u009b2J\x7f\u202eabc\u2066\u2028\x9b2J\x00`

func TestVisible(t *testing.T) {
	require.Equal(t, nastyShown, Visible(nasty))
	require.Equal(t, `a\r\n\tb`, Visible("a\r\n\tb"))
	for _, same := range []string{"", "日本語 é – \\x1b", "👩‍👩‍👧", "\ufffd", "שלום"} {
		require.Equal(t, same, Visible(same))
	}
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		obeyed := r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x61c || r == 0x200e || r == 0x200f ||
			r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		require.Equal(t, obeyed, Visible(string(r)) != string(r), "%U", r)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		shown := Visible(s)
		requireHarmless(t, shown, "")
		require.True(t, shown == s || len(shown) > len(s))
		require.Equal(t, shown, Visible(shown), "a second pass changes nothing")
	})
}

// requireHarmless checks that a terminal obeys nothing in text except what is in keep.
func requireHarmless(t require.TestingT, text, keep string) {
	require.True(t, utf8.ValidString(text), "%q", text)
	for _, r := range text {
		if obeys(r) && !strings.ContainsRune(keep, r) {
			require.Failf(t, "a terminal obeys", "%q in %q", r, text)
		}
	}
}

// TestH83_MessagesCannotDriveATerminal has a server's text in the picture, in lines and in messages, also in an
// unfinished message and in those after Stop.
func TestH83_MessagesCannotDriveATerminal(t *testing.T) {
	bubble(t, func(t *testing.T, _ *scheduler.Scheduler, out *file) {
		s, err := scheduler.New(scheduler.Config{Limits: bucket.Limits{nasty: bucket.PerSecond(1)}})
		require.NoError(t, err)
		defer s.Close()
		require.NoError(t, s.Do(t.Context(), func(context.Context) error { return nil }))

		view := Watch(s, Config{Out: out, Title: nasty})
		time.Sleep(3 * time.Second)
		fmt.Fprintf(view, "a\tb\r\n%s\nbegun %s", nasty, nasty)
		view.Stop()
		n, err := fmt.Fprintf(view, "over %s\n", nasty)
		require.NoError(t, err)
		require.Equal(t, len("over ")+len(nasty)+1, n, "the length of the text before it was made visible")
		requireHarmless(t, out.String(), "\n\t")
		for _, want := range []string{"|" + nastyShown + ": 0 done", " " + nastyShown + " left, ", "a\tb\n" + nastyShown + "\n", "|begun " + nastyShown + "\n", "|over " + nastyShown + "\n"} {
			require.Contains(t, out.String(), want)
		}

		var drawn bytes.Buffer
		view = Watch(s, Config{Out: &drawn})
		view.mu.Lock()
		view.style.title = nasty
		view.screen = &screen{out: &drawn, size: func() (int, int) { return 200, 20 }}
		view.mu.Unlock()
		fmt.Fprintf(view, "%s\n", nasty)
		view.Stop()
		require.Contains(t, drawn.String(), "\r"+nastyShown+"\n\x1b[?7l"+nastyShown+"  ")
	})
}
