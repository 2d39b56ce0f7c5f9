"""Student's t for whole degrees of freedom, both ways: the quantile of a probability and the probability of a value.

Abramowitz and Stegun 26.7.3 and 26.7.4 give P(|T| <= t) as a finite sum in the angle atan(t / sqrt(df)).
"""

from __future__ import annotations

import math
from functools import lru_cache


def student_t(df: int, confidence: float = 0.95) -> float:
    """The t that |T| stays under with probability `confidence`: 12.706 for df 1, 1.960 for many, at 0.95.

    Raises ValueError under one degree of freedom, or for a confidence that is not between 0 and 1.
    """
    if df < 1:
        raise ValueError(f"Student's t has no {df} degrees of freedom")
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence} is no confidence")
    return _find_quantile(df, confidence)


def two_sided_p(t: float, df: int) -> float:
    """P(|T| > |t|): the two-sided p-value of a t statistic. Raises ValueError under one degree of freedom."""
    if df < 1:
        raise ValueError(f"Student's t has no {df} degrees of freedom")
    return max(0.0, 1.0 - _probability_within(math.atan(abs(t) / math.sqrt(df)), df))


@lru_cache(maxsize=1024)
def _find_quantile(df: int, confidence: float) -> float:
    """Solved by halving: the probability only rises with the angle."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # to the last bit of a double
        middle = (low + high) / 2
        low, high = (middle, high) if _probability_within(middle, df) < confidence else (low, middle)
    return math.sqrt(df) * math.tan(low)


def _probability_within(angle: float, df: int) -> float:
    """P(|T| <= sqrt(df) tan(angle))."""
    odd = df % 2
    term = total = 0.0 if df == 1 else math.cos(angle) if odd else 1.0
    for power in range(2 + odd, df - 1, 2):
        term *= (power - 1) / power * math.cos(angle) ** 2
        total += term
    share = math.sin(angle) * total
    return 2 / math.pi * (angle + share) if odd else share
