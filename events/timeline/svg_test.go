package timeline_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// story returns a run of two dozen calls in virtual time, more than the budget has tokens for. One
// is told by the server to come back later, which holds all calls. Two fail, one of them for good.
func story(t *testing.T) (tl *timeline.Timeline) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{
			Limit: bucket.PerSecond(4).Burst(6), MaxInFlight: 3,
			Retry: retry.Policy{MaxRetries: 2, Initial: 600 * time.Millisecond, Seed: 1},
		})
		require.NoError(t, err)
		tl = new(timeline.Timeline)
		sub := s.Subscribe(events.All)
		attempts := make([]int, 24)
		var handles []*scheduler.Handle
		for i := range attempts {
			h, err := s.Submit(t.Context(), func(context.Context) error {
				attempts[i]++
				time.Sleep(time.Duration(203+i%5*117+i) * time.Millisecond)
				switch {
				case i == 9 && attempts[i] == 1:
					return retry.After(errors.New("429 Too Many Requests"), 1200*time.Millisecond)
				case i == 3 && attempts[i] == 1, i == 15:
					return retry.Transient(errors.New("connection reset"))
				}
				return nil
			}, scheduler.Name(fmt.Sprint("page ", i+1)))
			require.NoError(t, err)
			handles = append(handles, h)
		}
		for _, h := range handles {
			<-h.Done()
		}
		s.Close()
		for ev := range sub.C {
			tl.Add(ev)
		}
	})
	return tl
}

// TestPicture checks the picture in the README, which shows the story.
func TestPicture(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, story(t).WriteSVG(&b))
	const file = "testdata/run.svg"
	if *rewrite {
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "if that is right: go test ./events/timeline -run Picture -rewrite")
}

// TestPictureOfAnything checks that any picture is well-formed, refers to nothing outside, has the
// calls that the page has, and draws nothing beyond its edges.
func TestPictureOfAnything(t *testing.T) {
	for name, tl := range map[string]*timeline.Timeline{"nothing": {}, "by hand": timelineOf(handMade()...), "story": story(t)} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, tl.WriteSVG(&b))
			require.NotRegexp(t, `(?i)url\(|@import|\ssrc=|\shref=`, b.String())
			dec, calls := xml.NewDecoder(&b), 0
			for {
				token, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				el, ok := token.(xml.StartElement)
				if !ok {
					continue
				}
				require.Contains(t, []string{"svg", "style", "rect", "text", "path", "g", "title"}, el.Name.Local)
				if el.Name.Local == "g" {
					calls++
				}
				if el.Name.Local == "rect" && attribute(el, "x") != "" {
					x, err := strconv.ParseFloat(attribute(el, "x"), 64)
					require.NoError(t, err)
					width, err := strconv.ParseFloat(attribute(el, "width"), 64)
					require.NoError(t, err)
					require.True(t, 140 <= x && width >= 0 && x+width <= 880.1, "%v", el)
				}
			}
			require.Equal(t, readPage(t, tl).rows, calls)
		})
	}
}

// TestPictureNotWritten checks that the writer's error is returned.
func TestPictureNotWritten(t *testing.T) {
	full := errors.New("disk full")
	require.ErrorIs(t, timelineOf(handMade()...).WriteSVG(writerFunc(func([]byte) (int, error) { return 0, full })), full)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
