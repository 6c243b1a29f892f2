package terminal

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// environment describes the terminal in which the program runs.
type environment struct {
	live    bool // the terminal can show a picture
	colours bool
	ascii   bool
}

// readEnvironment returns what the environment variables say about the terminal.
func readEnvironment(getenv func(string) string) environment {
	return environment{
		live:    getenv("CI") == "" && understands(getenv("TERM")),
		colours: getenv("NO_COLOR") == "",
		ascii:   otherThanUTF8(getenv),
	}
}

// otherThanUTF8 reports whether the locale names another encoding than UTF-8.
func otherThanUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8")
		}
	}
	return false
}

// newScreen returns the screen of out, or nil if out is no terminal for a picture.
func newScreen(out io.Writer, env environment) *screen {
	f, ok := out.(*os.File)
	if !ok || !env.live || !term.IsTerminal(int(f.Fd())) || !prepare(f) {
		return nil
	}
	return &screen{out: f, colours: env.colours, size: func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || columns <= 0 || rows <= 0 { // the size is not known, as on a serial line
			return 80, 24
		}
		return columns, rows
	}}
}
