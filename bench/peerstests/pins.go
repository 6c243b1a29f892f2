//go:build pins

// The tag is never set. The imports keep the modules that the peers' tests need in go.mod, with their versions.
package main

import (
	_ "github.com/stretchr/testify/assert"
	_ "go.uber.org/atomic"
	_ "go.uber.org/ratelimit"
	_ "golang.org/x/time/rate"
	_ "k8s.io/client-go/util/flowcontrol"
	_ "k8s.io/utils/clock/testing"
)
