"""Settings for all tests."""

from hypothesis import settings

from cccamd.lab.ts import CsaLibraryMissing, require_csa

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("deep", max_examples=5000, deadline=None)
settings.load_profile("quick")

collect_ignore: list[str] = []
try:
    require_csa()
except CsaLibraryMissing:
    collect_ignore += [
        "lab/test_csa.py",
        "lab/test_broadcast.py",
        "lab/test_comparison.py",
        "lab/test_demo_client.py",
        "lab/test_demo_command.py",
        "lab/test_demo_run.py",
        "lab/test_picture.py",
        "lab/test_receiver.py",
        "lab/test_report.py",
        "lab/test_scrambler.py",
        "lab/test_set_top_box.py",
    ]


def pytest_report_header() -> list[str]:
    """Say what is left out, and why."""
    if not collect_ignore:
        return []
    return ["libdvbcsa is missing (apt-get install libdvbcsa1): without descrambling tests"]
