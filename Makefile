# The house in one place: `make test` from a clean checkout makes its own .venv first.
# PYTHON chooses the interpreter of that .venv (3.11 or newer).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
PROXIES_READY := $(VENV)/.proxies-ready
BENCH_READY := $(VENV)/.bench-ready
COMPILED := $(wildcard src/uplinks/*.pyx src/uplinks/*.pxd src/uplinks/*.pxi)
UNBUILT := $(if $(wildcard src/uplinks/_wrr.*.so),,unbuilt)
CHECKED := src tests $(sort $(patsubst %/,%,$(dir $(wildcard benchmarks/*.py))))
comma := ,
# The specification in plain Python is not what other switches change. What two runs at once write
# is kept apart: pytest clears away what earlier runs left, and stumbles over another that does too.
COMPILED_ONLY := -p no:cacheprovider --basetemp=tmp -k 'not reference or against'
SELECTOR := $(wildcard tests/test_balance*.py tests/laws/test_selector*.py tests/embedding)

# Build the compiled part with other switches in a copy under build/: the one in src stays as it is.
# $(call aside,NAME,SWITCHES)
define aside
	@rm -rf build/$(1)
	@mkdir -p build/$(1)
	@cp -R setup.py pyproject.toml README.md LICENSE src tests build/$(1)
	@rm -f build/$(1)/src/uplinks/*.so build/$(1)/src/uplinks/*.c
	@cd build/$(1) && { $(2) $(CURDIR)/$(BIN)/python setup.py build_ext --inplace >log 2>&1 \
	    || { cat log; exit 1; }; }
endef

# What runs there must be what was built there, and not what stands in src.
ASIDE := PYTHONPATH=src HYPOTHESIS_PROFILE=instrumented
LOADED := -c 'import uplinks._wrr as w; "/build/" in w.__file__ or exit(w.__file__)'

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: demo test test-compiled test-debug test-asan test-wheel coverage-pyx test-proxies test-traefik test-browser lint bench docs clean unbuilt

# Whatever changes the build or the tools makes both anew; nothing else does.
$(READY): pyproject.toml setup.py $(COMPILED) $(UNBUILT)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# What an extra names, beside what is there: to ask for `.[docs]` would build the extension again.
extra = $(BIN)/python -c "import tomllib; \
    extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
    print(*extras['$(1)'], sep='\n')" | $(BIN)/python -m pip install --quiet --requirement /dev/stdin

$(DOCS_READY): pyproject.toml | $(READY)
	@$(call extra,docs)
	@touch $@

$(PROXIES_READY): pyproject.toml | $(READY)
	@$(call extra,proxies)
	@touch $@

$(BENCH_READY): pyproject.toml | $(READY)
	@$(call extra,bench)
	@touch $@

demo: $(READY)
	@printf '== Check the manifests of a parent and its two children ==\n\n'
	@$(BIN)/uplinks check examples/banking
	@printf '\n== Materialize the services the parent generates ==\n\n'
	@$(BIN)/uplinks materialize examples/banking
	@printf '\n== Let children fail and come back, on real sockets under load ==\n\n'
	@$(BIN)/uplinks demo

# On all cores: no test knows of another, nor of what time it is.
test: $(READY)
	@$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

# The proof of the compiled selector; `make -j2` runs two of these at a time, the longest first.
test-compiled: test-wheel test-asan coverage-pyx test-debug

# Bounds and assertions checked, nothing optimized.
test-debug: $(READY)
	$(call aside,debug,UPLINKS_DEBUG=1)
	@cd build/debug && $(ASIDE) $(CURDIR)/$(BIN)/python $(LOADED)
	@cd build/debug && $(ASIDE) $(CURDIR)/$(BIN)/python -m pytest $(COMPILED_ONLY) $(SELECTOR)

# CPython lets go of nothing at its end, so leaks cannot be told; `malloc`, so that each object is watched.
test-asan: $(READY)
	$(call aside,asan,UPLINKS_DEBUG=1 UPLINKS_SANITIZE=address$(comma)undefined)
	@cd build/asan && nm -D src/uplinks/_wrr.*.so | grep -q __asan_report_store
	@cd build/asan && $(ASIDE) PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
	    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    $(CURDIR)/$(BIN)/python -m pytest --capture=sys $(COMPILED_ONLY) $(SELECTOR)

# Traced lines cost a hundred times a pick, so the laws in bulk are left out: the others run the same lines.
coverage-pyx: $(READY)
	$(call aside,trace,UPLINKS_TRACE=1)
	@tests/coverage-pyx $(COMPILED_ONLY) $(filter-out %_bulk.py,$(SELECTOR))

# From a clean clone of what is committed, in a clean environment, outside the checkout.
test-wheel:
	@tests/embedding/test-wheel $(PYTHON)

# This and the next are the only targets that install something beside .venv, if missing:
# Debian's nginx and HAProxy, and Debian's Chromium.
test-proxies: $(READY) $(PROXIES_READY)
	@tests/proxies/install
	@UPLINKS_PROXIES=required $(BIN)/python -m pytest tests/proxies

# With a binary of open-source Traefik 3.7 on the PATH; without one every test is skipped and says so.
test-traefik: $(READY)
	@UPLINKS_TRAEFIK=$$(command -v traefik >/dev/null && echo required) $(BIN)/python -m pytest tests/traefik

test-browser: $(READY)
	@tests/browser/install
	@UPLINKS_BROWSER=required $(BIN)/python -m pytest tests/browser

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(CHECKED)
	@$(BIN)/stubtest --mypy-config-file pyproject.toml uplinks._wrr
	@$(BIN)/lint-imports --no-logo

bench: $(READY) $(BENCH_READY)
	@$(BIN)/python -m pytest benchmarks --benchmark-columns=min,median,rounds

docs: $(DOCS_READY)
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html
	@printf 'docs/_build/html/index.html\n'

clean:
	@rm -rf build dist docs/_build .benchmarks .coverage* .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
	@rm -f $(READY) $(DOCS_READY) $(PROXIES_READY) $(BENCH_READY) src/uplinks/*.so src/uplinks/*.c src/uplinks/*.html
	@find src tests benchmarks docs -type d -name __pycache__ -prune -exec rm -rf {} +
