//go:build !plan9

package retry_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func op(name string, err error) error { return &net.OpError{Op: name, Net: "tcp", Err: err} }
func get(err error) error             { return &url.Error{Op: "Get", URL: "https://example.com", Err: err} }

func TestNetwork(t *testing.T) {
	syscalled := func(errno syscall.Errno) error { return os.NewSyscallError("connect", errno) }
	tests := []struct {
		name string
		give error
		want retry.Verdict
	}{
		{"nil", nil, final},
		{"plain", errPlain, final},
		{"plain inside a url.Error", get(errPlain), final},

		{"markers decide", get(retry.After(errPlain, 3)), limited(3)},
		{"transient marker wins over a final failure", retry.Transient(context.Canceled), transient},
		{"permanent marker wins over a temporary failure", retry.Permanent(syscall.ECONNRESET), final},
		{"no wait in the method, but a timeout", &pointed{-1}, final},

		{"deadline exceeded", get(context.DeadlineExceeded), transient},
		{"os deadline exceeded", op("accept", os.ErrDeadlineExceeded), transient},
		{"canceled", get(context.Canceled), final},
		{"canceled wins over a timeout", errors.Join(context.DeadlineExceeded, context.Canceled), final},
		{"timeout of the system", syscalled(syscall.ETIMEDOUT), transient},

		{"EOF", io.EOF, final},
		{"EOF, wrapped by hand", wrap(io.EOF), final},
		{"EOF of a request", get(wrap(io.EOF)), transient},
		{"EOF of an operation", op("proxyconnect", io.EOF), transient},
		{"EOF beside a request", errors.Join(get(errPlain), io.EOF), final},
		{"unexpected EOF", io.ErrUnexpectedEOF, transient},

		{"refused", syscalled(syscall.ECONNREFUSED), transient},
		{"reset", wrap(syscall.ECONNRESET), transient},
		{"aborted", wrap(syscall.ECONNABORTED), transient},
		{"broken pipe", wrap(syscall.EPIPE), transient},
		{"another error of the system", wrap(syscall.ENOENT), final},

		{"dial", op("dial", syscalled(syscall.EHOSTUNREACH)), transient},
		{"read", op("read", syscalled(syscall.EIO)), transient},
		{"write", op("write", errPlain), transient},
		{"listen", op("listen", syscalled(syscall.EADDRINUSE)), final},
		{"dial not permitted", op("dial", syscalled(syscall.EACCES)), final},
		{"read of a connection that we closed", op("read", net.ErrClosed), final},
		{"file not permitted", &fs.PathError{Op: "open", Path: "x", Err: syscall.EPERM}, final},

		{"no such host", op("dial", &net.DNSError{Err: "no such host", IsNotFound: true, IsTemporary: true}), final},
		{"DNS server failure", op("dial", &net.DNSError{Err: "server misbehaving"}), final},
		{"temporary DNS failure", op("dial", &net.DNSError{Err: "server misbehaving", IsTemporary: true}), transient},
		{"DNS timeout", &net.DNSError{Err: "timeout", IsTimeout: true}, transient},

		{"TLS alert from the server", get(op("remote error", errPlain)), final},
		{"TLS alert of our own", op("dial", op("local error", errPlain)), final},
		{"TLS alert and EOF", op("remote error", io.EOF), final},
		{"certificate", get(&tls.CertificateVerificationError{Err: errPlain}), final},

		{"bad address", op("dial", &net.AddrError{Err: "missing port"}), final},
		{"bad literal", op("dial", &net.ParseError{Type: "IP address"}), final},
		{"invalid address", op("dial", net.InvalidAddrError("x")), final},
		{"unknown network", op("dial", net.UnknownNetworkError("x")), final},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, retry.Network(tt.give))
			if tt.give != nil {
				require.Equal(t, tt.want, retry.Network(fmt.Errorf("call 7: %w", tt.give)), "wrapped")
				require.Equal(t, tt.want, retry.Network(errors.Join(errPlain, tt.give)), "joined")
			}
		})
	}
}

func TestNetwork_SurvivesNilPointers(t *testing.T) {
	var (
		nilOp   *net.OpError
		nilDNS  *net.DNSError
		nilURL  *url.Error
		nilPath *fs.PathError
	)
	for _, err := range []error{
		nilOp, nilDNS, nilURL, nilPath, get(nilOp), get(nil), op("accept", nilDNS), op("accept", nil),
		&fs.PathError{Err: nilOp}, os.NewSyscallError("connect", nilOp), errors.Join(nilOp, nilURL),
	} {
		require.NotPanics(t, func() { require.Equal(t, final, retry.Network(err)) })
	}
}

// TestNetwork_RealDials checks errors of real failures, because the table above has made-up ones.
func TestNetwork_RealDials(t *testing.T) {
	const closed = "127.0.0.1:1" // a port that is given to no server
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()

	tests := []struct {
		name          string
		ctx           context.Context
		network, addr string
		want          retry.Verdict
	}{
		{"refused", t.Context(), "tcp", closed, transient},
		{"unknown network", t.Context(), "tcp9", closed, final},
		{"no port", t.Context(), "tcp", "127.0.0.1", final},
		{"port out of range", t.Context(), "tcp", "127.0.0.1:99999", final},
		{"canceled", canceled, "tcp", closed, final},
		{"expired", expired, "tcp", closed, transient},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := (&net.Dialer{}).DialContext(tt.ctx, tt.network, tt.addr)
			require.Error(t, err)
			require.Equal(t, tt.want, retry.Network(err), "%#v", err)
		})
	}
}

func TestNetwork_RealConnectionLost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}))
	defer server.Close()
	_, err := server.Client().Post(server.URL, "text/plain", nil)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, transient, retry.Network(err))
}

func TestNetwork_RealTLSFailures(t *testing.T) {
	near, far := net.Pipe()
	done := make(chan error)
	go func() {
		err := tls.Server(far, &tls.Config{}).Handshake() // has no certificate, so it sends an alert
		done <- errors.Join(err, far.Close())
	}()
	err := tls.Client(near, &tls.Config{ServerName: "example.com"}).Handshake()
	require.Error(t, <-done)
	require.NoError(t, near.Close())
	require.Error(t, err)
	require.Equal(t, final, retry.Network(err), "%#v", err)

	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the server logs the client's failure
	server.StartTLS()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{}} // does not trust the server's certificate
	_, err = client.Get(server.URL)
	require.Error(t, err)
	require.Equal(t, final, retry.Network(err), "%#v", err)
}
