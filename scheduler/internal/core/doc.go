// Package core decides which call of a scheduler is granted tokens and when, which is retried and
// when, and how each ends.
//
// A [Core] is plain data. Its methods are the inputs, each at an instant, and its [Effects] are the
// outputs. It has no goroutine, clock, lock, channel or randomness, and it runs no user code. So ten
// simulated years take seconds, and a failure can be replayed from a seed. Its owners are the
// goroutine of package scheduler, forecast.Predict and the simulator in this package's tests.
package core
