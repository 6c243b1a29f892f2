package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// understands reports true, because TERM says nothing here. prepare finds out.
func understands(string) bool { return true }

// prepare turns on escape sequences in a console, and reports whether that worked.
func prepare(f *os.File) bool {
	console, mode := windows.Handle(f.Fd()), uint32(0)
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
