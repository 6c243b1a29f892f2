package terminal

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// surroundings are where a program runs, as far as it matters here.
type surroundings struct {
	live    bool // there is a terminal, and somebody who looks at it
	colours bool
	ascii   bool
}

// inEnvironment is what the environment says, if Out is a terminal.
func inEnvironment(getenv func(string) string) surroundings {
	return surroundings{
		live:    getenv("CI") == "" && understands(getenv("TERM")),
		colours: getenv("NO_COLOR") == "",
		ascii:   saysOther(getenv),
	}
}

// saysOther reports whether the locale says something other than UTF-8.
func saysOther(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8")
		}
	}
	return false
}

// terminalOf is the screen that out is, or nil if there is none to draw on.
func terminalOf(out io.Writer, where surroundings) *screen {
	f, ok := out.(*os.File)
	if !ok || !where.live || !term.IsTerminal(int(f.Fd())) || !prepare(f) {
		return nil
	}
	return &screen{out: f, colours: where.colours, size: func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || columns <= 0 || rows <= 0 { // a serial line does not know
			return 80, 24
		}
		return columns, rows
	}}
}
