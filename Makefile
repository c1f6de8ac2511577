# `make` alone lists the targets. Set PYTHON or VENV to use another interpreter or folder:
#     make test PYTHON=python3.13 VENV=.venv313
# ARGS goes to pytest:  make test ARGS="-k store -x"
.POSIX:

PYTHON = python3
VENV = .venv
DEMO = demo
ARGS =
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --prefer-binary
PROJECTS = pyproject.toml plugins/*/pyproject.toml

.PHONY: help demo test check docs bench format clean

help:
	@echo "make demo     install into $(VENV), then make one verified video in $(DEMO)/"
	@echo "make test     install what contributors need, then run the tests"
	@echo "make check    ruff, ruff format, mypy --strict, changelog fragments"
	@echo "make format   let ruff sort imports and lay out the code"
	@echo "make docs     build the documentation into site/, strict about links"
	@echo "make bench    run benchmarks/*.py and print their tables"
	@echo "make clean    remove $(VENV)/, $(DEMO)/, site/ and caches"

demo: $(VENV)/.demo
	$(BIN)/cosmos demo $(DEMO)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# Every tool speaks, also after another has failed.
check: $(VENV)/.dev
	@bad=; for tool in "ruff check ." "ruff format --check ." mypy "python changelog.d/fragments.py check"; do \
		echo "$$tool"; $(BIN)/$$tool || bad=yes; \
	done; test -z "$$bad"

format: $(VENV)/.dev
	$(BIN)/ruff check --select I --fix --quiet .
	$(BIN)/ruff format .

docs: $(VENV)/.docs
	$(BIN)/python docs/_generate.py
	$(BIN)/mkdocs build --strict
	@echo "open site/index.html"

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/store.py claims
	$(BIN)/python benchmarks/store.py listing
	$(BIN)/python benchmarks/verify.py
	$(BIN)/python benchmarks/qa.py
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/city.py
	$(BIN)/python benchmarks/city_gates.py --seeds 1..2
	$(BIN)/python benchmarks/adherence.py
	$(BIN)/python benchmarks/transfer.py

clean:
	rm -rf $(VENV) $(DEMO) site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp an installation. The code is installed in place, so only a change of what must be installed is one.
$(VENV)/.venv:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is `$(PYTHON) --version`; 3.11 or newer is needed. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.venv $(PROJECTS)
	@echo "installing cosmos-core and the city plugin into $(VENV) ..."
	@$(PIP) -e . -e plugins/city
	@touch $@

$(VENV)/.dev: $(VENV)/.venv $(PROJECTS) requirements/dev.txt
	@echo "installing everything a contributor needs into $(VENV) ..."
	@$(PIP) -r requirements/dev.txt
	@touch $(VENV)/.demo $@

$(VENV)/.docs: $(VENV)/.dev
	@$(PIP) -e ".[docs]"
	@touch $@
