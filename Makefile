# What developers of freshet run. "make help" lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build run check test record race setup fuzz bench bench-full site vuln clean

GO ?= go
# Each fuzz target runs for so long; FUZZTIME=10m for a thorough run.
FUZZTIME ?= 10s
# Posts in the benchmark corpus.
POSTS ?= 10000

help: ## list what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build the binary ./freshet
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -o freshet ./cmd/freshet

run: ## freshet up on content/, at http://localhost:8080
	CGO_ENABLED=0 $(GO) run -trimpath ./cmd/freshet up

check: ## gofmt, vet, staticcheck, import table
	@unformatted="$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))"; \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 -run '^TestImports$$' ./cmd/freshet

setup: ## install what the tests need, when root on Debian
	@missing=; \
	command -v gcc >/dev/null || missing="gcc libc6-dev"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v varnishd >/dev/null || missing="$$missing varnish varnish-modules"; \
	command -v nginx >/dev/null || missing="$$missing nginx-light"; \
	command -v haproxy >/dev/null || missing="$$missing haproxy"; \
	command -v apache2 >/dev/null || missing="$$missing apache2-bin"; \
	command -v python3 >/dev/null || missing="$$missing python3"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing what the tests need: $$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi; \
	command -v gcc >/dev/null || { echo "the race detector needs gcc: install it, or run go test ./... without -race"; exit 1; }

# A process with the race detector sleeps for a second at its end unless it is told otherwise; the tests start hundreds.
test: setup ## all tests with the race detector, and what was skipped
	GORACE=atexit_sleep_ms=50 CGO_ENABLED=1 $(GO) test -race -timeout 20m -json ./... | $(GO) run ./internal/testenv/report

record: ## record anew what tests compare with in testdata, after a number was raised
	$(GO) test $$(grep -rlF --include='*_test.go' 'internal/testenv/recorded"' . | xargs -n1 dirname | sort -u) -run 'IsRaised|TestEveryLexer|TestTrees|TestBad' -update

race: ## the tests of the concurrent parts, ten times over
	CGO_ENABLED=1 $(GO) test -race -count=10 ./internal/wire ./internal/telemetry ./internal/memo ./internal/pagestore ./generator ./revalidator/... ./server ./server/guard/... ./internal/redisdb

fuzz: ## each fuzz target for $(FUZZTIME)
	@grep -rHoE --include='*_test.go' '^func (Fuzz[A-Za-z0-9_]+)' . | sed -E 's|^\./(.*)/[^/]+:func (.*)|\1 \2|' | \
	while read -r dir target; do \
		echo "$$dir $$target"; $(GO) test "./$$dir" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
	done

bench: build ## builds beside Hugo, page requests beside nginx, and the benchmarks of the parts
	$(GO) run ./load/bench --freshet ./freshet --posts $(POSTS)
	$(GO) run ./load/serve --freshet ./freshet
	FRESHET_BENCH_POSTS=$(POSTS) $(GO) test -timeout 60m -run '^$$' -bench . -skip '^BenchmarkLive$$' -benchtime 1s ./...
	$(GO) test -timeout 60m -run '^$$' -bench '^BenchmarkLive$$' -benchtime 2000x ./cmd/freshet

bench-full: build ## the same with 100,000 posts; takes about an hour
	$(GO) run ./load/bench --freshet ./freshet --posts $(POSTS)
	$(GO) run ./load/bench --freshet ./freshet --posts 100000
	FRESHET_BENCH_POSTS=100000 $(GO) test -timeout 120m -run '^$$' -bench . -benchtime 1s ./...

site: build ## build the demo site of content/ into public/
	./freshet build

vuln: ## known vulnerabilities in what freshet imports; needs its online database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## remove the binary, built sites and benchmark corpora
	rm -rf freshet .freshet load/.cache
	find public -mindepth 1 ! -name .gitignore -delete
