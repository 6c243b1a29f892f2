// Package compat has tests of shared budgets with both clients of Redis, over a network that delays and loses.
package compat
