package wire

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
	"example.com/fairlead/bucket/storetest"
)

// timeless is the head of a script that gets the instant and the run as its last arguments.
const timeless = "local now, run = tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]\n"

// TestDifferential: the script answers as bucket.Shared does.
func TestDifferential(t *testing.T) {
	client := redistest.Client(t, redistest.Start(t).Addr)
	lua := rueidis.NewLuaScript(timeless + exchange)
	for seed := range uint64(50) {
		keys, err := Keys(fmt.Sprint("budget ", seed))
		require.NoError(t, err)
		storetest.Differential(t, seed, 1000, func(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
			args, err := Args(a)
			if err != nil {
				return bucket.Answer{}, err
			}
			reply, err := lua.Exec(context.Background(), client, keys, append(args, strconv.FormatInt(now, 10), run)).ToString()
			if err != nil {
				return bucket.Answer{}, err
			}
			return Answer(reply)
		})
	}
}

// TestHead: the scripts begin with the head that TestDifferential replaces, and read the time and the run there only.
func TestHead(t *testing.T) {
	for _, script := range []string{Exchange, Create} {
		rest, is := strings.CutPrefix(script, head)
		require.True(t, is)
		require.NotContains(t, rest, "TIME")
		require.NotContains(t, rest, "INFO")
	}
}
