# `make setup` for who uses it, `make develop` for who changes it; `make demo`, `make test` and the others
# set up what they need.
.PHONY: setup demo develop test faults check lock bench mutants outage soak screenshots wheel audit sbom

# What a server runs on, into .venv.
setup: .venv/ready-server

# Everything that the others below use.
develop: .venv/ready-develop

.venv/ready-server .venv/ready-demo .venv/ready-develop: pyproject.toml requirements.lock \
  scripts/setup.sh scripts/debian.sh scripts/locked.py scripts/install_locked.py
	@sh scripts/setup.sh $(@:.venv/ready-%=%)

# A scrambled television stream becomes clear (docs/demo.md).
demo: .venv/ready-demo
	@.venv/bin/cccamd demo

test: develop
	@.venv/bin/pytest -n 4 --dist loadfile

# Real servers that are killed, and whose disk is full (docs/faults.md).
faults: develop
	@.venv/bin/pytest -n 2 --dist loadfile -m processes $(ARGS) tests/faults

# Formatting, lint, strict types, import directions.
check: develop
	@.venv/bin/python scripts/share.py --check
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

# All figures; ARGS goes to bench/load.py alone: make bench ARGS="distinct known --seconds 3"
bench: develop
	@.venv/bin/python bench/load.py $(ARGS)
	@[ -n "$(ARGS)" ] || for script in bench/*.py; do \
	  [ $$script = bench/load.py ] || { echo "== $$script"; .venv/bin/python $$script; }; done

# Change the source one spot at a time; print what no test notices (docs/mutants.md).
mutants: develop
	@nice -n 15 .venv/bin/python scripts/mutants.py $(ARGS)

# Live through hours of load and faults at once; write docs/soak.md. ARGS="--hours 8"
soak: develop
	@nice -n 10 .venv/bin/python scripts/soak.py $(ARGS)

.PHONY: simulate
# Whole servers in virtual time, from seeds (docs/simulation.md). ARGS="--hours 8"
simulate: develop
	@.venv/bin/python scripts/simulate.py $(ARGS)

.PHONY: nightly
# The same for a night: some hours on two cores. Ended, it goes on where it was (docs/simulation.md).
nightly: develop
	@mkdir -p build/nightly; night="nice -n 19 .venv/bin/python scripts/simulate.py --keep build/nightly"; \
	$$night/fleets.json --fleet --seeds 10000; fleets=$$?; $$night/servers.json --seeds 5000 && exit $$fleets

.PHONY: compiled test-compiled
# The compiled flavour, in .venv-compiled (docs/compiled.md); .venv stays pure.
compiled: develop
	@sh scripts/compiled.sh

# The same tests on it. They import what .venv-compiled has, never src/.
test-compiled: compiled
	@.venv-compiled/bin/python -m pytest -n 4 --dist loadfile $(ARGS)

.PHONY: fuzz
# Feed what reads foreign bytes, guided by coverage (docs/fuzzing.md). ARGS="--seconds 3600"
fuzz: develop
	@.venv/bin/python -c 'import atheris' 2>/dev/null || \
	  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
	  -r tests/fuzz/requirements.txt
	@.venv/bin/python scripts/fuzz.py $(ARGS)

# Live through a real outage of fifteen minutes; write docs/outage.md and its pictures.
outage: develop
	@.venv/bin/python scripts/outage.py $(ARGS)

# Make the pictures of docs/images anew, with Chromium.
screenshots: develop
	@CCCAMD_SCREENSHOTS=1 .venv/bin/pytest tests/web

# Build the wheel twice: the same file, with its bill of materials in it.
wheel: setup
	@sh scripts/wheel.sh $(ARGS)

.PHONY: share
# Write manual pages, completion and the JSON schema anew, from what the code says.
share: develop
	@.venv/bin/python scripts/share.py

.PHONY: pages
# The guide and the cookbook, played on machines in network namespaces (docs/writing.md).
pages: develop
	@.venv/bin/pytest -n 2 -m processes $(ARGS) tests/pages

.PHONY: site
# The documents as a site, in build/site: built anew, with broken links as errors (docs/writing.md).
site: develop .venv-site/ready
	@.venv/bin/python scripts/site/reference.py
	@NO_MKDOCS_2_WARNING=1 .venv-site/bin/mkdocs build
	@.venv-site/bin/python scripts/site/outside.py build/site
	@echo "site: build/site/index.html"

.venv-site/ready: scripts/site/requirements.txt
	@python3 -m venv .venv-site
	@.venv-site/bin/pip install --quiet --disable-pip-version-check --require-hashes \
	  -r scripts/site/requirements.txt
	@touch .venv-site/ready

.PHONY: deb test-deb test-install test-container
# The package for Debian 12, into build/deb, without a word from lintian (docs/install.md).
deb:
	@sh scripts/deb.sh $(ARGS)

# Install, use and purge it in a clean Debian with a systemd of its own, in namespaces.
test-deb: deb
	@sh scripts/test-deb.sh

# The wheel there: `cccamd install` and `uninstall`.
test-install: setup
	@sh scripts/test-install.sh

# The container file, with buildah and podman.
test-container: setup
	@sh scripts/test-container.sh

# Look for known weaknesses in what is locked, where the advisories can be had.
audit:
	@sh scripts/audit.sh

# Write the bill of materials of requirements.lock anew.
sbom:
	@python3 scripts/sbom.py

# Take newer versions of what pyproject.toml allows.
lock:
	@uv pip compile pyproject.toml --group dev --extra demo --extra rc4 --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --upgrade -o requirements.lock
	@python3 scripts/sbom.py
