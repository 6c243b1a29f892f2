//go:build !linux

package main

import "time"

// sharedNow returns the wall clock's time, which is the same for all processes too, but may step.
func sharedNow() time.Duration { return time.Duration(time.Now().UnixNano()) }
