package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// coreFolder has the benchmark of the pure core.
const coreFolder = "./scheduler/internal/core"

// measureCore measures the pure core, which other modules can't import, by its benchmark, or by that of keys
// which the variant names. A call makes two steps: it is submitted and granted, and it is over.
func measureCore(j job) numbers {
	const steps = 2
	name := "^BenchmarkCore$"
	if j.Variant != "" {
		name = "^BenchmarkKeys$/^" + j.Variant + "$"
	}
	test := exec.Command("go", "test", "-run", "^$", "-bench", name, "-benchtime", "200ms", "-cpu", "1", coreFolder)
	test.Dir = ".."
	out, err := test.CombinedOutput()
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	ns, err := nsPerOp(string(out))
	check(err)
	return numbers{"steps per second": steps * 1e9 / ns, "ns": ns}
}

var perOp = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+([\d.]+) ns/op`)

func nsPerOp(text string) (float64, error) {
	found := perOp.FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no ns/op in %q", text)
	}
	return strconv.ParseFloat(found[1], 64)
}
