package retry

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
)

// Network judges errors of calls that go over a network. It is a [Classifier]. If [Classify] finds a
// marker or a method, that decides. Otherwise these errors are transient:
//
//   - a timeout, that is a method Timeout() bool that returns true, such as the timeouts of net and
//     net/http, [os.ErrDeadlineExceeded] and [context.DeadlineExceeded] (but a call whose own context is
//     done is never retried);
//   - a [net.OpError] of a dial, a read or a write, such as host unreachable;
//   - the system errors connection refused, reset and aborted, and broken pipe;
//   - [io.ErrUnexpectedEOF], and [io.EOF] inside a [url.Error] or net.OpError;
//   - a [net.DNSError] that is temporary or timed out;
//   - a stream reset or GOAWAY of an HTTP/2 server with INTERNAL_ERROR, CANCEL, REFUSED_STREAM or
//     NO_ERROR, as net/http and golang.org/x/net/http2 report it.
//
// A stream reset or GOAWAY with ENHANCE_YOUR_CALM is rate limited. If the server closes the connection
// while the request is still being written, net/http may return the failed write instead of the GOAWAY.
//
// These errors are final, and win over the ones above:
//
//   - [context.Canceled], and [net.ErrClosed], which comes from our own side;
//   - any other DNS error, such as no such host;
//   - a malformed or unknown address or network;
//   - permission denied;
//   - a TLS alert.
//
// All other errors are final too, such as a bad certificate, io.EOF alone, or one of the few failures
// that net/http reports only as a text. Texts are never read.
//
// A retry repeats the request. Use Network only where the server may see a request twice.
func Network(err error) Verdict {
	if v, ok := Marked(err); ok {
		return v
	}
	kind, final := KindFinal, false
	walk(err, func(err error, _ *mark) {
		if isTransient(err) {
			kind = max(kind, KindTransient)
		}
		if code, ok := http2Code(err); ok {
			kind = max(kind, http2Kind(code))
		}
		final = final || isFinal(err)
	})
	if final {
		return Verdict{}
	}
	return Verdict{Kind: kind}
}

// isTransient reports whether err itself, without the errors that it wraps, is a temporary failure.
func isTransient(err error) bool {
	switch e := err.(type) {
	case *net.OpError:
		return e.Op == "dial" || e.Op == "read" || e.Op == "write" || contains(e.Err, io.EOF)
	case *url.Error:
		return contains(e.Err, io.EOF)
	case *net.DNSError:
		return e.IsTimeout || e.IsTemporary
	case *os.SyscallError, *fs.PathError:
		return false // their Timeout might call a nil pointer; walk visits the cause anyway
	case interface{ Timeout() bool }:
		if e.Timeout() {
			return true
		}
	}
	return matches(err, io.ErrUnexpectedEOF) || isLostConnection(err)
}

// isFinal reports whether err itself, without the errors that it wraps, is a failure that a retry would
// only repeat.
func isFinal(err error) bool {
	switch e := err.(type) {
	case *net.DNSError:
		return e.IsNotFound || !e.IsTimeout && !e.IsTemporary
	case *net.OpError: // crypto/tls reports a TLS alert by these operations
		return e.Op == "local error" || e.Op == "remote error"
	case *net.AddrError, *net.ParseError, net.InvalidAddrError, net.UnknownNetworkError:
		return true
	}
	return matches(err, context.Canceled) || matches(err, net.ErrClosed) || matches(err, fs.ErrPermission)
}

// matches reports whether err itself, without the errors that it wraps, is target or has a method Is
// that says so.
func matches(err, target error) bool {
	if err == target {
		return true
	}
	e, ok := err.(interface{ Is(error) bool })
	return ok && e.Is(target)
}

// contains works like errors.Is, also for errors that may be nil pointers.
func contains(err, target error) (found bool) {
	walk(err, func(err error, _ *mark) { found = found || matches(err, target) })
	return found
}
