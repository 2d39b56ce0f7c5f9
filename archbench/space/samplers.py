"""Draws from a grid too large to walk. A sampler is one function in one dict: choices, how many, seed -> positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy  # type: ignore[import-untyped]  # scipy.stats, which takes a second, is imported when it is named
from numpy.typing import NDArray

from archbench.design.spec.axes import Axis
from archbench.design.spec.schema import Sample

Drawn = NDArray[np.int64]
Sampler = Callable[[Sequence[int], int, int], list[Drawn]]  # sizes of the choices, draws, seed -> positions of each


def sample_positions(axes: Sequence[Axis], sample: Sample) -> list[Drawn]:
    """`sample.n` positions an axis. Each factor of a product is a choice of its own, so that it is spread by itself."""
    assert sample.n is not None
    choices = SAMPLERS[sample.method]([size for axis in axes for size in axis.radices], sample.n, sample.seed)
    positions = []
    for axis in axes:
        place = np.zeros(sample.n, np.int64)
        for size in axis.radices:
            place = place * size + choices.pop(0)
        positions.append(place)
    return positions


def sample_lists(axes: Sequence[Axis], sample: Sample) -> list[list[int]]:
    """The positions of `sample_positions` as plain integers, as `expand` takes them."""
    return [positions.tolist() for positions in sample_positions(axes, sample)]


def _random(sizes: Sequence[int], count: int, seed: int) -> list[Drawn]:
    """Every point equally likely, again and again."""
    random = np.random.default_rng(seed)
    return [random.integers(size, size=count) for size in sizes]


def _latin_hypercube(sizes: Sequence[int], count: int, seed: int) -> list[Drawn]:
    """One draw in each of `count` strata of every choice (McKay et al. 1979)."""
    if not sizes:
        return []
    return _strata(scipy.stats.qmc.LatinHypercube(len(sizes), rng=seed).random(count), sizes)


def _sobol(sizes: Sequence[int], count: int, seed: int) -> list[Drawn]:
    """The first `count` of a scrambled Sobol' sequence; powers of two are balanced best."""
    if not sizes:
        return []
    sequence = scipy.stats.qmc.Sobol(len(sizes), rng=seed)
    return _strata(sequence.random_base2(max(0, count - 1).bit_length())[:count], sizes)


def _strata(unit: NDArray[np.float64], sizes: Sequence[int]) -> list[Drawn]:
    """Points of the unit cube as positions: each choice cuts its side into `size` equal pieces."""
    return [np.minimum((unit[:, axis] * size).astype(np.int64), size - 1) for axis, size in enumerate(sizes)]


SAMPLERS: dict[str, Sampler] = {"random": _random, "lhs": _latin_hypercube, "sobol": _sobol}
