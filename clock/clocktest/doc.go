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
// [Advance]. It is exact about the scheduler, and blind to other goroutines.
//
// For a test that has a benbjohnson/clock already, [From] makes a Clock of it,
// and [Mock.Benbjohnson] goes the other way.
package clocktest
