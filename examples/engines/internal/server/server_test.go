//go:build unix

package server

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestServers checks that the servers answer, and end with their tests.
func TestServers(t *testing.T) {
	ctx, postgres, redis := context.Background(), "", ""
	t.Run("postgres", func(t *testing.T) {
		postgres = Postgres(t)
		c, err := pgx.Connect(ctx, postgres)
		require.NoError(t, err)
		var two int
		require.NoError(t, c.QueryRow(ctx, "SELECT 1 + 1").Scan(&two))
		require.Equal(t, 2, two)
		require.NoError(t, c.Close(ctx))
	})
	t.Run("redis", func(t *testing.T) {
		redis = Redis(t)
		c, err := net.Dial("tcp", redis)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write([]byte("PING\r\n"))
		require.NoError(t, err)
		pong := make([]byte, 5)
		_, err = c.Read(pong)
		require.NoError(t, err)
		require.Equal(t, "+PONG", string(pong))
	})
	if strings.HasPrefix(postgres, "host=") {
		_, err := pgx.Connect(ctx, postgres)
		require.Error(t, err, "it has ended")
	}
	if redis != "" {
		_, err := net.Dial("tcp", redis)
		require.Error(t, err, "it has ended")
	}
}
