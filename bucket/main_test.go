package bucket_test

import (
	"testing"
	_ "time/tzdata" // for machines without time zone files

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
