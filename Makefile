# `make run` starts the app, `make test` runs every test; both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check train benchmark clean

run: $(VENV)/app-installed
	$(BIN)/streamlit run streamlit_app.py

# Two processes of one thread each: about half the time of one. A file's tests stay together.
test: $(VENV)/tests-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(VENV)/tests-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Reproduces the weights in models/embedded; resumes after a stop.
train: $(VENV)/app-installed
	$(BIN)/python -m training

benchmark: $(VENV)/tests-installed
	$(BIN)/python -m benchmarks

$(VENV)/app-installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/tests-installed: requirements-test.txt requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements-test.txt
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is wanted, $$($(PYTHON) --version) came: try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV)
