# `make demo` and `make test` set up everything they need.
.PHONY: setup demo test check lock bench

setup: .venv/ready

.venv/ready: pyproject.toml requirements.lock scripts/setup.sh
	@sh scripts/setup.sh

demo: setup
	@.venv/bin/cccamd demo

test: setup
	@.venv/bin/pytest

# Formatting, lint, strict types, import directions.
check: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup
	@for script in bench/*.py; do echo "== $$script"; .venv/bin/python $$script; done

# Take newer versions of what pyproject.toml allows.
lock:
	@uv pip compile pyproject.toml --group dev --extra demo --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --upgrade -o requirements.lock
