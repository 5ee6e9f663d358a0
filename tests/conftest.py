"""Settings shared by all tests: reproducible examples, no time limits, no windows."""

import matplotlib
import matplotlib.font_manager  # its list of fonts is made here, once, and not in a notebook's output
from hypothesis import settings

matplotlib.use("agg")
settings.register_profile("course", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("course")
