package goredis_test

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main{M: m}) }
