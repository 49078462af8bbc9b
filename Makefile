# make demo   see it work: order updates from four languages arrive in a sandbox (KEEP=1 leaves it running)
# make test   what a change needs; make test-all adds servers, frameworks, kills and failing disks
# make lint; make build; make bench; make soak (MINUTES=10)

VENV   := $(CURDIR)/.venv
DIST   := $(CURDIR)/dist
CARGO_TARGET_DIR ?= $(CURDIR)/target
RECEIVER := $(CARGO_TARGET_DIR)/debug/katalys-receiver
# The command that tests start a sandbox with.
KATALYS_COMMAND := $(DIST)/katalys
export VENV DIST RECEIVER CARGO_TARGET_DIR KATALYS_COMMAND
# Settings of this machine's own must not reach the tests.
unexport KATALYS_SITE_ID KATALYS_ENDPOINT KATALYS_TIMEOUT KATALYS_OUTBOX

PACKAGES := bindings-c bindings-php bindings-python bindings-node cli

.PHONY: demo test test-all soak build lint bench generate receiver tools-build tools-demo tools-test clean $(PACKAGES)

demo: tools-demo build
	examples/demo.sh

build: $(PACKAGES)
	@echo && echo "in dist/:" && ls $(DIST)

# One after the other: each is a link-time optimised build that fills all cores by itself.
bindings-c: tools-build
	$(MAKE) -C bindings-c build
bindings-php: bindings-c
	$(MAKE) -C bindings-php build
bindings-python: bindings-php
	$(MAKE) -C bindings-python build
bindings-node: bindings-python
	$(MAKE) -C bindings-node build
cli: bindings-node
	$(MAKE) -C cli build

# Everything that a contributor needs to trust a change.
test: tools-test build receiver
	cargo test --workspace --exclude katalys-python --exclude katalys-node
	$(MAKE) -C bindings-c test-package
	$(MAKE) -C bindings-php test-package
	$(MAKE) -C bindings-python test-package
	$(MAKE) -C bindings-node test-package
	$(MAKE) -C cli test-packages
	examples/test.sh
	tools/test.sh

# With real servers and frameworks, killed processes and failing disks.
test-all: tools-test build receiver
	$(MAKE) -C bindings-php test-servers
	$(MAKE) -C bindings-python test-django
	$(MAKE) -C bindings-node test-servers
	$(MAKE) -C tests/outbox test
	$(MAKE) -C tests/faults test

# Processes in three languages share an outbox and are killed, for MINUTES; then on failing disks.
soak: tools-test build receiver
	$(MAKE) -C tests/outbox soak
	$(MAKE) -C tests/faults soak

lint: tools-test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run -q -p katalys-generate -- --check
	tools/deny.sh
	$(MAKE) -C bindings-c lint
	$(MAKE) -C bindings-php lint
	$(MAKE) -C bindings-python lint
	$(MAKE) -C bindings-node lint
	$(MAKE) -C cli lint

bench: tools-test build
	$(VENV)/bin/python benches/run.py

# Every file that is made from the core's tables, and the C headers.
generate:
	cargo run -q -p katalys-generate
	$(MAKE) -C bindings-c generate

receiver:
	cargo build -q -p katalys-receiver

tools-build: $(VENV)/complete
	tools/need.sh build
tools-demo:
	tools/need.sh demo
tools-test: $(VENV)/complete
	tools/need.sh test

$(VENV)/complete: bindings-python/requirements-dev.txt
	tools/need.sh build
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r bindings-python/requirements-dev.txt
	touch $@

clean:
	rm -rf $(DIST) $(VENV) $(CARGO_TARGET_DIR) bindings-node/node_modules cli/web-test/node_modules tests/outbox/build tests/faults/build
