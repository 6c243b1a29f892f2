package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/internal/core"
)

// While a call waits for a reset the timer is set once a minute, and not in each turn.
func TestTimerIsKeptWhileAResetIsFar(t *testing.T) {
	k, err := core.New(core.Config{Origin: time.Unix(1, 0), Limits: bucket.Limits{"": bucket.Daily(1, "")}})
	require.NoError(t, err)
	for range 2 {
		k.Submit(0, &core.Call{Cost: 1, Deadline: bucket.Forever})
	}
	wake := k.Wake()
	o := &owner{core: k, armed: bucket.Forever, slack: crowdSlack}
	require.Equal(t, time.Minute, o.lookBy(wake))
	o.armed = time.Minute
	k.Advance(time.Second)
	require.Equal(t, time.Minute, o.lookBy(wake))
	k.Advance(time.Minute)
	require.Equal(t, 2*time.Minute, o.lookBy(wake))
	k.Advance(wake - time.Second)
	require.Equal(t, wake, o.lookBy(wake))
	o.slack = 0
	require.Equal(t, wake, o.lookBy(wake), "a mock clock")
}
