# make demo      sends order updates from four languages to a sandbox (KEEP=1 leaves it running)
# make build     writes the packages to dist/
# make test      what a change needs; make test-all adds servers, frameworks, kills and failing disks
# make lint      formats, warnings, licences, generated files, wording, links
# make bench; make soak (MINUTES=10)

VENV   := $(CURDIR)/.venv
DIST   := $(CURDIR)/dist
CARGO_TARGET_DIR ?= $(CURDIR)/target
RECEIVER := $(CARGO_TARGET_DIR)/debug/katalys-receiver
# The command that tests use to start a sandbox.
KATALYS_COMMAND := $(DIST)/katalys
export VENV DIST RECEIVER CARGO_TARGET_DIR KATALYS_COMMAND
# Settings of the developer's environment must not reach the tests.
unexport KATALYS_SITE_ID KATALYS_ENDPOINT KATALYS_TIMEOUT KATALYS_OUTBOX

PACKAGES := bindings-c bindings-php bindings-python bindings-node cli

.PHONY: demo test test-all soak build lint lint-words lint-links bench generate receiver tools-build \
	tools-demo tools-test clean $(PACKAGES)

# Prerequisites run one after the other, in the order written, even with -j: each package is an optimised build
# that uses all cores, and tests need what is built before them. The steps within one package run in parallel.
.NOTPARALLEL:

demo: tools-demo build
	examples/demo.sh

build: $(PACKAGES)
	@echo && echo "in dist/:" && ls $(DIST)

bindings-c bindings-python bindings-node cli: tools-build
	$(MAKE) -C $@ build
# The PHP package contains the C library and loads it through FFI.
bindings-php: bindings-c
	$(MAKE) -C $@ package

# The tests that a change needs: packages, examples, tools.
test: tools-test build receiver
	cargo test --workspace --exclude katalys-python --exclude katalys-node
	$(MAKE) -C bindings-c test-package
	$(MAKE) -C bindings-php test-package
	$(MAKE) -C bindings-python test-package
	$(MAKE) -C bindings-node test-package
	$(MAKE) -C cli test-packages
	examples/test.sh
	tools/test.sh

# Tests with real servers and frameworks, killed processes and failing disks.
test-all: tools-test build receiver
	$(MAKE) -C bindings-php test-servers
	$(MAKE) -C bindings-python test-django
	$(MAKE) -C bindings-node test-servers
	$(MAKE) -C tests/outbox test
	$(MAKE) -C tests/faults test

# For MINUTES, processes in three languages share an outbox and are killed; then the same on failing disks.
soak: tools-test build receiver
	$(MAKE) -C tests/outbox soak
	$(MAKE) -C tests/faults soak

lint: lint-words lint-links tools-test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run -q -p katalys-generate -- --check
	tools/deny.sh
	$(MAKE) -C bindings-c lint
	$(MAKE) -C bindings-php lint
	$(MAKE) -C bindings-python lint
	$(MAKE) -C bindings-node lint
	$(MAKE) -C cli lint

# The words that the documentation, comments and messages avoid (tools/words.txt).
lint-words:
	python3 tools/words.py
# Links and anchors between the Markdown pages.
lint-links:
	python3 tools/links.py

bench: tools-test build
	$(VENV)/bin/python benches/run.py

# Every file that is generated from the core's tables, and the C headers.
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
