"""Settings shared by all tests: reproducible examples, no time limits, no windows."""

import matplotlib
from hypothesis import settings

matplotlib.use("agg")
settings.register_profile("course", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("course")
