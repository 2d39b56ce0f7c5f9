"""Settings every test shares, and processes that some do."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import settings

settings.register_profile("archbench", deadline=None)  # machines are shared: no example is judged by its time
settings.load_profile("archbench")


@pytest.fixture(scope="module")
def trials():
    """What is measured on so many seeds: two processes share the work, as in the bench."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield lambda measure, count: list(pool.map(measure, range(count), chunksize=10))
