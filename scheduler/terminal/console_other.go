//go:build !windows

package terminal

import "os"

// understands reports whether a terminal with this name knows the few escape sequences that a View uses.
func understands(name string) bool { return name != "" && name != "dumb" }

// prepare reports true, as these terminals need no preparation.
func prepare(*os.File) bool { return true }
