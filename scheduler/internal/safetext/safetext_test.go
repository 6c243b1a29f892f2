package safetext

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// panics is an error whose methods panic.
type panics struct{}

func (panics) Error() string { panic(panics{}) }

// TestTexts checks that no error and no name can harm a program or a terminal.
func TestTexts(t *testing.T) {
	require.Empty(t, Of(nil))
	require.Equal(t, "a\nb", Of(errors.Join(errors.New("a"), errors.New("b"))))
	require.Contains(t, Of(panics{}), "safetext.panics")
	require.Equal(t, "a; b; c; d\te", Line("a\r\nb\nc\rd\te"))
	require.Equal(t, "�[31m�x�", Line("\x1b[31m\u202ex\u2028"))
}
