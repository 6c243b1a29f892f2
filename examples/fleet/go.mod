module example.com/fairlead/examples/fleet

go 1.25.0

require (
	example.com/fairlead v0.2.0
	example.com/fairlead/bucket/redisbucket v0.2.0
	example.com/fairlead/examples v0.2.0
	github.com/redis/rueidis v1.0.79
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	github.com/hashicorp/golang-lru v0.5.4 // indirect
	github.com/throttled/throttled/v2 v2.15.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
