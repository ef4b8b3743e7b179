"""Settings for all tests."""

from hypothesis import settings

from cccamd.ts import CsaLibraryMissing, require_csa

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("deep", max_examples=5000, deadline=None)
settings.load_profile("quick")

collect_ignore: list[str] = []
try:
    require_csa()
except CsaLibraryMissing:
    collect_ignore += ["ts/test_csa.py", "demo"]


def pytest_report_header() -> list[str]:
    """Say what is left out, and why."""
    if not collect_ignore:
        return []
    return ["libdvbcsa is missing (apt-get install libdvbcsa1): without descrambling tests"]
