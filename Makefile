# Every target makes its own .venv first, so `make test` works in a clean checkout.
# PYTHON chooses the interpreter of .venv (3.11 or newer).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
PROXIES_READY := $(VENV)/.proxies-ready
BENCH_READY := $(VENV)/.bench-ready
# Cached bytecode halves the time of collection and of every test that starts an interpreter.
unexport PYTHONDONTWRITEBYTECODE

COMPILED := $(foreach folder,src/uplinks src/uplinks/_compiled,$(foreach kind,pyx pxd pxi,$(wildcard $(folder)/*.$(kind))))
UNBUILT := $(if $(wildcard src/uplinks/_wrr.*.so),,unbuilt)
CHECKED := src tests examples/fastapi examples/plain examples/service examples/tested/service.py $(sort $(patsubst %/,%,$(dir $(wildcard benchmarks/*.py))))
comma := ,
# Build switches do not change the reference scheduler. Each run has its own cache and temporary
# folder, because pytest clears those of earlier runs and two runs may be parallel.
COMPILED_ONLY := -p no:cacheprovider --basetemp=tmp -k 'not reference or against'
SELECTOR := $(wildcard tests/test_balance*.py tests/laws/test_selector*.py tests/embedding)
LEASES := tests/test_parent_leases.py

# Build the extension with other switches, in a copy of the sources under build/.
# $(call build_variant,NAME,SWITCHES)
define build_variant
	@rm -rf build/$(1)
	@mkdir -p build/$(1)
	@cp -R setup.py pyproject.toml README.md LICENSE src tests build/$(1)
	@rm -f build/$(1)/src/uplinks/*.so build/$(1)/src/uplinks/*.c
	@cd build/$(1) && { $(2) $(CURDIR)/$(BIN)/python setup.py build_ext --inplace >log 2>&1 \
	    || { cat log; exit 1; }; }
endef

# Run in the copy, and fail if the extension of src would be loaded instead.
VARIANT := PYTHONPATH=src HYPOTHESIS_PROFILE=instrumented
LOADED := -c 'import uplinks._wrr as w; "/build/" in w.__file__ or exit(w.__file__)'

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: demo test test-compiled test-debug test-asan test-wheel test-lowest coverage-pyx test-proxies test-traefik test-browser test-kubernetes api-server lint gates bench instructions docs clean unbuilt

# Depends on everything that changes the extension or the tools.
$(READY): pyproject.toml setup.py $(COMPILED) $(UNBUILT)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# Install the requirements of an extra. `pip install '.[docs]'` would build the extension again.
install_extra = $(BIN)/python -c "import tomllib; \
    extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
    print(*extras['$(1)'], sep='\n')" | $(BIN)/python -m pip install --quiet --requirement /dev/stdin

$(DOCS_READY): pyproject.toml | $(READY)
	@$(call install_extra,docs)
	@touch $@

$(PROXIES_READY): pyproject.toml | $(READY)
	@$(call install_extra,proxies)
	@touch $@

$(BENCH_READY): pyproject.toml | $(READY)
	@$(call install_extra,bench)
	@touch $@

demo: $(READY)
	@printf '== Check the manifests of a parent and its two children ==\n\n'
	@$(BIN)/uplinks check examples/banking
	@printf '\n== Materialize the services the parent generates ==\n\n'
	@$(BIN)/uplinks materialize examples/banking
	@printf '\n== Let children fail and recover, on real sockets under load, also below a live parent ==\n\n'
	@$(BIN)/uplinks demo

# On all cores: tests share no state and do not depend on the time.
test: $(READY)
	@$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

# Everything about the compiled selector; `make -j2` runs two targets at a time, the longest first.
# test-debug is not among them: the build of test-asan has the same checks and sanitizers too.
test-compiled: test-wheel test-asan coverage-pyx

# Bounds checks and assertions, not optimized: the build for a debugger.
test-debug: $(READY)
	$(call build_variant,debug,UPLINKS_DEBUG=1)
	@cd build/debug && $(VARIANT) $(CURDIR)/$(BIN)/python $(LOADED)
	@cd build/debug && $(VARIANT) $(CURDIR)/$(BIN)/python -m pytest $(COMPILED_ONLY) $(SELECTOR) $(LEASES)

# No leak detection, because CPython frees little at exit. `malloc`, so that each object is checked.
# Without the bulk tests: they repeat millions of times what the others run.
test-asan: $(READY)
	$(call build_variant,asan,UPLINKS_DEBUG=1 UPLINKS_SANITIZE=address$(comma)undefined)
	@cd build/asan && nm -D src/uplinks/_wrr.*.so | grep -q __asan_report_store
	@cd build/asan && $(VARIANT) PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
	    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    $(CURDIR)/$(BIN)/python -m pytest --capture=sys $(COMPILED_ONLY) $(filter-out %_bulk.py,$(SELECTOR)) $(LEASES)

# A traced line costs a hundred picks, so only tests that reach lines of their own.
TRACED := $(wildcard tests/test_balance*.py) $(patsubst %,tests/laws/test_selector_%.py,replays adversary hostile)
coverage-pyx: $(READY)
	$(call build_variant,trace,UPLINKS_TRACE=1)
	@tests/coverage-pyx $(subst 'not reference or against','(not reference or against) and not wide and not width and not smooth',$(COMPILED_ONLY)) $(TRACED) $(LEASES)

# Build from a clean clone of the last commit, and test outside the checkout.
test-wheel:
	@tests/embedding/test-wheel $(PYTHON)

# With the oldest versions of the requirements that pyproject.toml allows.
LOWEST := build/lowest/bin/python
test-lowest:
	@rm -rf build/lowest
	@$(PYTHON) -m venv build/lowest
	@$(LOWEST) -m pip install --quiet uv
	@$(LOWEST) -m uv pip install --quiet --python $(LOWEST) --resolution lowest-direct '.[test]'
	@$(LOWEST) -m pytest -p no:cacheprovider tests

# The next two install programs outside .venv: Debian's nginx and HAProxy, and Debian's Chromium.
test-proxies: $(READY) $(PROXIES_READY)
	@tests/proxies/install
	@UPLINKS_PROXIES=required $(BIN)/python -m pytest tests/proxies

# With a binary of open-source Traefik 3.7 on the PATH; without one every test is skipped and says so.
test-traefik: $(READY)
	@UPLINKS_TRAEFIK=$$(command -v traefik >/dev/null && echo required) $(BIN)/python -m pytest tests/traefik

# With a real API server, built of public Go modules; without Go every test is skipped and says so.
test-kubernetes: $(READY)
	@UPLINKS_KUBERNETES=$$(command -v go >/dev/null && echo required) $(BIN)/python -m pytest tests/kubernetes

# The first build takes minutes; it is kept in the user's cache, by a hash of its sources.
api-server:
	@if command -v go >/dev/null; then tests/kubernetes/build; \
	    else printf 'no Go: the tests with a real API server will be skipped\n'; fi

test-browser: $(READY)
	@tests/browser/install
	@$(BIN)/python -m pytest tests/browser

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/python -m tests.wording
	@$(BIN)/mypy $(CHECKED)
	@$(BIN)/stubtest --mypy-config-file pyproject.toml uplinks._wrr uplinks._leases
	@$(BIN)/lint-imports --no-logo

# Only the ratios of the selector, leases and the parent that have a limit. `make bench` measures every
# figure of docs/performance.md, and also judges whole fleets, texts and simulations.
GATES := $(patsubst %,benchmarks/test_%.py,batch c_level change lease memory parent pick)

gates: $(READY) $(BENCH_READY)
	@$(BIN)/python -m pytest $(GATES) --gates

bench: $(READY) $(BENCH_READY)
	@$(BIN)/python -m pytest benchmarks

# Instructions of hot calls, which noise cannot change; `--record` is for a commit that changes them.
instructions: $(READY)
	@$(BIN)/python -m benchmarks.instructions

docs: $(DOCS_READY)
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html
	@printf 'docs/_build/html/index.html\n'

clean:
	@rm -rf build dist docs/_build docs/reference .coverage* .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
	@rm -f $(READY) $(DOCS_READY) $(PROXIES_READY) $(BENCH_READY) src/uplinks/*.so src/uplinks/*.c src/uplinks/*.html
	@find src tests benchmarks docs -type d -name __pycache__ -prune -exec rm -rf {} +
