# The modules of this repository. The root module has no dependencies except for its tests, and LIGHT modules have few.
# Those of go.work are WORKSPACE. The others have large dependencies, and find the root by a replace directive.
LIGHT := . scheduler/terminal examples examples/batch
WORKSPACE := $(LIGHT) scheduler/otelevents events/timeline/browser
MODULES := $(WORKSPACE) examples/cookbook bench bench/peerstests scheduler/adapters/compat

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
APIDIFF := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4

.PHONY: help demo compare test test-all test-386 cpus sim soak mutate lint build api api-record fuzz bench bench-quick peers-tests proof transcripts tidy next rename

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## send 320 requests to a local API that refuses, fails and drops some
	@sh examples/demo/run.sh

compare: ## send these requests with plain goroutines and with batch, and print both runs side by side
	@cd examples && go run ./compare

test: ## test the library and the programs in examples, with the race detector, in less than 4 minutes
	$(call test,$(LIGHT))

test-all: ## test all modules, with the race detector, and see that what should not allocate does not
	$(call test,$(MODULES))
	@echo "== allocations, without the race detector, which adds some"; go test -run 'Allocates|CostNothing|ReusesItsMemory' ./...

define test
	@for m in $(1); do echo "== module $$m"; (cd $$m && go test -race -shuffle=on -timeout 240s ./...) || exit 1; done
endef

SEED ?= 0
STEPS ?= 20000000
MODEL ?= true
sim: ## simulate STEPS moves of the core from SEED (0 draws one) against a model; MODEL=false checks the rules alone, faster
	@go test ./scheduler/internal/core -run '^TestSimulation$$' -count=1 -v -timeout 0 -sim.seed $(SEED) -sim.steps $(STEPS) -sim.model=$(MODEL) -sim.save '$(SAVE)'

test-386: ## run the root module's tests on 32 bits, if the machine can
	@if GOARCH=386 CGO_ENABLED=0 go test -run '^$$' ./retry >/dev/null 2>&1; then \
		GOARCH=386 CGO_ENABLED=0 go test -timeout 120s ./...; \
	else echo "this machine can't run 32-bit programs; make build checks that they compile"; fi

COUNT ?= 1
cpus: ## run the root module's tests on 1, 2 and 4 processors, in any order, COUNT times each
	@go test -cpu 1,2,4 -shuffle=on -count=$(COUNT) -timeout 240s ./...

FOR ?= 0
soak: ## run a scheduler and simulations at full speed for FOR (0 until stopped), and see that memory and goroutines do not grow
	@go test ./scheduler ./scheduler/internal/core -run '^TestSoak$$' -count=1 -v -timeout 0 -soak.for $(FOR)

mutate: ## run mutation tests of the core and the bucket, in a quarter of an hour
	@.ci/mutate

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt'd:"; echo "$$unformatted"; exit 1; }
	@for m in $(MODULES); do echo "== module $$m"; (cd $$m && go vet ./... && go run $(STATICCHECK) ./...) || exit 1; done

build: ## vet for other platforms, except compat and the cookbook, which only have tests with other libraries
	@for target in linux/386 linux/arm64 windows/amd64 darwin/arm64; do \
		for m in $(filter-out %/compat %/cookbook,$(MODULES)); do echo "== $$target, module $$m"; \
			(cd $$m && GOOS=$${target%/*} GOARCH=$${target#*/} go vet ./...) || exit 1; done; done

VERSION ?= v0.1.0
api: ## compare the exported API with that of VERSION; only changes in .ci/VERSION.changed may be incompatible
	@new=$$(GOWORK=off go run $(APIDIFF) -m .ci/$(VERSION).api example.com/fairlead) && echo "$$new" && \
	broken=$$(echo "$$new" | sed -n '/^Incompatible/,/^Compatible/s/^- //p' | grep -vxFf .ci/$(VERSION).changed || true) && \
	if [ -n "$$broken" ]; then echo "these changes since $(VERSION) are incompatible and not in .ci/$(VERSION).changed:"; \
		echo "$$broken"; echo "see CHANGELOG.md on versions"; exit 1; fi

api-record: ## record the exported API as that of VERSION
	@GOWORK=off GOFLAGS=-trimpath go run $(APIDIFF) -m -w .ci/$(VERSION).api example.com/fairlead

FUZZTIME ?= 20s
fuzz: ## run each fuzz target of each module for FUZZTIME
	@for m in $(MODULES); do cd $(CURDIR)/$$m; for d in $$(go list -f '{{.Dir}}' ./...); do \
		for t in $$(cat $$d/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p'); do \
			echo "== $$d: $$t"; \
			go test -run "^$$t$$" -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$d || exit 1; done; done; done

bench: ## compare with other libraries, in 10 minutes, and write the tables and charts of bench/README.md
	@cd bench && go run . -write

bench-quick: ## print the ratios against the targets, in two minutes
	@cd bench && go run . -quick

peers-tests: ## run the tests of other libraries against Fairlead
	@cd bench/peerstests && go run .

proof: ## test the HTTP transport with nginx, express-rate-limit, aimock and three clients; downloads what it needs
	@sh bench/proof/setup.sh
	@cd bench/proof && go vet ./... && go test -count=1 -timeout 300s ./...

transcripts: ## rewrite the transcripts of the core, and show what has changed
	@go test ./scheduler/internal/core -run TestTranscripts -rewrite && git diff --stat -- scheduler/internal/core/testdata

path = $(patsubst %/.,%,example.com/fairlead/$(1))
tidy: ## go mod tidy of the modules in go.work, which require each other in a version that is not released yet
	@for m in $(WORKSPACE); do echo "== module $$m"; (cd $$m && \
		go mod edit $(foreach o,$(WORKSPACE),-replace=$(call path,$(o))=$(CURDIR)/$(o)) && \
		GOWORK=off go mod tidy; tidied=$$?; go mod edit $(foreach o,$(WORKSPACE),-dropreplace=$(call path,$(o))); exit $$tidied) || exit 1; done

next: ## let the modules require each other in another version: make next VERSION=v0.3.0
	@test "$(origin VERSION)" = "command line" || { echo "usage: make next VERSION=v0.3.0"; exit 2; }
	@find . -name go.mod -o -name go.work | xargs sed -i.bak -E 's#(example.com/fairlead[a-z/]*) v[^ ]+#\1 $(VERSION)#'
	@find . -name '*.bak' -delete

rename: ## give the module another path: make rename MODULE=host/path
	@test -n "$(MODULE)" || { echo "usage: make rename MODULE=host/path"; exit 2; }
	@grep -rlF example.com/fairlead --include='*.go' --include=go.mod --include=go.work --include='*.md' --include=Makefile . | xargs sed -i.bak 's#example.com/fairlead#$(MODULE)#g'
	@find . -name '*.bak' -delete
