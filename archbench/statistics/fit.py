"""The two-way fit of cells on variant and session, and how sure its effects are by Student's t.

fit      cell = variant + session + residual, least squares; the residual's variance is pooled over all variants with
         df = cells - rank (cells - variants - sessions + 1 where the sessions share a variant)
t        for whole degrees of freedom: Abramowitz and Stegun 26.7.3 and 26.7.4 give P(|T| <= t) as a finite sum in the
         angle atan(t / sqrt(df))
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from archbench.runs.records import Key
from archbench.statistics.readings import Array, Cells, link_variants, number_items

CONFIDENCE = 0.95
LOOKING = 0.97  # where a run stops by its own intervals


@dataclass(frozen=True)
class Fit:
    """A fit of cells: the effects in log milliseconds up to a shared constant, and how sure the cells make them."""

    keys: Mapping[Key, int]  # the place of each variant
    cells: Mapping[Key, int]  # how many each has
    effects: Array
    covariance: Array  # of the effects, for a residual of one
    components: Mapping[Key, int]  # the same number for those that sessions in common, or a chain of them, link
    residual: float  # standard deviation; 0 where df is 0
    df: int
    confidence: float

    def are_linked(self, key: Key, reference: Key) -> bool:
        """Whether sessions in common, or a chain of them, let the two be compared."""
        return self.components[key] == self.components[reference]

    def half_width(self, variance: float) -> float:
        """The half width, as a share, of an effect's interval; its variance is for a residual of one. Needs df > 0."""
        return math.expm1(student_t(self.df, self.confidence) * self.residual * math.sqrt(max(0.0, variance)))

    def ratio_variance(self, key: Key, reference: Key) -> float:
        """The variance of the difference of two effects, for a residual of one."""
        one, other = self.keys[key], self.keys[reference]
        return float(self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other])

    def find_indistinct(self, keys: Sequence[Key]) -> NDArray[np.bool_]:
        """A matrix of which two of `keys` could be equally fast: they are linked, and the interval of their ratio holds 1.

        Pair by pair, none corrected for the others. Needs df > 0.
        """
        places = [self.keys[key] for key in keys]
        effects, covariance = self.effects[places], self.covariance[np.ix_(places, places)]
        own = np.diag(covariance)
        variances = np.maximum(0.0, own[:, None] + own[None, :] - 2 * covariance)
        widths = student_t(self.df, self.confidence) * self.residual * np.sqrt(variances)
        groups = np.array([self.components[key] for key in keys])
        linked = groups[:, None] == groups[None, :]
        close: NDArray[np.bool_] = linked & (np.abs(effects[:, None] - effects[None, :]) <= widths)
        return close


def fit_cells(values: Cells, *, looked: bool = False) -> Fit:
    """Fit cells by least squares on variant and session; on one mean alone where there is one variant.

    `looked`: the run stopped by its own intervals, which are wider for it.
    """
    keys = number_items(key for key, _ in values)
    sessions = number_items(session for _, session in values) if len(keys) > 1 else {}
    design = np.zeros((len(values), len(keys) + len(sessions)))
    for row, (key, session) in enumerate(values):
        design[row, keys[key]] = 1
        if sessions:
            design[row, len(keys) + sessions[session]] = 1
    observed = np.array(list(values.values()))
    inverse = np.asarray(np.linalg.pinv(design.T @ design, hermitian=True), dtype=np.float64)
    projector = inverse @ design.T @ design
    effects = inverse @ design.T @ observed
    df = len(values) - round(float(np.trace(projector)))
    squares = float(np.sum((observed - design @ effects) ** 2))
    residual = math.sqrt(squares / df) if df else 0.0
    counts = Counter(key for key, _ in values)
    groups = {key: number for number, linked in enumerate(link_variants(values)) for key in linked}
    return Fit(keys, counts, effects, inverse, groups, residual, df, LOOKING if looked else CONFIDENCE)


def rank_variants(fitted: Fit, sure: set[Key]) -> dict[Key, int]:
    """Ranks, 1 the fastest; a variant that cannot be told from the first of a rank shares it, else its place is its rank.

    Of those that have an interval; the others have no rank. Nobody has one where not all of those are linked: who is
    first of some would read as first of all.
    """
    if fitted.df == 0 or len({fitted.components[key] for key in sure}) != 1:
        return {}
    effect = {key: float(fitted.effects[fitted.keys[key]]) for key in sure}
    ordered = sorted(effect, key=effect.__getitem__)
    ranks: dict[Key, int] = {}
    lead = ordered[0]  # the first of the rank that is being filled
    for place, key in enumerate(ordered, 1):
        if effect[key] - effect[lead] > math.log1p(fitted.half_width(fitted.ratio_variance(key, lead))):
            lead = key
        ranks[key] = ranks.get(lead, place)
    return ranks


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
    """The quantile, found by halving: the probability only rises with the angle."""
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
