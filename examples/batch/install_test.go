package main

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// TestInstall releases the modules of go.work to a proxy in a folder, and checks that go install takes batch from there, as it
// does from a public proxy after a release.
func TestInstall(t *testing.T) {
	proxy, bin := t.TempDir(), t.TempDir()
	batch := release(t, proxy)

	install := exec.Command("go", "install", batch.String())
	install.Dir = bin
	install.Env = append(os.Environ(), "GOWORK=off", "GOBIN="+bin, "GOMODCACHE="+t.TempDir(),
		"GOFLAGS=-modcacherw -trimpath", // so that the test can remove the module cache, and the build cache serves the next run
		"GOSUMDB=off",                   // does not know the released modules; the others are mostly from the module cache
		"GOPROXY="+strings.Join([]string{fileURL(proxy), fileURL(goEnv(t, "GOMODCACHE") + "/cache/download"), goEnv(t, "GOPROXY")}, ","))
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))

	program := filepath.Join(bin, "batch"+goEnv(t, "GOEXE"))
	info, err := buildinfo.ReadFile(program)
	require.NoError(t, err)
	require.Equal(t, batch.Version, info.Main.Version)
	text, err := exec.Command(program, "-h").Output()
	require.NoError(t, err)
	require.Equal(t, help(), string(text))
}

// release writes the modules of go.work to a proxy's folder, in the version in which batch requires the root. It returns batch's.
// It fails if one has a replace directive, or requires a module of this repository that is not among them.
func release(t *testing.T, proxy string) (batch module.Version) {
	const root = "../.."
	ours := parseModule(t, root).Module.Mod.Path
	var version string
	for _, r := range parseModule(t, ".").Require {
		if r.Mod.Path == ours {
			version = r.Mod.Version
		}
	}
	text, err := os.ReadFile(root + "/go.work")
	require.NoError(t, err)
	work, err := modfile.ParseWork("go.work", text, nil)
	require.NoError(t, err)
	var released, required []module.Version
	for _, use := range work.Use {
		dir := filepath.Join(root, use.Path)
		file := parseModule(t, dir)
		require.Empty(t, file.Replace, "go install refuses the replace directive of %s", file.Module.Mod.Path)
		for _, r := range file.Require {
			if r.Mod.Path == ours || strings.HasPrefix(r.Mod.Path, ours+"/") {
				required = append(required, r.Mod)
			}
		}
		mod := module.Version{Path: file.Module.Mod.Path, Version: version}
		write(t, proxy, mod, dir)
		released = append(released, mod)
	}
	require.Subset(t, released, required)
	return module.Version{Path: parseModule(t, ".").Module.Mod.Path, Version: version}
}

func parseModule(t *testing.T, dir string) *modfile.File {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	file, err := modfile.Parse(dir+"/go.mod", text, nil)
	require.NoError(t, err)
	return file
}

// write writes a module in a folder to a proxy's, as https://go.dev/ref/mod#goproxy-protocol defines it.
func write(t *testing.T, proxy string, mod module.Version, dir string) {
	path, err := module.EscapePath(mod.Path)
	require.NoError(t, err)
	base := filepath.Join(proxy, path, "@v", mod.Version)
	require.NoError(t, os.MkdirAll(filepath.Dir(base), 0o755))
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	for name, text := range map[string]string{
		base + ".mod": string(gomod), base + ".info": `{"Version":"` + mod.Version + `"}`, filepath.Dir(base) + "/list": mod.Version,
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	zipped, err := os.Create(base + ".zip")
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromDir(zipped, mod, dir))
	require.NoError(t, zipped.Close())
}

// fileURL returns the address of a folder as a proxy.
func fileURL(dir string) string {
	return "file:///" + strings.TrimPrefix(filepath.ToSlash(dir), "/")
}

func goEnv(t *testing.T, name string) string {
	out, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
