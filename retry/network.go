package retry

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
)

// Network is a [Classifier] for calls that go over a network. What [Classify] understands is
// judged by it. Of the rest, these are transient:
//
//   - a timeout, told by a method Timeout() bool: those of net and net/http, [os.ErrDeadlineExceeded]
//     and [context.DeadlineExceeded]. (Once the call's own context is done, no verdict revives it.)
//   - a [net.OpError] of a dial, a read or a write: host unreachable, connection refused and the like;
//   - the system's connection refused, reset, aborted, and broken pipe, where the error is not wrapped so;
//   - [io.ErrUnexpectedEOF], and [io.EOF] inside a [url.Error] or net.OpError. Alone, io.EOF is how a reader
//     says that all went well;
//   - a [net.DNSError] that is temporary or timed out;
//   - an HTTP/2 server that resets the stream or goes away with INTERNAL_ERROR, CANCEL, REFUSED_STREAM or NO_ERROR, as net/http and
//     golang.org/x/net/http2 report it.
//
// An HTTP/2 server that does so with ENHANCE_YOUR_CALM has rate limited the call.
//
// These are final, and win over the above: [context.Canceled]; [net.ErrClosed], which is our own doing; any
// other DNS error, such as no such host; an address or network that is malformed or unknown; a
// permission denied; a TLS alert. So is everything else, bad certificates among it, and the few
// failures that net/http reports as bare texts: texts are never read.
//
// Retrying repeats the request. Use Network only where the server may see a request twice.
func Network(err error) Verdict {
	if v, ok := Marked(err); ok {
		return v
	}
	kind, final := KindFinal, false
	walk(err, func(err error, _ *mark) {
		if passing(err) {
			kind = max(kind, KindTransient)
		}
		if code, ok := http2Code(err); ok {
			kind = max(kind, http2Kind(code))
		}
		final = final || hopeless(err)
	})
	if final {
		return Verdict{}
	}
	return Verdict{Kind: kind}
}

// passing says whether err, without those it wraps, is a failure that may be gone the next time.
func passing(err error) bool {
	switch e := err.(type) {
	case *net.OpError:
		return e.Op == "dial" || e.Op == "read" || e.Op == "write" || holds(e.Err, io.EOF)
	case *url.Error:
		return holds(e.Err, io.EOF)
	case *net.DNSError:
		return e.IsTimeout || e.IsTemporary
	case *os.SyscallError, *fs.PathError:
		return false // they ask their cause, without looking whether it is a nil pointer; walk comes to it anyway
	case interface{ Timeout() bool }:
		if e.Timeout() {
			return true
		}
	}
	return is(err, io.ErrUnexpectedEOF) || isLostConnection(err)
}

// hopeless says whether err, without those it wraps, is a failure that a retry only repeats.
func hopeless(err error) bool {
	switch e := err.(type) {
	case *net.DNSError:
		return e.IsNotFound || !e.IsTimeout && !e.IsTemporary
	case *net.OpError: // crypto/tls has no type for a TLS alert, only these operations
		return e.Op == "local error" || e.Op == "remote error"
	case *net.AddrError, *net.ParseError, net.InvalidAddrError, net.UnknownNetworkError:
		return true
	}
	return is(err, context.Canceled) || is(err, net.ErrClosed) || is(err, fs.ErrPermission)
}

// is says whether err itself, without those it wraps, is target or says that it is.
func is(err, target error) bool {
	if err == target {
		return true
	}
	e, ok := err.(interface{ Is(error) bool })
	return ok && e.Is(target)
}

// holds is errors.Is for errors that may be nil pointers.
func holds(err, target error) (found bool) {
	walk(err, func(err error, _ *mark) { found = found || is(err, target) })
	return found
}
