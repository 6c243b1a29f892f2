module example.com/fairlead/examples/cookbook

go 1.26.0

require (
	example.com/fairlead v0.0.0-00010101000000-000000000000
	example.com/fairlead/examples v0.0.0-00010101000000-000000000000
	github.com/google/go-github/v92 v92.0.0
	github.com/openai/openai-go/v3 v3.96.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/golang-lru v0.5.4 // indirect
	github.com/throttled/throttled/v2 v2.15.0 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace (
	example.com/fairlead => ../..
	example.com/fairlead/examples => ..
)
