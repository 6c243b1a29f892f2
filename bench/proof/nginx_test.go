package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest/loopback"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// nginxServer is an nginx with limit_req.
type nginxServer struct {
	*child
	url, log string
}

// startNginx starts an nginx that accepts rate requests a second, and burst more at once.
func startNginx(t *testing.T, rate, burst int) *nginxServer {
	nginx, dir := program(t, "nginx"), t.TempDir()
	addr, free, err := loopback.Hold()
	require.NoError(t, err)
	t.Cleanup(free)
	conf := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `
daemon off; master_process off; pid %[1]s/pid; error_log stderr notice;
events {}
http {
	log_format statuses '$status'; access_log %[1]s/log statuses;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	keepalive_requests 100000;
	limit_req_zone $server_name zone=all:1m rate=%[3]dr/s;
	server {
		listen %[2]s; server_name here;
		limit_req_status 429;
		location / { limit_req zone=all burst=%[4]d nodelay; error_page 429 @busy; try_files /none @fine; }
		location @fine { return 200 "fine"; }
		location @busy { add_header Retry-After 1 always; return 429 "busy"; }
	}
}`, dir, addr, rate, burst), 0o600))
	c := start(t, nginx, "-p", dir, "-c", conf)
	c.waitFor(t, "(start worker process|using the \"epoll\")")
	return &nginxServer{c, "http://" + addr + "/", filepath.Join(dir, "log")}
}

// statuses stops the server and counts its answers by status.
func (n *nginxServer) statuses(t *testing.T) map[string]int {
	n.stop()
	log, err := os.ReadFile(n.log)
	require.NoError(t, err)
	by := map[string]int{}
	for _, status := range strings.Fields(string(log)) {
		by[status]++
	}
	return by
}

// TestNginxMatched checks that nothing is refused with the server's own rate and a burst that is smaller by a
// second's worth. The second is for grants that bunch when the owner wakes late on a busy machine (B7). On an
// idle machine a tenth of it is enough.
func TestNginxMatched(t *testing.T) {
	nginx := startNginx(t, 100, 110)
	s := schedule(t, scheduler.Config{Limit: bucket.PerSecond(100).Burst(10)})
	getAll(t, s.client(t, ratehttp.Transport{}), nginx.url, 300)
	require.Equal(t, 300, s.count()[events.Granted])
	require.Equal(t, map[string]int{"200": 300}, nginx.statuses(t))
}

// TestNginxUnmatched checks that with a limit far above the server's, many requests are refused, all are
// answered in the end, and the scheduler has counted each attempt.
func TestNginxUnmatched(t *testing.T) {
	nginx := startNginx(t, 100, 20)
	s := schedule(t, scheduler.Config{Limit: fast, MaxInFlight: 64})
	getAll(t, s.client(t, ratehttp.Transport{}), nginx.url, 150)
	limited := int(s.Snapshot().Totals.RateLimited)
	n, statuses := s.count(), nginx.statuses(t)
	t.Logf("nginx: %v; %d attempts", statuses, n[events.Granted])
	require.Equal(t, 150, statuses["200"])
	require.Positive(t, statuses["429"])
	require.Equal(t, statuses["200"]+statuses["429"], n[events.Granted])
	require.Equal(t, statuses["429"], limited)
	require.Equal(t, statuses["429"], n[events.Retrying])
	require.Equal(t, 150, n[events.Succeeded])
}
