"""Have Python compile what commands, server and pages use, as the last step of setting up.

pip has not done it (install_locked.py): four fifths of what it installs nobody reads. Without this
the first start takes twice as long, and each one does for a user who may not write into .venv.
"""

from importlib import import_module

from cccamd.cli.main import COMMANDS, MODULES

for name in COMMANDS:
    import_module(f"cccamd.cli.{MODULES.get(name, name)}")
import_module("cccamd.web")
