"""Settings every test shares, and processes that some do."""

import signal
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: neither an example nor how fast they are drawn is judged by its time
settings.register_profile("archbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("archbench")


def pytest_collection_modifyitems(items):
    """What opens a browser is marked so. Files with slow tests come first: a long one begun last would leave others idle."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("process")
            item.add_marker("slow")
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish():
    """Torch has one thread in each of the processes: those of several would wait, spinning, for one another's processors."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="module")
def trials():
    """What is measured on so many seeds: two processes share the work, as in the bench."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield lambda measure, count: list(pool.map(measure, range(count), chunksize=10))


@pytest.fixture(scope="session", autouse=True)
def heard():
    """Signals as a shell on a terminal leaves them, whoever started the tests: a job in the background has Ctrl-C ignored."""
    terminals = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in terminals.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
