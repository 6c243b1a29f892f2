module example.com/fairlead/bench

go 1.25.0

require (
	example.com/fairlead v0.0.0
	github.com/avast/retry-go/v5 v5.1.1
	golang.org/x/time v0.15.0
)

replace example.com/fairlead => ../
