package wire

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestAnswer: a reply that is not an answer is an error.
func TestAnswer(t *testing.T) {
	got, err := Answer("1 -2 3 4 5 6 7 8 9 10 11 12-ab")
	require.NoError(t, err)
	require.Equal(t, bucket.Answer{
		Tokens: 1, Level: -2, Part: 3, Refill: 4, Per: 5, Capacity: 6, Version: 7, Sharers: 8,
		Ahead: 9 * time.Microsecond, Held: 10 * time.Microsecond, Learning: 11 * time.Microsecond, Epoch: "12-ab",
	}, got)
	for _, reply := range []string{"", "1 2", "1 -2 3 4 5 6 7 8 9 10 x 12-ab", "1 -2 3 4 5 6 7 8 9 10 11"} {
		_, err = Answer(reply)
		require.ErrorIs(t, err, errReply)
	}
}
