# The verbs a person runs; CI runs `check` and `test`. PYTHON=python3.12 chooses another interpreter.
SOURCES := $(shell find lfm2_colbert index eval service -type f -not -name '*.pyc' 2>/dev/null)
KERNELS := CMakeLists.txt $(wildcard index/native/kernels/*)
DEV := .venv/.installed
DEMO := .venv-demo/.installed
RUN := .venv/bin/python -m

.PHONY: setup demo fmt check test test-all coverage bench

setup: $(DEV)  ## everything for development: .venv with torch, serve, eval and the tools

$(DEV): pyproject.toml constraints/constraints.txt scripts/make_venv.sh $(KERNELS)
	scripts/make_venv.sh .venv --group dev --editable '.[train,serve,eval,openvino]'
	touch $@

demo: $(DEMO)  ## the base install alone; index the examples, ask across languages
	.venv-demo/bin/python examples/demo.py

$(DEMO): pyproject.toml constraints/constraints.txt scripts/make_venv.sh $(SOURCES)
	scripts/make_venv.sh .venv-demo --force-reinstall --no-deps .
	scripts/make_venv.sh .venv-demo .
	touch $@

fmt: $(DEV)  ## format, and fix what can be fixed
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

check: $(DEV)  ## style, types, layers
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	.venv/bin/lint-imports --no-logo
	! grep -rnE --include="*.py" '^\s*import (index|eval|service)\b' .  --exclude-dir='.venv*'

test: $(DEV)  ## what must hold before a change lands: minutes
	$(RUN) pytest -n 2 --dist worksteal -m 'not slow'

test-all: $(DEV)  ## the long programmes too, and which branches are never taken: hours
	$(RUN) pytest -n 2 --dist worksteal --cov

coverage: $(DEV)  ## which branches `make test` never takes; a third slower than that
	$(RUN) pytest -n 2 --dist worksteal -m 'not slow' --cov

bench: $(DEV)  ## measure again: benchmarks/results/*.json, and the tables made of them
	$(RUN) benchmarks.quality ../shared/data/eval --checkpoint ../shared/bootstrap/checkpoint
	$(RUN) benchmarks.encoder
	$(RUN) benchmarks.kernels
	$(RUN) benchmarks.codebooks ../shared/data/eval
	$(RUN) benchmarks.codecs ../shared/data/eval
	$(RUN) benchmarks.engine ../shared/data/eval
	$(RUN) benchmarks.citations ../shared/data/eval
	$(RUN) benchmarks.answers_cost ../shared/data/eval
	$(RUN) benchmarks.throughput ../shared/data/eval
	$(RUN) benchmarks.growth ../shared/data --checkpoint ../shared/bootstrap/checkpoint
	$(RUN) benchmarks.updates data/eval
	$(RUN) benchmarks.durability
	$(RUN) benchmarks.tables
	$(RUN) benchmarks.plots
