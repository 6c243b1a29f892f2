module example.com/fairlead/examples/webhook

go 1.25.0

require (
	example.com/fairlead v0.2.0
	example.com/fairlead/scheduler/journal v0.2.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	go.etcd.io/bbolt v1.5.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
