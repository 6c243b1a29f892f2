module example.com/fairlead/bench/peerstests

go 1.26.0

require (
	example.com/fairlead v0.2.0
	github.com/benbjohnson/clock v1.3.5
	github.com/stretchr/testify v1.12.1
	go.uber.org/atomic v1.7.0
	go.uber.org/ratelimit v0.3.1
	golang.org/x/time v0.16.0
	k8s.io/client-go v0.37.2
	k8s.io/utils v0.0.0-20260626114624-be93311217bd
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace example.com/fairlead => ../../

replace github.com/benbjohnson/clock => github.com/benbjohnson/clock v1.3.0
