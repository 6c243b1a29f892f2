// Package clocktest moves time by hand, for tests of code that takes a
// [clock.Clock].
//
// # Recipes
//
// Start with [Run]: it puts the test in a testing/synctest bubble, where
// [Mock.Add] knows when everything it has set off is over. No sleeping, no
// polling, the same result under any load.
//
// Where a bubble cannot go (real sockets, other processes), use [NewMock] and
// [Advance]. It stops at each instant until the functions that the scheduler runs have returned
// or wait for the mock. It does not know of other goroutines, such as those of ratehttp's
// requests: [AdvanceUntil] moves on until a condition is true.
//
// A clock that a test brings itself has to stop at each timer, too: see package clock.
//
// For a test that has a benbjohnson/clock already, [From] makes a Clock of it,
// and [Mock.Benbjohnson] goes the other way.
package clocktest
