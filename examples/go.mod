module example.com/fairlead/examples

go 1.25.0

require (
	example.com/fairlead v0.2.0
	github.com/stretchr/testify v1.12.1
	github.com/throttled/throttled/v2 v2.15.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/hashicorp/golang-lru v0.5.4 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
