.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Processes that share the tests, by modules; each starts hosts of its own.
WORKERS ?= 2

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The environment is built once and again only when the requirements, the lock or the interpreter's minor change.
$(READY): requirements.txt requirements-dev.txt constraints.txt .python-version
	@echo "Setting up the virtual environment (once; about half a minute) …"
	@python=$$(PYTHON='$(PYTHON)' bash local_host/find_python.sh) && \
	 "$$python" -m venv --clear $(VENV) && \
	 $(BIN)/python -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt && \
	 touch $@

.PHONY: setup
setup: $(READY) ## Make the virtual environment (PYTHON=/path/to/python3.13 to choose)

.PHONY: lock
lock: ## Write constraints.txt anew: the newest versions that the requirements allow (test them before you keep them)
	@bash local_host/lock.sh

NODE_READY := node_modules/.ready

# Azurite, the emulator of Azure Storage: a development tool, installed once as package-lock.json has it.
$(NODE_READY): package.json package-lock.json
	@command -v npm >/dev/null || { echo "npm is not there: install Node.js 20 or newer, https://nodejs.org" >&2; exit 1; }
	@echo "Installing Azurite (once; about half a minute) …"
	@npm ci --no-fund --no-audit --loglevel=error
	@touch $@

.PHONY: azurite
azurite: $(NODE_READY) ## Install Azurite, which stands for Azure Storage (needs Node.js and npm)

.PHONY: demo
demo: $(READY) ## Run all three patterns end to end and print the results
	@$(BIN)/python -m local_host demo

.PHONY: examples
examples: $(READY) $(NODE_READY) ## Run the large examples, whose documents are in storage (needs Node.js, for Azurite)
	@$(BIN)/python -m local_host demo --in-storage

.PHONY: start
start: $(READY) ## Serve the app on http://localhost:7071 until Ctrl-C (PORT=7199 for another port)
	@$(BIN)/python -m local_host start $(if $(PORT),--port $(PORT)) --with-offline-model --with-azurite --with-samples

.PHONY: test
test: $(READY) $(NODE_READY) ## Run every test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: fuzz
fuzz: $(READY) ## Try the API against its own definition with many requests (CASES an operation; several minutes)
	@$(BIN)/python -m tests.end_to_end.fuzz $(CASES)

.PHONY: check
check: $(READY) ## Lint, format and type checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

AUDIT := .venv-audit
AUDIT_READY := $(AUDIT)/.ready

# Apart from the other environment, so that what the audit needs is neither tested nor audited along.
$(AUDIT_READY): .python-version
	@python=$$(PYTHON='$(PYTHON)' bash local_host/find_python.sh) && \
	 "$$python" -m venv --clear $(AUDIT) && \
	 $(AUDIT)/bin/python -m pip install -qq --disable-pip-version-check 'pip-audit>=2.10,<3' && \
	 touch $@

.PHONY: audit
audit: $(AUDIT_READY) ## Look the locked versions up among known vulnerabilities (asks pypi.org and the npm registry)
	@$(AUDIT)/bin/pip-audit --no-deps --disable-pip --requirement constraints.txt
	@npm audit --audit-level=high

.PHONY: connector
connector: $(READY) ## Make the connector's definition from the API, and its templates
	@$(BIN)/python -m shared.openapi > connector/apiDefinition.swagger.json.new
	@mv connector/apiDefinition.swagger.json.new connector/apiDefinition.swagger.json
	@$(BIN)/python connector/make_templates.py

.PHONY: format
format: $(READY) ## Format the code and fix what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: bench
bench: $(READY) $(NODE_READY) ## Measure cold start, host start, overhead, workers, the window, the tail, votes, reductions, scale and load
	@$(BIN)/python benchmarks/cold_start.py
	@$(BIN)/python benchmarks/host_start.py
	@$(BIN)/python benchmarks/overhead.py
	@$(BIN)/python benchmarks/workers.py
	@$(BIN)/python benchmarks/window.py
	@$(BIN)/python benchmarks/tail.py
	@$(BIN)/python benchmarks/voting_cost.py
	@$(BIN)/python benchmarks/reduction.py
	@$(BIN)/python benchmarks/scale.py
	@$(BIN)/python benchmarks/api_load.py

PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready

$(PEERS_READY): benchmarks/against_peers/requirements.txt .python-version
	@echo "Setting up the environment of the peers (once; about a minute) …"
	@python=$$(PYTHON='$(PYTHON)' bash local_host/find_python.sh) && \
	 "$$python" -m venv --clear $(PEERS) && \
	 $(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --requirement $< && \
	 touch $@

.PHONY: bench-peers
bench-peers: $(READY) $(PEERS_READY) ## Measure Chorus side by side with other libraries (15 minutes)
	@$(BIN)/python benchmarks/against_peers/compare.py --peers-python $(PEERS)/bin/python $(ARGS)

.PHONY: clean
clean: ## Remove the virtual environments, node_modules and caches
	@rm -rf $(VENV) $(PEERS) $(AUDIT) node_modules .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
