# Tandem: `make help` prints what each target does.
# Only Go, make and git are needed. Tools that the checks need are built from tools/ by Go.

SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := bin
SERVICES := posts comments moderation subscriptions query
PROGRAMS := $(SERVICES:%=$(BIN)/sync-%) $(SERVICES:%=$(BIN)/async-%) $(BIN)/async-broker $(BIN)/tandem
TOOL := go tool -modfile=tools/go.mod
LINT := go tool -modfile=tools/lint/go.mod
STACK ?= both
# The race detector needs a C compiler; without one the tests run without it, and say so.
RACE := $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null 2>&1 && echo -race)

.PHONY: help
help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: bench
bench: build ## load both stacks, kill each service in turn, print what that cost (ARGS="--seed 7 --json" to change it)
	@$(BIN)/tandem bench $(ARGS)

.PHONY: test
test: ## run all tests, the end-to-end ones with real processes too
	@[ -n "$(RACE)" ] || echo "no C compiler found: testing without the race detector" >&2
	go test $(RACE) -timeout 30m ./...

.PHONY: build
build: $(PROGRAMS) ## build every program into bin/

# Go knows itself what has changed, so each build is tried each time. (Static patterns: make looks for no other rule of a phony
# target, and would take it for built.)
.PHONY: $(PROGRAMS)
$(BIN)/tandem:
	@go build -o $@ ./bench
$(filter $(BIN)/sync-%,$(PROGRAMS)): $(BIN)/sync-%:
	@go build -o $@ ./sync/$*
$(filter $(BIN)/async-%,$(PROGRAMS)): $(BIN)/async-%:
	@go build -o $@ ./async/$*

LAB := $(filter-out %/tandem,$(PROGRAMS:$(BIN)/%=$(BIN)/lab/%))
.PHONY: build-lab $(LAB)
build-lab: $(LAB) ## build the services with crash points and mistakes into bin/lab/, for the scenarios that need them
$(filter $(BIN)/lab/sync-%,$(LAB)): $(BIN)/lab/sync-%:
	@go build -tags lab -o $@ ./sync/$*
$(filter $(BIN)/lab/async-%,$(LAB)): $(BIN)/lab/async-%:
	@go build -tags lab -o $@ ./async/$*

.PHONY: up
up: build ## start the stacks and keep them running until Ctrl-C or `make down` (STACK=sync, async or both)
	@$(BIN)/tandem up $(STACK)

.PHONY: down
down: build ## stop what `make up` started
	@$(BIN)/tandem down

.PHONY: diff
diff: ## show a service of both stacks side by side (SVC=comments)
	@[ -d "sync/$(SVC)" ] && [ -n "$(SVC)" ] || { echo "say which service: make diff SVC=comments ($(SERVICES))" >&2; exit 2; }
	@sh tools/diff.sh $(SVC)

.PHONY: lint
lint: ## check style: gofmt, go vet, golangci-lint, buf
	@unformatted=$$(gofmt -l bench shared sync async tools); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted" >&2; exit 1; }
	go vet ./...
	go vet -tags lab ./shared/crash ./shared/mutant
	$(LINT) golangci-lint run ./...
	$(TOOL) buf lint
	sh tools/breaking.sh

.PHONY: generate
generate: ## generate the Go code of proto/
	$(TOOL) buf generate

.PHONY: check-generate
check-generate: generate ## fail if the committed code is not what proto/ gives
	@git diff --exit-code --stat -- proto || { echo "commit what make generate made" >&2; exit 1; }
	@[ -z "$$(git status --porcelain -- proto)" ] || { git status --short -- proto; echo "commit what make generate made" >&2; exit 1; }

.PHONY: web
web: ## build the charts of report.html anew (needs Node.js; what it makes is committed)
	@sh bench/report/web/need.sh npm
	cd bench/report/web && npm ci --no-audit --no-fund --loglevel=error && node build.mjs

BUILT_WEB := bench/report/page/charts.js bench/report/page/licences.txt
.PHONY: check-web
check-web: web ## fail if the committed charts are not what bench/report/web gives
	@[ -z "$$(git status --porcelain -- $(BUILT_WEB))" ] || { git status --short -- $(BUILT_WEB); echo "commit what make web made" >&2; exit 1; }

.PHONY: browser-test
browser-test: build ## test report.html in Chromium (CANARY=folder of a bad run, whose report must show red)
	@sh bench/report/web/test.sh

.PHONY: benchmarks
benchmarks: ## run the Go benchmarks of the hot paths
	go test -run '^$$' -bench . -benchtime 1s ./shared/... ./async/... ./bench/...

.PHONY: bench-floors
bench-floors: ## measure the least that the same parts can do and what the project does, in turn; print the ratios (4 minutes)
	@go run ./bench/floors $(ARGS)

.PHONY: bench-ghz
bench-ghz: build ## set the load generator beside ghz: percentiles and CPU per operation (ARGS="-rate 2000 -rounds 10")
	@go build -modfile=tools/ghz/go.mod -o $(BIN)/ghz github.com/bojand/ghz/cmd/ghz
	@go build -o $(BIN)/bench-ghz ./bench/ghz
	@$(BIN)/bench-ghz -bin $(BIN) -ghz $(BIN)/ghz $(ARGS)

.PHONY: grpcurl
grpcurl: ## build grpcurl into bin/, for the tour in the README
	@go build -modfile=tools/go.mod -o $(BIN)/grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl

.PHONY: clean
clean: ## remove what was built and what runs left behind
	rm -rf $(BIN) results .tandem
