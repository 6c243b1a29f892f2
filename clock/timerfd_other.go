//go:build !linux

package clock

import "time"

// alarmUse does nothing on systems other than Linux.
type alarmUse struct{}

func (*alarmUse) wakeAfter(time.Duration) {}
