package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBudgetFlag checks how -budget names a store and a budget. A user and a password may come from the environment.
func TestBudgetFlag(t *testing.T) {
	t.Setenv("TEST_PASSWORD", "p@ss/w#rd")
	t.Setenv("TEST_STORE", "redis://u:a$b@example.com/1")
	for value, want := range map[string][3]string{ // address, name, as it is shown
		"redis://localhost?name=openai":                              {"redis://localhost", "openai", `"openai" at redis://localhost`},
		"rediss://me:$TEST_PASSWORD@h:6380/2?name=a&skip_verify=1":   {"rediss://me:p%40ss%2Fw%23rd@h:6380/2?skip_verify=1", "a", `"a" at rediss://h:6380`},
		"redis://:$TEST_PASSWORD@h?name=a/b":                         {"redis://:p%40ss%2Fw%23rd@h", "a/b", `"a/b" at redis://h`},
		"$TEST_STORE?name=a":                                         {"redis://u:a$b@example.com/1", "a", `"a" at redis://example.com`},
		"postgres://me@h:5432/db?name=a&sslmode=disable":             {"postgres://me@h:5432/db?sslmode=disable", "a", `"a" at postgres://h:5432`},
		"postgresql:///db?host=/var/run/postgresql&name=two%2Fthree": {"postgresql:///db?host=%2Fvar%2Frun%2Fpostgresql", "two/three", `"two/three" at postgresql://`},
	} {
		cfg, err := parseFlags([]string{"-in", "a", "-out", "b", "-budget", value})
		require.NoError(t, err, value)
		require.Equal(t, want, [3]string{cfg.shared.address.String(), cfg.shared.name, cfg.shared.String()})
	}
	cfg, err := parseFlags([]string{"-in", "a", "-out", "b"})
	require.NoError(t, err)
	require.False(t, cfg.shared.on())
}

// TestBudgetFlagFaults checks what is said about a -budget that can't be used. It never shows a password.
func TestBudgetFlagFaults(t *testing.T) {
	const example = " (not shown, since it may have a password in it)"
	for value, want := range map[string]string{
		"redis://u:s3cret@h":                        "-budget redis://…@h: it needs a name that all who share the budget give, as in ?name=openai",
		"redis://h?name=a%20b":                      "-budget redis://h?name=…: it needs a name that all",
		"redis://h?name={a}":                        "-budget redis://h?name=…: it needs a name that all",
		"redis://u:s3cret@:6379?name=a":             "-budget redis://…@:6379?name=…: it names no host, as in redis://localhost:6379?name=openai",
		"s3cret.example.com:6379?name=a":            "-budget: it must begin with redis:// or rediss:// or postgres:// or postgresql://, as in redis://localhost:6379?name=openai" + example,
		"10.0.0.7:6379?name=s3cret":                 "-budget: it must begin with redis:// or ",
		"https://u:s3cret@h?name=a":                 "-budget: it must begin with redis:// or ",
		"redis://u:s3/cret@h:x?name=a":              "-budget: it can't be parsed, and is not shown",
		"redis://u:$TEST_UNSET_s3@h?name=a":         "-budget: not set in the environment: TEST_UNSET_s3",
		"$TEST_UNSET?name=a":                        "-budget: not set in the environment: TEST_UNSET",
		"redis://u:${TEST_UNSET}s3cret@h:1?name=aa": "-budget: it can't be parsed, and is not shown",
	} {
		_, err := parseFlags([]string{"-in", "a", "-out", "b", "-budget", value})
		require.ErrorContains(t, err, want, value)
		require.NotContains(t, err.Error(), "s3cret")
		require.NotContains(t, err.Error(), "\n")
	}
	for want, flags := range map[string][]string{
		"-rpm auto: with -budget give the limit as a number, the same on all machines":           {"-rpm", "auto"},
		"-tpm auto: with -budget give the limit as a number, the same on all machines":           {"-tpm", "auto"},
		"-budget: the limit of requests is too large: bucket: limit has Capacity 9000000000000 ": {"-burst", "9000000000000"},
	} {
		_, err := parseFlags(append([]string{"-in", "a", "-out", "b", "-budget", "redis://h?name=a"}, flags...))
		require.ErrorContains(t, err, want)
	}
}
