package retry

import (
	"net"
	"reflect"
)

// Error codes of HTTP/2 (RFC 9113, section 7) after which another attempt makes sense.
const (
	noError         = 0x0
	internalError   = 0x2
	refusedStream   = 0x7
	cancel          = 0x8
	enhanceYourCalm = 0xb
)

// NotProcessed reports whether no server has begun to process the request, so that any request may be
// sent again. That is so if there was no connection, or if an HTTP/2 server has refused the stream. In
// a tree of errors, the first network or HTTP/2 error decides.
func NotProcessed(err error) bool {
	decided, notProcessed := false, false
	walk(err, func(err error, _ *mark) {
		if decided {
			return
		}
		if op, ok := err.(*net.OpError); ok {
			decided, notProcessed = true, op.Op == "dial"
		} else if code, ok := http2Code(err); ok {
			decided, notProcessed = true, code == refusedStream
		}
	})
	return notProcessed
}

// http2Kind returns the kind of failure that an HTTP/2 error code stands for.
func http2Kind(code uint32) Kind {
	switch code {
	case enhanceYourCalm:
		return KindRateLimited
	case noError, internalError, refusedStream, cancel:
		return KindTransient
	}
	return KindFinal
}

// http2Code returns the error code with which an HTTP/2 server has reset a stream or ended the
// connection. It does not look at the errors that err wraps. It recognizes the types by their fields,
// because those of net/http are not exported, and those of golang.org/x/net/http2 would be a
// dependency.
func http2Code(err error) (code uint32, ok bool) {
	if e, ok := err.(interface{ As(any) bool }); ok {
		if code, ok := streamCode(e); ok {
			return code, true
		}
	}
	v := reflect.ValueOf(err)
	if code, ok = field(v, "StreamID", "Code", "Cause"); !ok {
		code, ok = field(v, "LastStreamID", "ErrCode", "DebugData") // a GOAWAY
	}
	return code, ok
}

// streamCode gets the code by the error's method As, which net/http's errors have for this purpose. If
// As panics, there is no code.
func streamCode(err interface{ As(any) bool }) (code uint32, ok bool) {
	var stream struct {
		StreamID uint32
		Code     uint32
		Cause    error
	}
	defer func() {
		if recover() != nil {
			code, ok = 0, false
		}
	}()
	ok = err.As(&stream) && stream.StreamID != 0 // no request has stream 0
	return stream.Code, ok
}

// field returns the second field of a struct, if the struct has exactly the named fields and the second
// is a uint32.
func field(v reflect.Value, names ...string) (code uint32, ok bool) {
	if v.Kind() != reflect.Struct || v.NumField() != len(names) {
		return 0, false
	}
	for i, name := range names {
		if v.Type().Field(i).Name != name {
			return 0, false
		}
	}
	if v.Field(1).Kind() != reflect.Uint32 {
		return 0, false
	}
	return uint32(v.Field(1).Uint()), true
}
