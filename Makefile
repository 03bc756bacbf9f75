# make run   - installs what is missing, builds, serves a live dashboard
# make test  - installs what is missing, runs every test
# The others: dev, check, test-browser, site, demo-flights, screenshots, bench, crash, fuzz, release, clean

SHELL := /bin/bash
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dash
# Outside of the checkout: a second clone does not compile 700 crates again.
export CARGO_TARGET_DIR ?= $(CACHE)/target
export npm_config_cache ?= $(CACHE)/npm
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

SERVER := $(CARGO_TARGET_DIR)/debug/server

.PHONY: run dev test test-browser check lint clippy site build demo-flights screenshots bench crash fuzz release clean setup-run setup-test setup-bench setup-fuzz

run: setup-run build
	@set -a; [ ! -f .env ] || . ./.env; set +a; exec $(SERVER) serve

# What `run` serves; says how far it is.
build: setup-run
	@scripts/step 3/5 "compiling the server (the first time takes 5 to 10 minutes, later seconds)"
	@cargo build --quiet --package server
	@scripts/step 4/5 "compiling the browser's part"
	@cargo run --quiet --package xtask -- site
	@scripts/step 5/5 "starting"

site: setup-run
	@cargo run --quiet --package xtask -- site

# Rebuilds and restarts on every change.
dev: setup-run
	@scripts/dev

demo-flights: setup-run
	@cargo build --quiet --package server
	@$(SERVER) demo-flights

test: setup-test lint
	@scripts/test

# The browser's tests alone.
test-browser: setup-test
	@scripts/test-browser

# The pictures of README, taken by the browser's tests. Takes five minutes: the charts have to fill.
screenshots: setup-test
	@DASH_SCREENSHOTS=1 scripts/test-browser --project=javascript --workers=1 screenshots
	@ls -l docs/screenshots

# Quick look while working: types and lints, no tests.
check: setup-run clippy

lint: setup-test
	@scripts/step lint "rustfmt, clippy, browser's part"
	cargo fmt --all --check
	@$(MAKE) --no-print-directory clippy

# The same for both, so that nothing is checked twice with other features.
clippy:
	cargo clippy --quiet --workspace --exclude frontend --all-targets -- -D warnings
	cargo clippy --quiet --package frontend --target wasm32-unknown-unknown --profile wasm-dev -- -D warnings

# Prints a table, and writes bench/results. Options: make bench ROW=ingest,single RUNS=3
# Others: SECONDS and SUSTAINED (of each load), LOAD (events/s while a dashboard is looked at), DIR (on which disk), FULL=1, MARKDOWN (a file); PROFILE=dev shows whether it works, its figures mean nothing.
BENCH_OPTIONS := RUNS SECONDS SUSTAINED LOAD DIR MARKDOWN
lower = $(shell echo $(1) | tr A-Z a-z)
bench: setup-bench
	@scripts/bench '$(or $(PROFILE),release)' '$(ROW)' $(if $(FULL),--full) \
		$(foreach o,$(BENCH_OPTIONS),$(if $($(o)),--$(call lower,$(o)) '$($(o))'))

# Options: make fuzz TARGET=ingest,spool SECONDS=600
fuzz: setup-fuzz
	@scripts/fuzz '$(or $(SECONDS),60)' '$(TARGET)'

# Breaks a running server in many ways and checks that nothing it acknowledged is lost or counted twice; see docs/crash.md.
# Options: make crash N=100 (kills) SEED=4711 SHORT=1; PROFILE=release for an optimised server.
CRASH_PROFILE := $(or $(PROFILE),dev)
crash: setup-run
	@scripts/step crash "building"
	@cargo build --quiet --profile $(CRASH_PROFILE) --package server --package dash-crash
	@bin=$(CARGO_TARGET_DIR)/$(patsubst dev,debug,$(CRASH_PROFILE)); exec $$bin/crash --server $$bin/server \
		$(if $(N),--kills '$(N)') $(if $(SEED),--seed '$(SEED)') $(if $(filter-out 0,$(SHORT)),--short)

# An optimised server and site in target/release-bundle.
release: setup-run
	@scripts/release

setup-run:
	@scripts/setup run

setup-fuzz:
	@scripts/setup fuzz

setup-test:
	@scripts/setup test

setup-bench:
	@scripts/setup bench

clean:
	rm -rf target style/node_modules end2end/node_modules
