// Package loopback holds addresses of this machine for servers of tests and examples.
package loopback
