package journal

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

var kills = flag.Int("kills", 0, "how many processes TestKill and TestKilled kill; 0 means a few")

func init() { children["produce"] = produce }

// produce puts calls from some goroutines until a put fails. It prints a line before each put and one after it. The last
// number comes from the file.
func produce() {
	f, found, err := openFile(os.Getenv(childPath), fileOptions{clock: clock.System()})
	if err != nil {
		fmt.Println("no open:", err)
		return
	}
	c := startCommitter(f.path, f.commit)
	var mu sync.Mutex
	last := found.lastNumber
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				mu.Lock()
				last++
				r := call(last)
				fmt.Println("try", r.number)
				mu.Unlock()
				err := <-c.begin(batch{changes: []change{{record: r, payload: make([]byte, 2000)}}, levels: []byte("x")}).committed
				var failed *commitError
				switch {
				case errors.As(err, &failed) && failed.inDoubt:
					say("doubt %d %v", r.number, err)
					return
				case err != nil:
					say("refused %d %v", r.number, err)
					return
				}
				say("ok %d", r.number)
			}
		})
	}
	all.Wait()
	c.stop()
	if err := f.close(false); err != nil {
		fmt.Println("no close:", err)
	}
}

// produced collects what a child has said of its calls.
type produced struct {
	tried, acknowledged, inDoubt, refused map[uint64]bool
	lines                                 []string // of other kinds
}

func (p *produced) read(from io.Reader) {
	p.tried, p.acknowledged, p.inDoubt, p.refused = map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}
	for lines := bufio.NewScanner(from); lines.Scan(); {
		var word string
		var number uint64
		if n, _ := fmt.Sscan(lines.Text(), &word, &number); n == 2 {
			switch word {
			case "try":
				p.tried[number] = true
			case "ok":
				p.acknowledged[number] = true
			case "doubt":
				p.inDoubt[number] = true
			case "refused":
				p.refused[number] = true
			}
			continue
		}
		p.lines = append(p.lines, lines.Text())
	}
}

// check opens the file that a child has left. What was acknowledged must be there, and what is there must have been
// acknowledged or be in doubt. The calls of earlier children are known.
func (p *produced) check(t *testing.T, path string, known map[uint64]bool) {
	f, found := open(t, path, fileOptions{})
	require.Empty(t, found.setAside)
	there := all(t, found)
	for number := range p.acknowledged {
		require.Contains(t, there, number, "it was acknowledged")
	}
	for number := range known {
		require.Contains(t, there, number, "it was there before")
	}
	for number := range there {
		require.True(t, known[number] || p.tried[number] && !p.refused[number], "call %d was never accepted", number)
		payload, err := f.payload(number)
		require.NoError(t, err)
		require.Len(t, payload, 2000)
		known[number] = true
	}
	require.NoError(t, f.close(false))
}

// child returns a command that runs a child of the tests by a program, such as strace, or by itself.
func child(ctx context.Context, name, path string, by ...string) *exec.Cmd {
	args := append(by, os.Args[0])
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), childName+"="+name, childPath+"="+path, "GORACE=atexit_sleep_ms=0")
	return c
}

// TestKilled kills processes at any time while they commit, or create the file.
func TestKilled(t *testing.T) {
	path, known := filepath.Join(inMemory(t), "calls.db"), map[uint64]bool{}
	acknowledged, count := 0, cmp.Or(*kills, 10)
	for n := 0; n < count || acknowledged == 0 && n < 10*count; n++ { // longer if the machine is too slow for any commit
		if n%10 == 5 {
			path, known = filepath.Join(inMemory(t), "calls.db"), map[uint64]bool{}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(n*37)%150)*time.Duration(1+n/count)*time.Millisecond)
		out, _ := child(ctx, "produce", path).Output()
		cancel()
		var p produced
		p.read(strings.NewReader(string(out)))
		require.Empty(t, p.lines)
		p.check(t, path, known)
		acknowledged += len(p.acknowledged)
	}
	t.Logf("%d calls were acknowledged, and none was lost", acknowledged)
	require.Positive(t, acknowledged)
}

// TestFailingSync lets each of the first twenty syncs of a process fail, and checks that it acknowledges nothing after
// that and syncs nothing more.
func TestFailingSync(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not there to let a sync fail")
	}
	failed := 0
	for n := 1; n <= 20; n++ {
		path, known := filepath.Join(inMemory(t), "calls.db"), map[uint64]bool{}
		trace := filepath.Join(filepath.Dir(path), "trace")
		f, _ := open(t, path, fileOptions{})
		require.NoError(t, f.close(false))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		inject := fmt.Sprintf("inject=fsync,fdatasync:error=EIO:when=%d", n)
		options := []string{"-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync", "-e", inject}
		out, err := child(ctx, "produce", path, append([]string{strace}, options...)...).CombinedOutput()
		cancel()
		if err != nil && strings.Contains(string(out), "ptrace") {
			t.Skip("strace may not trace: " + string(out))
		}
		require.NoError(t, err, string(out))
		var p produced
		p.read(strings.NewReader(string(out)))
		for number := range p.tried {
			require.True(t, p.acknowledged[number] || p.inDoubt[number] || p.refused[number], "call %d was told nothing", number)
		}
		syncs, err := os.ReadFile(trace)
		require.NoError(t, err)
		_, after, is := strings.Cut(string(syncs), "INJECTED")
		require.True(t, is)
		require.NotContains(t, after, "sync(", "after the sync that failed")
		if len(p.inDoubt) > 0 {
			failed++
		}
		p.check(t, path, known)
	}
	require.GreaterOrEqual(t, failed, 15, "the others failed in Open")
}
