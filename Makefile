# The modules of this repository. The root module has no dependencies except for its tests, and LIGHT modules have few.
# Those of go.work are WORKSPACE. The others have large dependencies, and find the root by a replace directive.
LIGHT := . scheduler/terminal examples examples/batch examples/fleet examples/webhook
WORKSPACE := $(LIGHT) scheduler/otelevents scheduler/journal bucket/pgbucket bucket/redisbucket bucket/redisbucket/goredis events/timeline/browser
MODULES := $(WORKSPACE) examples/cookbook examples/engines bench bench/peerstests scheduler/adapters/compat bucket/redisbucket/compat

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
APIDIFF := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4

.PHONY: help demo compare test test-all test-386 cpus sim fleet soak mutate lint build api api-record fuzz bench bench-quick peers-tests proof engines temporal transcripts tidy next rename

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## send 320 requests to a local API that refuses, fails and drops some
	@sh examples/demo/run.sh

compare: ## send these requests with plain goroutines and with batch, and print both runs side by side
	@cd examples && go run ./compare

test: ## test the library and the programs in examples, with the race detector, in less than 4 minutes
	$(call test,$(LIGHT))

test-all: ## test all modules, with the race detector, and see that what should not allocate does not
	$(call test,$(filter-out bench,$(MODULES)))
	@echo "== module bench, alone, since it compares speeds"; cd bench && go test -race -shuffle=on -timeout 1200s ./...
	@echo "== allocations, without the race detector, which adds some"; go test -run 'Allocates|CostNothing|ReusesItsMemory' ./...

define test
	@echo "== module ."; go test -race -shuffle=on -timeout 1200s ./...
	$(call each,$(filter-out .,$(1)),go test -race -shuffle=on -timeout 1200s -p 1 ./...)
endef

# each runs a command in folders, in JOBS of them at once, and prints the output of each when it ends.
JOBS ?= 2
define each
	@printf '%s\n' $(1) | xargs -P $(JOBS) -I {} sh -c \
		'out=$$(cd "$$1" && { $(2); } 2>&1); code=$$?; printf "%s\n" "== module $$1" $${out:+"$$out"}; exit $$code' each {}
endef

SEED ?= 0
STEPS ?= 20000000
MODEL ?= true
sim: ## simulate STEPS moves of the core from SEED (0 draws one) against a model; MODEL=false checks the rules alone, faster
	@go test ./scheduler/internal/core -run '^TestSimulation$$' -count=1 -v -timeout 0 -sim.seed $(SEED) -sim.steps $(STEPS) -sim.model=$(MODEL) -sim.save '$(SAVE)'

SECONDS ?= 1000000
fleet: ## simulate SECONDS of several processes that share a budget, with faults, from SEED (0 draws one), in 10 minutes
	@go test ./scheduler/internal/core -run '^TestFleet$$' -count=1 -v -timeout 0 -fleet.seed $(SEED) -fleet.seconds $(SECONDS)

# The root module's packages, except the one that reads the repository and finds the same on each machine.
portable = $$(go list ./... | grep -v /repotest)

test-386: ## run the root module's tests on 32 bits, if the machine can
	@if GOARCH=386 CGO_ENABLED=0 go test -run '^$$' ./retry >/dev/null 2>&1; then \
		GOARCH=386 CGO_ENABLED=0 go test -timeout 900s $(portable); \
	else echo "this machine can't run 32-bit programs; make build checks that they compile"; fi

CPUS ?= 1,2,4
COUNT ?= 1
cpus: ## run the root module's tests on 1, 2 and 4 processors, in any order, COUNT times each
	@go test -cpu $(CPUS) -shuffle=on -count=$(COUNT) -timeout 1200s $(portable)

FOR ?= 0
soak: ## run a scheduler and simulations at full speed for FOR (0 until stopped), and see that memory and goroutines do not grow
	@go test ./scheduler ./scheduler/internal/core -run '^TestSoak$$' -count=1 -v -timeout 0 -soak.for $(FOR)

mutate: ## run mutation tests of the core and the bucket, in a quarter of an hour
	@.ci/mutate

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt'd:"; echo "$$unformatted"; exit 1; }
	$(call each,$(MODULES),go vet ./... && go run $(STATICCHECK) ./...)

build: ## vet for other platforms, except compat, the cookbook and engines, which only have tests with other libraries
	$(call each,$(filter-out %/compat %/cookbook %/engines,$(MODULES)),for target in linux/386 linux/arm64 windows/amd64 darwin/arm64; do \
		echo "= $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} go vet ./... || exit 1; done)

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

bench: ## compare with other libraries, in 12 minutes, and write the tables and charts of bench/README.md
	@cd bench && go run . -write

bench-quick: ## print the ratios against the targets, in three minutes
	@cd bench && go run . -quick

peers-tests: ## run the tests of other libraries against Fairlead
	@cd bench/peerstests && go run .

proof: ## test the HTTP transport with nginx, express-rate-limit, aimock and three clients; downloads what it needs
	@sh bench/proof/setup.sh
	@cd bench/proof && go vet ./... && go test -count=1 -timeout 300s ./...

engines: ## test the recipes for queue engines, and see that they reach their targets if the machine has nothing else to do
	@cd examples/engines && for d in river asynq nats backlite; do go test -count=1 -timeout 600s ./$$d -targets || exit 1; done

temporal: ## test the recipe for Temporal, whose server takes ten minutes to build
	@cd examples/engines/temporal && nice go vet -tags temporal . && nice go test -tags temporal -count=1 -timeout 300s -v . -targets

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
