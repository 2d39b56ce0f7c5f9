"""Cases of a parametrised test, of which only the first few are among the quick tests."""

from collections.abc import Sequence
from typing import Any

import pytest


def quick_first(cases: Sequence[Any], quick: int) -> list[Any]:
    """All the cases, those after the first so many marked slow."""
    return [*cases[:quick], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[quick:])]
