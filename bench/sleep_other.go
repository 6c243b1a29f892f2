//go:build !linux

package main

import "time"

// kernelSleep is a Go timer here.
func kernelSleep(d time.Duration) { time.Sleep(d) }
