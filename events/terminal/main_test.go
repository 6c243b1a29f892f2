package terminal

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if fifo := os.Getenv("FIFO"); fifo != "" {
		_ = fifo
		return
	}
	goleak.VerifyTestMain(m)
}
