module example.com/fairlead/bench

go 1.26.0

require (
	example.com/fairlead v0.0.0
	github.com/avast/retry-go/v5 v5.1.1
	golang.org/x/time v0.16.0
)

replace example.com/fairlead => ../
