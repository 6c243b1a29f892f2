// Package compat has the adapters plugged into the real libraries: each test runs one inside
// the library that it is for. It is a module of its own, so that nobody else needs them.
package compat
