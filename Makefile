# One target and one profile for every build, or cargo would compile everything twice.
export CARGO_BUILD_TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
CARGO_FLAGS := --profile fast --all-features

# What maturin tells PyO3; told anything else, cargo and maturin would each recompile it.
AS_MATURIN = PYO3_BUILD_EXTENSION_MODULE=1 PYO3_CONFIG_FILE=$(lastword $(wildcard \
	$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/maturin/pyo3-config-$(CARGO_BUILD_TARGET)-*.txt))

BIN := .venv/bin
PYTHON_PACKAGE := bindings-python/python

.NOTPARALLEL:
.PHONY: test check build release setup bench services demo clean

# Everything a change must pass: all test suites on real servers, then `check`.
test: build
	scripts/services.py run -- scripts/test
	$(MAKE) check

# Formats, lints, types, and the layer rules of the core.
check: build
	cargo fmt --all --check
	$(AS_MATURIN) cargo clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	cargo test -p oncecode -p oncecode-node -p oncecode-axum-example $(CARGO_FLAGS) --test layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict scripts/services.py
	$(BIN)/mypy --strict $(PYTHON_PACKAGE)
	MYPYPATH=$(PYTHON_PACKAGE) $(BIN)/python -m mypy.stubtest oncecode._native
	cd bindings-node && npx --no-install tsc --noEmit
	npm --prefix examples/express-react run --silent check

# Both packages, built in place.
build: setup
	cd bindings-node && npm run build
	$(BIN)/maturin develop --profile fast -m bindings-python/Cargo.toml

# Debian packages, .venv and node_modules; quick when all is there.
setup:
	@scripts/setup

# Both packages as they are published, in place: all optimisations, at the price of some minutes.
release: setup
	cd bindings-node && npm run build:release
	$(BIN)/maturin develop --profile release -m bindings-python/Cargo.toml

# Speed of the published packages next to what people use today.
bench: release
	scripts/services.py run -- tests/bench/run
	scripts/services.py run -- tests/bench/services
	scripts/services.py run -- tests/bench/million

# Private servers until Ctrl-C; prints the variables the tests read.
services: setup
	scripts/services.py run

# Shows the packages at work.
demo: build
	scripts/demo

# Removes everything that was built or installed here.
clean:
	rm -rf target .venv node_modules */node_modules */*/node_modules */*/*/node_modules
