"""Settings for every call of pytest, from whatever folder and on whatever notebook."""

import os

import pytest

from vae_lessons.opening import home_for_now


def pytest_configure(config: pytest.Config) -> None:
    """Give kernels a home if there is none; nbval looks for its file of masks from the current folder: point it here."""
    os.environ.update(home_for_now())
    if config.option.nbval_sanitize_with:
        config.option.nbval_sanitize_with = str(config.rootpath / config.option.nbval_sanitize_with)
