package compat

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/ratelimit"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

var _ ratelimit.Limiter = adapters.Limiter{}

// dial returns a client of gRPC's health service in memory.
func dial(t *testing.T, server grpc.ServerOption, client grpc.DialOption) grpc_health_v1.HealthClient {
	listener := bufconn.Listen(1 << 16)
	s := grpc.NewServer(server)
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:memory", client, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
	})
	return grpc_health_v1.NewHealthClient(conn)
}

func TestGRPC_ClientWaits(t *testing.T) {
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		client := dial(t, grpc.EmptyServerOption{}, grpc.WithUnaryInterceptor(ratelimit.UnaryClientInterceptor(l)))
		started := time.Now()
		for _, at := range seconds(0, 0, 1, 2) {
			_, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
			require.NoError(t, err)
			require.Equal(t, at, time.Since(started))
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err := client.Check(soon, &grpc_health_v1.HealthCheckRequest{})
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
		require.Equal(t, 2*time.Second, time.Since(started), "at once")
	})
}

func TestGRPC_ServerRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		l.Options = []scheduler.Option{scheduler.NoWait()}
		client := dial(t, grpc.UnaryInterceptor(ratelimit.UnaryServerInterceptor(l)), grpc.EmptyDialOption{})
		check := func() codes.Code {
			_, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
			return status.Code(err)
		}
		started := time.Now()
		require.Equal(t, []codes.Code{codes.OK, codes.OK, codes.ResourceExhausted}, []codes.Code{check(), check(), check()})
		require.Zero(t, time.Since(started))
		time.Sleep(time.Second)
		require.Equal(t, codes.OK, check())
	})
}
