package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// assemble makes a module for each suite in the folder, from the peer's tests and our implementation, and a
// go.mod that uses these modules in place of the peers'. It returns the tests of each suite.
func assemble(suites []suite, folder string) ([]inventory, error) {
	theirs, err := download(suites)
	if err != nil {
		return nil, err
	}
	var found []inventory
	for i := range suites {
		s := &suites[i]
		inv, err := s.assemble(theirs[s.module], s.moduleFolder(folder))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.module, err)
		}
		found = append(found, inv)
	}
	return found, writeModfile(suites, folder)
}

// download returns the folder of each suite's module, in the version of go.mod.
func download(suites []suite) (map[string]string, error) {
	args := []string{"mod", "download", "-json"}
	for _, s := range suites {
		args = append(args, s.module)
	}
	out, err := goCommand(args...)
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for modules := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := modules.Decode(&m); err == io.EOF {
			return folders, nil
		} else if err != nil {
			return nil, fmt.Errorf("go mod download: %w", err)
		}
		folders[m.Path] = m.Dir
	}
}

// moduleFolder returns the folder in which a suite's module is assembled.
func (s *suite) moduleFolder(folder string) string { return filepath.Join(folder, s.shim) }

// assemble makes the suite's module in the folder to, from the peer's go.mod, the tests of one package, and our
// implementation of it.
func (s *suite) assemble(from, to string) (inventory, error) {
	pkg := filepath.Join(to, s.folder)
	if err := os.MkdirAll(pkg, 0o755); err != nil {
		return nil, err
	}
	if err := copyFile(filepath.Join(from, "go.mod"), filepath.Join(to, "go.mod")); err != nil {
		return nil, err
	}
	ours, err := filepath.Glob(filepath.Join("shim", s.shim, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range ours {
		if err := copyFile(name, filepath.Join(pkg, filepath.Base(name))); err != nil {
			return nil, err
		}
	}
	return s.copyTests(filepath.Join(from, s.folder), pkg)
}

// copyTests copies the tests of a package, except those that are left out.
func (s *suite) copyTests(from, to string) (inventory, error) {
	theirs, err := filepath.Glob(filepath.Join(from, "*_test.go"))
	if err != nil {
		return nil, err
	}
	found := inventory{}
	for _, name := range theirs {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		kept, left, err := dropFunctions(src, s.leavesOut)
		if err != nil {
			return nil, err
		}
		for _, test := range left {
			found[test] = false
		}
		for _, test := range tests(kept) {
			found[test] = true
		}
		if len(tests(kept)) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), kept, 0o644); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// writeModfile writes a copy of our go.mod into the folder, with the peers' modules replaced by the assembled
// ones.
func writeModfile(suites []suite, folder string) error {
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(name, filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	args := []string{"mod", "edit"}
	for i := range suites {
		args = append(args, "-replace", suites[i].module+"="+suites[i].moduleFolder(folder))
	}
	_, err := goCommand(append(args, modfile(folder))...)
	return err
}

func modfile(folder string) string { return filepath.Join(folder, "go.mod") }

// pkg returns the import path of the tested package.
func (s *suite) pkg() string { return path.Join(s.module, s.folder) }

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

func goCommand(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, stderr.Bytes(), out)
	}
	return out, nil
}
