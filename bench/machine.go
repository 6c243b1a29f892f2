package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// machine is where and what was measured.
type machine struct {
	Cores   int
	CPU     string
	System  string
	Go      string
	Commit  string
	Modules []string // the peers' versions
}

func thisMachine() machine {
	m := machine{Cores: runtime.GOMAXPROCS(0), CPU: cpuModel(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Commit: commit()}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	for _, dep := range build.Deps {
		if isPeer(dep.Path) {
			m.Modules = append(m.Modules, dep.Path+" "+dep.Version)
		}
	}
	m.Modules = append(m.Modules, versionsOfJournals()...)
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores, %s, %s, %s, commit %s", m.Cores, m.CPU, m.System, m.Go, m.Commit)
}

func isPeer(path string) bool {
	for _, peer := range []string{"golang.org/x/time", "uber.org/ratelimit", "juju/ratelimit", "failsafe-go", "sethvargo/",
		"throttled", "k8s.io/client-go", "cenkalti/backoff", "retry-go", "aws-sdk-go-v2",
		"redis_rate", "redis/"} {
		if strings.Contains(path, peer) {
			return true
		}
	}
	return false
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // only Linux has it
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "CPU unknown"
}

// commit returns the measured commit, and whether its sources were changed since.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	changes, err := exec.Command("git", "status", "--porcelain", "--", "..", ":!.").Output()
	if err != nil || len(changes) > 0 {
		id += " with changes"
	}
	return id
}
