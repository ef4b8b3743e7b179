"""Settings for all tests."""

from hypothesis import settings

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("deep", max_examples=5000, deadline=None)
settings.load_profile("quick")
