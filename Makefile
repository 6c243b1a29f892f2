# The modules of this repository. The root one has no dependencies but for its tests.
MODULES := . events/otelevents events/terminal events/timeline/browser examples examples/cookbook bench bench/peerstests scheduler/adapters/compat

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
APIDIFF := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4

.PHONY: help demo compare test test-386 cpus sim soak mutate lint build api api-record fuzz bench bench-quick peers-tests proof transcripts rename

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## run 320 requests against a local API that refuses, fails and drops
	@sh examples/demo/run.sh

compare: ## run those requests with plain goroutines and with batch, and print both side by side
	@cd examples && go run ./compare

test: ## run all tests of all modules, with the race detector
	@for m in $(MODULES); do echo "== module $$m"; (cd $$m && go test -race -shuffle=on -timeout 240s ./...) || exit 1; done
	@echo "== allocations, which the race detector adds to"; go test -run 'Allocates|NobodyPays|ReusesItsMemory' ./...

SEED ?= 0
STEPS ?= 20000000
MODEL ?= true
sim: ## simulate STEPS moves of the core from SEED (0: a random one); MODEL=false: fast, against the rules alone
	@go test ./scheduler -run '^TestSimulation$$' -count=1 -v -timeout 0 -sim.seed $(SEED) -sim.steps $(STEPS) -sim.model=$(MODEL) -sim.save '$(SAVE)'

test-386: ## run the root module's tests on 32 bits, where the machine can
	@if GOARCH=386 CGO_ENABLED=0 go test -run '^$$' ./retry >/dev/null 2>&1; then \
		GOARCH=386 CGO_ENABLED=0 go test -timeout 120s ./...; \
	else echo "this machine does not run 32-bit programs; make build checks that they compile"; fi

COUNT ?= 1
cpus: ## run the root module's tests on 1, 2 and 4 processors, in any order, COUNT times each
	@go test -cpu 1,2,4 -shuffle=on -count=$(COUNT) -timeout 240s ./...

FOR ?= 0
soak: ## run a scheduler at full speed, and simulations beside it, for FOR (0: until stopped), and see that nothing grows
	@go test ./scheduler -run '^TestSoak$$' -count=1 -v -timeout 0 -soak.for $(FOR)

mutate: ## change the pure core and the bucket here and there, and see that a test fails each time: a quarter of an hour
	@.ci/mutate

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt'd:"; echo "$$unformatted"; exit 1; }
	@for m in $(MODULES); do echo "== module $$m"; (cd $$m && go vet ./... && go run $(STATICCHECK) ./...) || exit 1; done

build: ## build for platforms other than this one; compat and the cookbook are nothing but tests with other libraries
	@for target in linux/386 linux/arm64 windows/amd64 darwin/arm64; do \
		for m in $(filter-out %/compat %/cookbook,$(MODULES)); do echo "== $$target, module $$m"; \
			(cd $$m && GOOS=$${target%/*} GOARCH=$${target#*/} go vet ./...) || exit 1; done; done

VERSION ?= v0.1.0
api: ## see that what VERSION exported is still there, but for the changes in .ci/VERSION.changed; what is new is printed
	@new=$$(go run $(APIDIFF) -m .ci/$(VERSION).api example.com/fairlead) && echo "$$new" && \
	broken=$$(echo "$$new" | sed -n '/^Incompatible/,/^Compatible/s/^- //p' | grep -vxFf .ci/$(VERSION).changed || true) && \
	if [ -n "$$broken" ]; then echo "programs that use $(VERSION) would not compile any more, and .ci/$(VERSION).changed does not say so:"; \
		echo "$$broken"; echo "see CHANGELOG.md on versions"; exit 1; fi

api-record: ## write down what is exported now, as that of VERSION
	@GOFLAGS=-trimpath go run $(APIDIFF) -m -w .ci/$(VERSION).api example.com/fairlead

FUZZTIME ?= 20s
fuzz: ## run every fuzz target of every module for FUZZTIME each
	@for m in $(MODULES); do cd $(CURDIR)/$$m; for d in $$(go list -f '{{.Dir}}' ./...); do \
		for t in $$(cat $$d/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p'); do \
			echo "== $$d: $$t"; \
			go test -run "^$$t$$" -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$d || exit 1; done; done; done

bench: ## compare with other libraries in 10 minutes, and write bench/README.md's tables and charts
	@cd bench && go run . -write

bench-quick: ## print the ratios against the targets, in 90 seconds
	@cd bench && go run . -quick

peers-tests: ## run the peers' own tests against Fairlead
	@cd bench/peerstests && go run .

proof: ## run the HTTP transport against nginx, express-rate-limit, aimock and three clients; gets what it needs
	@sh bench/proof/setup.sh
	@cd bench/proof && go vet ./... && go test -count=1 -timeout 300s ./...

transcripts: ## write what the core does now into its transcripts, to be read in the diff
	@go test ./scheduler -run TestTranscripts -rewrite && git diff --stat -- scheduler/testdata

rename: ## give the module another path: make rename MODULE=host/path
	@test -n "$(MODULE)" || { echo "usage: make rename MODULE=host/path"; exit 2; }
	@grep -rlF example.com/fairlead --include='*.go' --include='go.mod' --include='*.md' --include=Makefile . | xargs sed -i.bak 's#example.com/fairlead#$(MODULE)#g'
	@find . -name '*.bak' -delete
