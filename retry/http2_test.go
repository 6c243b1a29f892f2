//go:build !plan9

package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

// The first two types have the fields of the errors of golang.org/x/net/http2 and net/http. Package
// ratehttp tests real errors with a server.
type (
	code uint32

	StreamError struct {
		StreamID uint32
		Code     code
		Cause    error
	}
	GoAwayError struct {
		LastStreamID uint32
		ErrCode      code
		DebugData    string
	}
	otherFields struct {
		StreamID uint32
		Code     code
		Reason   error
	}
	otherType struct {
		StreamID uint32
		Code     int32
		Cause    error
	}
	as func(any) bool // an error with this function as its method As
)

func (StreamError) Error() string { return "stream error" }
func (GoAwayError) Error() string { return "goaway" }
func (otherFields) Error() string { return "other" }
func (otherType) Error() string   { return "other" }
func (as) Error() string          { return "as" }
func (f as) As(target any) bool   { return f(target) }

func TestH68_HTTP2Codes(t *testing.T) {
	for c := range code(20) {
		want := final
		switch c {
		case 0, 2, 7, 8: // NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL
			want = transient
		case 11: // ENHANCE_YOUR_CALM
			want = limited(0)
		}
		for _, err := range []error{StreamError{3, c, nil}, GoAwayError{3, c, "bye"}} {
			require.Equal(t, want, retry.Network(err), "%#v", err)
			require.Equal(t, want, retry.Network(get(err)), "%#v", err)
			require.Equal(t, want, retry.Network(errors.Join(errPlain, err)), "%#v", err)
			require.Equal(t, final, retry.Network(errors.Join(context.Canceled, err)), "%#v", err)
			require.Equal(t, retry.Verdict{Kind: retry.KindTransient, Wait: 3}, retry.Network(retry.Verdict{Kind: retry.KindTransient, Wait: 3}.Mark(err)), "a marker wins")
			require.Equal(t, c == 7, retry.NotProcessed(get(err)), "%#v", err)
		}
	}
}

// TestH68_WhatLooksLikeHTTP2 checks that other errors with three fields, and errors whose As lies or
// panics, are not taken for errors of HTTP/2.
func TestH68_WhatLooksLikeHTTP2(t *testing.T) {
	for name, err := range map[string]error{
		"other fields":    otherFields{3, 2, nil},
		"no code":         otherType{3, 2, nil},
		"a pointer":       (*StreamError)(nil),
		"another":         (*GoAwayError)(nil),
		"an As that":      as(func(any) bool { return false }),
		"an As that lies": as(func(any) bool { return true }),
		"panics":          as(func(any) bool { panic("oops") }),
		"no As":           as(nil),
	} {
		require.NotPanics(t, func() {
			require.Equal(t, final, retry.Network(get(err)), name)
			require.False(t, retry.NotProcessed(err), name)
		})
	}
}

func TestNotProcessed(t *testing.T) {
	for _, tt := range []struct {
		give error
		want bool
	}{
		{nil, false},
		{errPlain, false},
		{io.EOF, false},
		{op("dial", errPlain), true},
		{fmt.Errorf("call 7: %w", get(op("dial", errPlain))), true},
		{retry.Transient(op("dial", errPlain)), true},
		{StreamError{3, 7, nil}, true},
		{StreamError{3, 8, nil}, false},
		{op("read", op("dial", errPlain)), false},
		{errors.Join(op("read", errPlain), op("dial", errPlain)), false},
		{errors.Join(StreamError{1, 2, nil}, StreamError{3, 7, nil}), false},
		{(*net.OpError)(nil), false},
	} {
		require.Equal(t, tt.want, retry.NotProcessed(tt.give), "%v", tt.give)
	}
}
