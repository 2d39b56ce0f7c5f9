"""Every bug of `mutants.py` is noticed by the test named beside it, and by nothing but the bug.

The broken source is loaded as a module of its own in this process and handed to the test; no process, no file is made.
"""

import pytest
from fakes import NotReady, OutOfMemoryError
from mutants import MUTANTS

from archbench.errors import CannotMeasure

# What a test that notices raises, or the fake device for it. Not NameError and the like: that would be a bad edit.
NOTICED = (AssertionError, NotReady, OutOfMemoryError, CannotMeasure, pytest.fail.Exception)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.bug)
def test_a_timing_bug_is_noticed(mutant):
    assert mutant.source().count(mutant.old) == 1, "the edit does not fit the source any more"
    broken = mutant.load()
    try:
        mutant.killed_by(broken)
    except NOTICED:
        return
    pytest.fail(f"{mutant.killed_by.__name__} passes with {mutant.bug}")


UNBROKEN = {(mutant.killed_by, mutant.module): mutant for mutant in MUTANTS}.values()


@pytest.mark.parametrize("mutant", UNBROKEN, ids=lambda mutant: f"{mutant.module}-{mutant.killed_by.__name__}")
def test_the_same_test_passes_without_the_bug(mutant):
    """On the source loaded in the same way, so that only the edit makes the difference."""
    mutant.killed_by(mutant.load_unbroken())


def test_there_are_enough_bugs_and_each_is_another():
    assert len({(mutant.module, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS) >= 25
