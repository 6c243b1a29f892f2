// Package loopback holds an address of this machine for a server that a test starts, stops and starts again, such as the
// Redis of a store.
package loopback
