# The only interface: `make run` and `make test` are all that is needed, the rest is for those who change things.

export PATH := $(PATH):$(CURDIR)/.tools/bin

.PHONY: help run test dist soak bench bench-quick bench-tools bench-parts fmt tools

help:
	@echo 'make run     build Sabir and start it; without a sabir.toml, with a demonstration'
	@echo 'make dist    build what is to be installed, target/dist/sabir: guided by a profile, for a quarter less of its own work (7 minutes)'
	@echo 'make test    check format, lints and dependencies, then run every test'
	@echo 'make soak    what takes too long for every change: reloads and ends under load, ten thousand slow clients'
	@echo 'make bench   measure what is to be installed beside nginx, nginx with Lua, and haproxy (5 minutes; AIM=1: fail if it is slow)'
	@echo 'make bench-quick   the same in 40 seconds, of a plain build'
	@echo 'make bench-parts   measure translation, the stack of the relay, and hostile requests'
	@echo 'make fmt     format the code'

run:
	@scripts/tools.sh compiler
	cargo run --release --locked -- serve

test: tools
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo deny --locked check --hide-inclusion-graph licenses bans sources
	scripts/advisories.sh
	cargo test --locked --no-fail-fast

dist: target/dist/sabir

target/dist/sabir: $(shell find src mappings migrations vendor scripts Cargo.toml Cargo.lock -type f)
	@scripts/tools.sh dist
	scripts/dist.sh

soak: tools
	SOAK_ROUNDS=100 cargo test --release --locked --test reload -- --nocapture under_load
	cargo bench --locked --bench slow

bench: bench-tools dist
	benches/proxy/run.py --sabir target/dist/sabir --beside plain=$(or $(CARGO_TARGET_DIR),target)/release/sabir $(if $(AIM),--aim)

bench-quick: bench-tools
	benches/proxy/run.py --rounds 3 --connections 16,64 --work keyauth

bench-tools: tools
	@scripts/tools.sh bench
	cargo build --release --locked --example upstream
	cargo build --release --locked

bench-parts: tools
	cargo bench --locked --bench '*'

fmt: tools
	cargo fmt

tools:
	@scripts/tools.sh
