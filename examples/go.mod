module example.com/fairlead/examples

go 1.25.0

require example.com/fairlead v0.0.0-00010101000000-000000000000

require (
	github.com/gofrs/flock v0.13.1 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	github.com/throttled/throttled/v2 v2.15.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/term v0.45.0 // indirect
)

replace example.com/fairlead => ../
