package headers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry/headers"
)

// TestRateLimit_MalformedIsIgnored checks that a malformed field is ignored as a whole, as the drafts
// require.
func TestRateLimit_MalformedIsIgnored(t *testing.T) {
	for _, line := range []string{
		`RateLimit: "p"`,
		`RateLimit: "p";t=60`,
		`RateLimit: "p";r`,
		`RateLimit: "p";r=1.5`,
		`RateLimit: "p";r="1"`,
		`RateLimit: "p";r=-1`,
		`RateLimit: "p";r=1;t=-1`,
		`RateLimit: "p";r=1;t=6s`,
		`RateLimit: "p";r=1;pk=7`,
		`RateLimit: "p";r=1;`,
		`RateLimit: "p";r=1,`,
		`RateLimit: "p";r=1,,"q";r=1`,
		`RateLimit: "p";r=1 "q";r=1`,
		`RateLimit: "p" ;r=1`,
		`RateLimit: "p";r =1`,
		`RateLimit: "p";R=1`,
		`RateLimit: "p";r:1`,
		`RateLimit: "p";r=1, "q"`,
		`RateLimit: "p";r=1, q;r=1`,
		`RateLimit: "p";r=1, ("q");r=1`,
		`RateLimit: "p;r=1`,
		`RateLimit: "p\x";r=1`,
		`RateLimit: "p` + "\x7f" + `";r=1`,
		`RateLimit: "ö";r=1`,
		`RateLimit: "p";r=1234567890123456`,
		`RateLimit: "p";r=1;c=1234567890123.5`,
		`RateLimit: "p";r=1;c=1.2345`,
		`RateLimit: "p";r=1;c=-`,
		`RateLimit: "p";r=1;c=:a b:`,
		`RateLimit: "p";r=1;c=:YQ==`,
		`RateLimit: "p";r=1;c=?2`,
		`RateLimit: "p";r=1;c=@1.5`,
		`RateLimit: "p";r=1;c=%"%C3%BC"`,
		`RateLimit: "p";r=1;c=%"%ff"`,
		`RateLimit: "p";r=1;c=%"a`,
		`RateLimit: "p";r=1` + "\nRateLimit: ???",
		`RateLimit: limit=2, remaining=1`,
		`RateLimit: remaining=1, reset=60`,
		`RateLimit: limit=2, remaining=x, reset=60`,
		`RateLimit: limit=2, remaining=1, reset=60.0`,
		`RateLimit: limit=-2, remaining=1, reset=60`,
		`RateLimit: limit=2; remaining=1; reset=60`,
		`RateLimit: limit=2 remaining=1 reset=60`,
		`RateLimit: Limit=2, Remaining=1, Reset=60`,
		`RateLimit: limit=2, remaining=1, reset=60,`,
		`RateLimit: 2`,
		`RateLimit: ()`,
		`RateLimit-Policy: "p"`,
		`RateLimit-Policy: "p";w=60`,
		`RateLimit-Policy: "p";q=2;w=1.5`,
		`RateLimit-Policy: "p";q=-2`,
		`RateLimit-Policy: "p";q=2;qu=bytes`,
		`RateLimit-Policy: "p";q=2;pk="x"`,
		`RateLimit-Policy: "p";q=2, 3;w=60`,
		`RateLimit-Policy: p;q=2`,
		`RateLimit-Policy: 2`,
		`RateLimit-Policy: -2;w=60`,
		`RateLimit-Policy: 10;w=1, 10;w=60`,
		`RateLimit-Limit: 2, x`,
		`RateLimit-Limit: 2;w=x`,
		`RateLimit-Limit: -2, 5`,
	} {
		field, _, _ := strings.Cut(line, ":")
		field = strings.Replace(field, "L", "l", 1)
		require.Equal(t, headers.Observations{At: now, Doubtful: []string{field}}, headers.Parse(fields(line), now), line)
	}
}

func TestRateLimit_WellFormed(t *testing.T) {
	budget := func(name string, remaining int64) headers.Budget {
		return headers.Budget{Name: name, Limit: -1, Remaining: remaining}
	}
	minute := headers.Budget{Limit: 2, Remaining: 1, Reset: in(time.Minute)}
	for line, want := range map[string][]headers.Budget{
		`RateLimit:   "p";r=1  `:                                       {budget("p", 1)},
		`RateLimit: "p";  r=1`:                                         {budget("p", 1)},
		`RateLimit: "";r=1`:                                            {budget("", 1)},
		`RateLimit: "a \"b\" \\";r=1`:                                  {budget(`a "b" \`, 1)},
		`RateLimit: "a, b;r=9";r=1`:                                    {budget(`a, b;r=9`, 1)},
		`RateLimit: "p";r=1;r=x;r=3`:                                   {budget("p", 3)},
		`RateLimit: "p";r=000000000000007`:                             {budget("p", 7)},
		`RateLimit: "p";r=999999999999999`:                             {budget("p", 999999999999999)},
		`RateLimit: "p";acme-x="y";*a;b=?0;r=1;c=1.5`:                  {budget("p", 1)},
		`RateLimit: "p";r=1;c=*a/b:c;d=@-7;e=:YQ==:`:                   {budget("p", 1)},
		`RateLimit: "p";r=1;c=%"%c3%bc ~";d=-0;e=-1.125`:               {budget("p", 1)},
		"RateLimit: \"p\";r=1\t,\t\"q\";r=2":                           {budget("p", 1), budget("q", 2)},
		"RateLimit: \"p\";r=1\nRateLimit: \"p\";r=2":                   {budget("p", 1), budget("p", 2)},
		`RateLimit: limit=2,remaining=1,reset=60`:                      {minute},
		`RateLimit: reset=60, x=(, limit=2`:                            nil,
		`RateLimit: reset=60, x, limit=2, y="z", remaining=1`:          {minute},
		`RateLimit: reset=60;a=b, limit=2;c, remaining=1;d=1`:          {minute},
		`RateLimit: limit=9, limit=2, remaining=1, reset=60`:           {minute},
		`RateLimit: limit=2, remaining=1, reset=1772366460`:            {minute},
		`RateLimit: "p";r=1;t=1772366460`:                              {{Name: "p", Limit: -1, Remaining: 1, Reset: in(time.Minute)}},
		`RateLimit: "p";r=1;t=999999999999999`:                         {{Name: "p", Limit: -1, Remaining: 1, Reset: in(forever)}},
		`RateLimit-Policy: "p";q=2;w=999999999999999`:                  {{Name: "p", Limit: 2, Remaining: -1, Window: forever}},
		`RateLimit-Policy: "p";w=0;q=2`:                                {{Name: "p", Limit: 2, Remaining: -1}},
		`RateLimit-Limit: 100;w=60`:                                    {{Limit: 100, Remaining: -1, Window: time.Minute}},
		`RateLimit-Limit: 100, 5`:                                      {{Limit: 5, Remaining: -1}},
		"RateLimit-Limit: 2, 2;w=60\nRateLimit-Policy: 2;w=60, 9;w=61": {{Limit: 2, Remaining: -1, Window: time.Minute}, {Limit: 9, Remaining: -1, Window: 61 * time.Second}},
	} {
		got := headers.Parse(fields(line), now)
		require.Equal(t, want, got.Budgets, line)
		require.Equal(t, want == nil, got.Doubtful != nil, line)
	}
}

func TestRateLimit_PoliciesFindTheirBudgets(t *testing.T) {
	run(t, []example{
		{"same name, other partition", `
			RateLimit-Policy: "p";q=5;pk=:YQ==:, "p";q=7;pk=:Yg==:
			RateLimit: "p";r=1;pk=:Yg==:`,
			headers.Observations{Budgets: []headers.Budget{
				{Name: "p", Partition: "Yg==", Limit: 7, Remaining: 1},
				{Name: "p", Partition: "YQ==", Limit: 5, Remaining: -1},
			}}},
		{"one name, two policies", `RateLimit-Policy: "p";q=5, "p";q=7` + "\n" + `RateLimit: "p";r=1`,
			headers.Observations{Budgets: []headers.Budget{{Name: "p", Limit: 5, Remaining: 1}, {Name: "p", Limit: 7, Remaining: -1}}}},
		{"one number, two windows", "RateLimit-Policy: 2;w=61\nRateLimit-Limit: 2, 2;w=60",
			headers.Observations{Budgets: []headers.Budget{
				{Limit: 2, Remaining: -1, Window: 61 * time.Second},
				{Limit: 2, Remaining: -1, Window: time.Minute},
			}}},
		{"policy for all partitions", `
			RateLimit-Policy: "p";q=5;w=60
			RateLimit: "p";r=1;pk=:Yg==:`,
			headers.Observations{Budgets: []headers.Budget{{Name: "p", Partition: "Yg==", Limit: 5, Remaining: 1, Window: time.Minute}}}},
		{"more left than the policy has", `RateLimit-Policy: "p";q=5` + "\n" + `RateLimit: "p";r=6`,
			headers.Observations{Budgets: []headers.Budget{{Name: "p", Limit: 5, Remaining: 5}}, Doubtful: []string{"Ratelimit"}}},
		{"a policy is not for another server's budget", "X-RateLimit-Limit: 2\nRateLimit-Policy: 2;w=60",
			headers.Observations{Budgets: []headers.Budget{{Limit: 2, Remaining: -1}, {Limit: 2, Remaining: -1, Window: time.Minute}}}},
		{"limits of which none is meant", "RateLimit-Policy: 10;w=1, 50;w=60",
			headers.Observations{Budgets: []headers.Budget{
				{Limit: 10, Remaining: -1, Window: time.Second},
				{Limit: 50, Remaining: -1, Window: time.Minute},
			}}},
		{"a good field beside a bad one", `RateLimit-Policy: "p";q=oops` + "\n" + `RateLimit: "p";r=6`,
			headers.Observations{Budgets: []headers.Budget{{Name: "p", Limit: -1, Remaining: 6}}, Doubtful: []string{"Ratelimit-Policy"}}},
	})
}

func TestRateLimit_ABoundToPolicies(t *testing.T) {
	policies := make([]string, 64)
	for i := range policies {
		policies[i] = fmt.Sprintf(`"%d";q=1`, i)
	}
	line := "RateLimit-Policy: " + strings.Join(policies, ",")
	require.Len(t, headers.Parse(fields(line), now).Budgets, 64)
	got := headers.Parse(fields(line+`, "one more";q=1`), now)
	require.Empty(t, got.Budgets)
	require.Equal(t, []string{"Ratelimit-Policy"}, got.Doubtful)
}
