// Package clocktest provides a mock clock, for tests of code that takes a [clock.Clock].
//
// # Recipes
//
// Start with [Run]. It runs the test in a testing/synctest bubble, where [Mock.Add] returns only when
// everything that was due has happened. Nothing sleeps or polls, and the result is the same under
// any load.
//
// Where a bubble is impossible (real sockets, other processes), use [NewMock] and [Advance]. Advance
// stops at each instant until the functions that the scheduler runs have returned or wait for the
// mock. It does not know of other goroutines, such as those of ratehttp's requests. For those, use
// [AdvanceUntil], which moves the mock until a condition is true.
//
// If a test has a benbjohnson/clock already, [From] makes a Clock of it. [Mock.Benbjohnson] goes the
// other way. For a fake clock of your own, see package clock.
package clocktest
