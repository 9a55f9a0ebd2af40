SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
KITH    := bin/kith
VENV    := .cache/venv
SOURCES := $(shell find . -name '*.go' -not -path './node_modules/*' -not -name '*_test.go') go.mod

.PHONY: help build demo test test-fast test-black check bench bench-path crash scale fuzz release clean setup

help: ## list what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 18

build: $(KITH) ## build bin/kith

$(KITH): $(SOURCES)
	$(GO) build -ldflags '-s -w' -o $@ ./cmd/kith

demo: build ## fill a fresh folder with the demo shop and serve it
	$(KITH) demo --data data/demo

setup: ## install what the tests need: zstd, and PyIceberg and Polars into .cache
	@test/setup.sh $(VENV)

test: setup test-fast test-black ## run all tests; installs what they need

test-fast: ## the fast tier: no network, no installs
	$(GO) test ./...

test-black: build ## the real binary: other engines, 10 kills, one power cut, a round of each fuzzer
	KITH_BLACK_BOX=1 KITH_PYTHON=$(CURDIR)/$(VENV)/bin/python $(GO) test -count=1 -timeout 45m ./test/...
	$(MAKE) fuzz FUZZTIME=5s

fuzz: ## run each fuzz target for FUZZTIME (default 1m)
	@test/fuzz.sh $(or $(FUZZTIME),1m)

check: ## format, vet, staticcheck, import rule
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt: the files above are not formatted"; exit 1; }
	$(GO) vet ./...
	$(GO) test -run 'TestArchitecture|TestTheRulesBite' .
	$(GO) tool -modfile=test/tools/go.mod staticcheck ./...

bench: build ## the figures that we claim, beside their anchors, in one run
	$(GO) test -run '^$$' -bench . -benchtime 2s ./journal ./collect ./prepare ./lake/columns ./pipeline/dedupe ./identity
	test/stages.sh
	KITH_BENCH=1 $(GO) test -count=1 -v -run TestBenchPath -timeout 30m ./test/...

crash: build ## 100 kills of the real server under load, aimed, and 5 power cuts
	KITH_BLACK_BOX=1 KITH_KILLS=100 KITH_POWER_CUTS=5 $(GO) test -count=1 -v -run 'TestKill|TestPowerCut' -timeout 60m ./test/...

scale: build ## 2 M events over 5 years, 1 M event names, 50 M and 200 M remembered ids, a trickle: figures beside their aims
	KITH_SCALE=1 $(GO) test -count=1 -v -run TestScale -timeout 60m ./test
	$(GO) test -count=1 -v -run TestScale -timeout 2h ./pipeline/dedupe -scale 50000000 -scale-pattern live
	$(GO) test -count=1 -v -run TestScale -timeout 2h ./pipeline/dedupe -scale 200000000 -scale-pattern hour

notice: ## write NOTICE anew from the licences of the linked modules
	test/notice.sh > NOTICE

release: ## a stripped binary that names no path of this machine
	$(GO) build -trimpath -ldflags '-s -w' -o bin/kith ./cmd/kith

clean: ## remove what was built and the demo's data
	rm -rf bin .cache data
