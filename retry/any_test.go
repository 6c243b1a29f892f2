package retry_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/retry"
)

// hopeless is an error with a method Permanent.
type hopeless bool

func (hopeless) Error() string     { return "hopeless" }
func (h hopeless) Permanent() bool { return bool(h) }

func TestAny(t *testing.T) {
	exhausted := &retry.ExhaustedError{Attempts: 1, Errors: []error{retry.After(errPlain, 3)}}
	var nilExhausted *retry.ExhaustedError
	var nilPointed *pointed
	tests := []struct {
		name string
		give error
		want retry.Verdict
	}{
		{"nil", nil, final},
		{"plain", errPlain, transient},
		{"deadline", context.DeadlineExceeded, transient},
		{"a wait that is too long", &retry.WaitTooLongError{Err: errPlain}, transient},
		{"a nil pointer", nilPointed, transient},
		{"a nil ExhaustedError", nilExhausted, transient},
		{"a method Permanent that returns false", hopeless(false), transient},

		{"canceled", context.Canceled, final},
		{"canceled request", &url.Error{Op: "Get", Err: context.Canceled}, final},
		{"exhausted", exhausted, final},
		{"a method Permanent", hopeless(true), final},

		{"a marker decides", retry.After(errPlain, 3), limited(3)},
		{"a method decides", throttled{true, 5}, limited(5)},
		{"permanent", retry.Permanent(errPlain), final},
		{"permanent wins", retry.After(retry.Permanent(errPlain), 3), final},
		{"a method Permanent wins", errors.Join(retry.After(errPlain, 3), hopeless(true)), final},
		{"a marker wins over canceled", retry.Transient(context.Canceled), transient},
		{"a marker wins over exhausted", retry.After(exhausted, 3), limited(3)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, retry.Any(tt.give))
			if tt.give != nil {
				require.Equal(t, tt.want, retry.Any(wrap(wrap(tt.give))), "wrapped twice")
				require.Equal(t, tt.want, retry.Any(errors.Join(errPlain, tt.give)), "joined")
			}
		})
	}
}

func TestClassify_MethodPermanent(t *testing.T) {
	for _, classify := range []retry.Classifier{retry.Classify, retry.Network, retry.Any} {
		require.Equal(t, final, classify(retry.After(wrap(hopeless(true)), 3)))
		require.Equal(t, limited(3), classify(retry.After(wrap(hopeless(false)), 3)))
	}
	v, ok := retry.Marked(hopeless(true))
	require.True(t, ok)
	require.Equal(t, final, v)
	_, ok = retry.Marked(hopeless(false))
	require.False(t, ok)
}

// TestAny_AnyChain draws errors in any wrapping. It checks Any against its documentation: markers decide, and of the
// others only the canceled and the exhausted are final.
func TestAny_AnyChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var marked, over bool
		err := drawChain(t, 4, &marked, &over)
		want := transient
		if marked {
			want = retry.Classify(err)
		} else if over {
			want = final
		}
		if got := retry.Any(err); got != want {
			t.Fatalf("%+v: %v, want %v", err, got, want)
		}
		if _, ok := retry.Marked(err); ok != marked {
			t.Fatalf("%+v: marked is %v", err, ok)
		}
	})
}

// drawChain draws an error. It notes whether there is a marker in it, and whether a part of it is canceled or exhausted.
func drawChain(t *rapid.T, depth int, marked, over *bool) error {
	kind := rapid.IntRange(0, 10).Draw(t, "kind")
	if depth == 0 {
		kind %= 5
	}
	inner := func() error { return drawChain(t, depth-1, marked, over) }
	switch kind {
	case 0, 1:
		return errPlain
	case 2:
		*over = true
		return context.Canceled
	case 3:
		*over = true
		return &retry.ExhaustedError{Errors: []error{retry.Permanent(retry.RateLimited(errPlain))}} // nothing inside it counts
	case 4:
		*marked = true
		return hopeless(true)
	case 5:
		*marked = true
		return retry.Transient(inner())
	case 6:
		*marked = true
		return retry.Permanent(inner())
	case 7:
		*marked = true
		return retry.After(inner(), 3)
	case 8:
		return errors.Join(inner(), inner())
	case 9:
		return fmt.Errorf("%w and %w", inner(), inner())
	}
	return fmt.Errorf("while asking: %w", inner())
}
