// Package compat tests the adapters inside the libraries that they are for. It is a module of its
// own, so that users of the adapters don't download these libraries.
package compat
