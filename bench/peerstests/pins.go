//go:build pins

// The tag is never set. These are what the peers' tests need of other modules: so
// go.mod says which versions, and go mod tidy leaves them there.
package main

import (
	_ "github.com/stretchr/testify/assert"
	_ "go.uber.org/atomic"
	_ "go.uber.org/ratelimit"
	_ "golang.org/x/time/rate"
	_ "k8s.io/client-go/util/flowcontrol"
	_ "k8s.io/utils/clock/testing"
)
