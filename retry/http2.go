package retry

import (
	"net"
	"reflect"
)

// These are the codes of RFC 9113, section 7, after which another attempt makes sense.
const (
	noError         = 0x0
	internalError   = 0x2
	refusedStream   = 0x7
	cancelled       = 0x8
	enhanceYourCalm = 0xb
)

// NotProcessed reports whether err says that no server has begun with the request: there was no connection, or an HTTP/2 server has
// refused the stream. Then any request may be sent again. Of several errors the first that says anything about it counts.
func NotProcessed(err error) bool {
	said, not := false, false
	walk(err, func(err error, _ *mark) {
		if said {
			return
		}
		if op, is := err.(*net.OpError); is {
			said, not = true, op.Op == "dial"
		} else if code, ok := http2Code(err); ok {
			said, not = true, code == refusedStream
		}
	})
	return not
}

// http2Kind returns whether another attempt is worthwhile after an HTTP/2 server's code.
func http2Kind(code uint32) Kind {
	switch code {
	case enhanceYourCalm:
		return KindRateLimited
	case noError, internalError, refusedStream, cancelled:
		return KindTransient
	}
	return KindFinal
}

// http2Code returns the code with which an HTTP/2 server has reset a stream or ended the connection. It looks at err alone
// and not at the errors that it wraps. The types of net/http are not exported, and those of golang.org/x/net/http2 would be a
// dependency.
func http2Code(err error) (code uint32, ok bool) {
	if e, is := err.(interface{ As(any) bool }); is {
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

// streamCode asks an error by its method As, which net/http's errors have for this purpose. An As that
// panics says nothing.
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

// field returns the second of a struct's three fields, if they have these names and the second is
// a code.
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
