// Package browser_test opens a timeline's page in a real browser. It is a module of its own, so
// that users of the library don't download what drives the browser.
package browser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// executable returns the path of a browser, or skips the test if there is none. CI has one.
func executable(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "there is no Chromium to open the page in: apt-get install chromium"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

const calls = 30

// page writes a timeline of calls that each wait, run, back off and run again. Every tenth call
// fails in the end.
func page(t *testing.T) string {
	var list []events.Event
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range calls {
		at := func(s int) time.Time { return noon.Add(time.Duration(i+s) * time.Second) }
		name := fmt.Sprintf("<script>console.error(%d)</script>", i+1)
		times := events.Times{Queue: time.Second, Run: 3 * time.Second, Backoff: time.Second}
		last := events.Event{At: at(5), Kind: events.Succeeded, Times: times, Attempt: 2}
		if i%10 == 9 {
			last.Kind, last.Err = events.Exhausted, errors.New("503 & more")
		}
		for _, ev := range []events.Event{
			{At: at(0), Kind: events.Queued, Attempt: 1},
			{At: at(1), Kind: events.Granted, Attempt: 1},
			{At: at(2), Kind: events.Retrying, Attempt: 1, Err: errors.New("503")},
			{At: at(3), Kind: events.Queued, Attempt: 2},
			{At: at(3), Kind: events.Granted, Attempt: 2},
			last,
		} {
			ev.Call, ev.Name = uint64(i+1), name
			list = append(list, ev)
		}
	}
	slices.SortStableFunc(list, func(a, b events.Event) int { return a.At.Compare(b.At) })
	var tl timeline.Timeline
	for _, ev := range list {
		tl.Add(ev)
	}
	path := filepath.Join(t.TempDir(), "page.html")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, errors.Join(tl.WriteHTML(f), f.Close()))
	return "file://" + filepath.ToSlash(path)
}

// complaints collects errors that the browser reports about a page, and requests to other places.
type complaints struct {
	mu   sync.Mutex
	all  []string
	page string
}

func (c *complaints) listen(ev any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		c.all = append(c.all, ev.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		c.all = append(c.all, "console."+string(ev.Type))
	case *log.EventEntryAdded:
		c.all = append(c.all, ev.Entry.Text)
	case *network.EventRequestWillBeSent:
		if ev.Request.URL != c.page {
			c.all = append(c.all, "a request to "+ev.Request.URL)
		}
	}
}

func evaluate[T any](ctx context.Context, t *testing.T, js string) T {
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	require.NoError(t, err, js)
	return v
}

func command[P, R any](ctx context.Context, t *testing.T, c cdp.Command[P, R], params P) {
	_, err := chromedp.Call(ctx, c, params)
	require.NoError(t, err)
}

// TestPage checks that the browser reports no error and requests nothing else, that all calls and
// spans are visible, that every call can be reached by keyboard, and that the page follows a dark theme.
func TestPage(t *testing.T) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(executable(t)), chromedp.NoSandbox, chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, done := chromedp.NewContext(ctx)
	defer done()
	said := complaints{page: page(t)}
	require.NoError(t, chromedp.Listen(ctx, said.listen))
	command(ctx, t, network.Enable, network.EnableParams{})
	command(ctx, t, log.Enable, cdp.Empty{})
	do := func(steps ...chromedp.Action[chromedp.Void]) { require.NoError(t, chromedp.Do(ctx, steps...)) }
	do(chromedp.EmulateViewport(1000, 700), chromedp.Navigate(said.page))

	number := func(js string) float64 { return evaluate[float64](ctx, t, js) }
	words := func(js string) string { return evaluate[string](ctx, t, js) }
	require.Equal(t, float64(calls), number(`document.querySelectorAll("g.call").length`))
	require.Equal(t, float64(calls*4), number(`document.querySelectorAll("rect.span").length`))
	require.Equal(t, float64(calls*4), number(`Array.from(document.querySelectorAll("rect.span")).filter(r => r.getBoundingClientRect().width >= 5).length`))
	require.Equal(t, float64(3), number(`document.querySelectorAll("g.call.bad").length`))
	require.LessOrEqual(t, number(`document.documentElement.scrollWidth`), 1000.0, "the page is wider than the window")

	told := func() string {
		text := words(`document.getElementById("told").textContent`)
		number, _, _ := strings.Cut(strings.TrimPrefix(text, "call "), " ")
		return number
	}
	press := func(keys ...string) {
		for _, key := range keys {
			do(chromedp.KeyEvent(key))
		}
	}
	for range 10 { // through the buttons
		if press(kb.Tab); words(`document.activeElement.tagName`) == "g" {
			break
		}
	}
	require.Equal(t, "1", told())
	for _, step := range []struct{ key, call string }{
		{kb.ArrowUp, "1"}, {kb.ArrowDown, "2"}, {kb.PageDown, "22"}, {kb.End, "30"}, {kb.ArrowDown, "30"},
		{kb.Home, "1"}, {"f", "10"}, {"f", "20"}, {"f", "30"}, {"f", "30"}, {kb.PageUp, "10"},
	} {
		press(step.key)
		require.Equal(t, step.call, told())
		require.Equal(t, 1.0, number(`document.querySelectorAll("g.call[tabindex='0']").length`))
	}
	next := chromedp.Click(chromedp.CSS(`button[data-key="f"]`))
	for _, call := range []string{"20", "30"} { // where the keys had come to
		do(next)
		require.Equal(t, call, told())
	}
	width := func() float64 { return number(`document.getElementById("wide").offsetWidth`) }
	before := width()
	press("+", "+")
	require.Equal(t, 4*before, width())
	press("-")
	require.Equal(t, 2*before, width())
	press(kb.ArrowRight)
	require.Greater(t, number(`document.getElementById("view").scrollLeft`), 0.0)
	do(chromedp.Click(chromedp.CSS(`button[data-key="0"]`)))
	require.Equal(t, before, width())

	background := func(scheme string) string {
		command(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return words(`getComputedStyle(document.body).backgroundColor`)
	}
	require.Equal(t, "rgb(255, 255, 255)", background("light"))
	require.Equal(t, "rgb(13, 17, 23)", background("dark"))
	said.mu.Lock()
	defer said.mu.Unlock()
	require.Empty(t, said.all)
}
