# make run    server and signer, on https://localhost:4443, with sample certificates; nothing to set up
# make test   lint, types and tests, with what they need installed first
# make docs   the documentation, in build/docs
# make certs DIR=...  certificates of your own, with a CA; again to renew: docs/certificates.rst
# make test-systemd   what docs/systemd.rst says, on a machine of its own; for root
# make bench  the Go daemons and ours under load, one beside the other
# make profiles   where the time of our daemons goes under load: flame graphs, the event loop's lag, and
#             what libraries and the database take by themselves
# make test-containers   the images and compose files with a real engine, of this machine
# make proto  the Python module of notary/signing/signer.proto, after a change there
# make clean  forget the environment that run and test made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Twisted looks for plugins in the directories of sys.path, where only this mode puts the tree.
EDITABLE := --config-settings editable_mode=compat --editable

.PHONY: run test bench profiles test-systemd test-containers docs certs proto clean

define NEXT_STEPS

Serving https://localhost:4443 until Ctrl-C. In a second shell, with the package "notary" installed:

  alias notary-here='notary -s https://localhost:4443 --tlscacert fixtures/root-ca.crt -d .trust'
  notary-here init -p example.com/hello
  notary-here add -p example.com/hello v1 README.rst
  notary-here verify example.com/hello v1 -i README.rst -q

endef
export NEXT_STEPS

run: $(VENV)/.installed
	@echo "$$NEXT_STEPS"
	@exec conf/run-local.sh $(BIN)

test: $(VENV)/.installed-dev
	tests/system-packages.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --cov --cov-report=
	$(BIN)/coverage report --no-skip-covered --include='notary/tuf/*'

docs: $(VENV)/.installed-dev
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going docs build/docs

test-systemd: $(VENV)/.installed-dev
	NOTARY_TEST_SYSTEMD=1 $(BIN)/pytest tests/integration/test_systemd.py

certs: $(VENV)/.installed
	@test -n "$(DIR)" || { \
	    echo 'make certs DIR=/etc/notary [SERVER="HOST ..."] [SIGNER="HOST ..."]' >&2; exit 1; }
	@$(BIN)/python fixtures/certs.py "$(DIR)" \
	    $(if $(SERVER),--server $(SERVER)) $(if $(SIGNER),--signer $(SIGNER))

bench: $(VENV)/.installed-dev
	tests/system-packages.sh
	$(BIN)/python -m benchmarks --connections 1 2 4 8 16 32 64 --collections 100 10000 100000 \
	    --memory 1000000 --output docs/performance

profiles: $(VENV)/.installed-dev
	tests/system-packages.sh
	$(BIN)/python -m benchmarks.profiles --output docs/performance
	$(BIN)/python -m benchmarks.floors --output docs/performance

# Everything is done in a clone of the last commit. CONTAINER_LAB may name a program that has an
# engine where this machine has none: it is given "build" or "net" and a shell script, to run with
# the network for building, or apart from all others for what serves.
CONTAINER_LAB ?=
CONTAINERS := build/containers
WITH_ENGINE = cd $(CONTAINERS) && $(if $(CONTAINER_LAB),$(CONTAINER_LAB) $(1),sh -c) \
    'PATH="$$PWD/bin:$$PATH"; cd tree && $(2)'

test-containers:
	rm -rf $(CONTAINERS)
	git clone --quiet . $(CONTAINERS)/tree
	install -D "$$(command -v notary)" $(CONTAINERS)/bin/notary
	$(call WITH_ENGINE,build,python3 -m tests.containers.images $(if $(CONTAINER_LAB),--stand-ins))
	$(call WITH_ENGINE,net,python3 -m unittest -v tests.containers.single)
	$(call WITH_ENGINE,net,OVERRIDES=postgres python3 -m unittest -v tests.containers.single)
	$(call WITH_ENGINE,net,python3 -m unittest -v tests.containers.own tests.containers.two_by_two)

# The generated module works with the protobuf of its own major version and the next one, so it is
# made by an older compiler than the newest.
PROTOC := build/protoc

proto:
	$(PYTHON) -m venv $(PROTOC)
	$(PROTOC)/bin/pip install --quiet 'grpcio-tools==1.75.1' 'setuptools<81'
	$(PROTOC)/bin/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. \
	    notary/signing/signer.proto

clean:
	rm -rf $(VENV) $(PROTOC)

$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet $(EDITABLE) .
	@touch $@

$(VENV)/.installed-dev: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet $(EDITABLE) '.[dev]'
	@touch $@ $(VENV)/.installed

# Debian packs the module that makes an environment apart from Python.
$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    test "$$(id -u)" -eq 0 && apt-get update && apt-get install --yes python3-venv; \
	} || { echo "Python cannot make $(VENV): as root, apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
