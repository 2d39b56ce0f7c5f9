"""What archbench's experiment and its statistics are worth, on the noise machine, beside how others time.

`python -m benches.experiments` prints every figure (about five minutes on two cores); `--trials 0.1` a tenth of the trials.
Seeded: the same figures on every machine. Virtual seconds are of blocks, repeats and pauses; process starts and warm-ups
come on top of them, as they do for the peers.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from statistics import fmean
from typing import Any

from archbench.design.lookup import GATE_GENERATIONS
from archbench.design.spec.schema import MeasurePlan
from archbench.statistics.summary import summarise_blocks
from archbench.statistics.verdicts import choose_blocks, contrast_pair, judge_contrasts
from benches import peers
from benches.noise import NOISES
from benches.peers import CALL_S, PEERS, kendall
from benches.virtual import experiment

TWELVE = tuple(CALL_S * 1.01**place for place in range(12))  # 1 % apart
THREE = tuple(CALL_S * 1.02**place for place in range(3))
RANKING_S = {"drift": 1.0, "cloud": 3.0, "quiet": 1.0}  # of measuring a variant
GATE_S = 60.0  # of measuring base and new together
BUDGET_S = 150.0  # of wall time, starts included, for the intervals' runs

RANKINGS, INTERVALS, GATES = 500, 2000, 2000


def ranking(noise: str, seed: int, truth: Sequence[float] = TWELVE) -> float:
    """Kendall's tau of archbench's ratios against the truth, in the seconds of measuring that the noise is given."""
    shuffled = list(truth)
    random.Random(seed).shuffle(shuffled)
    plan = MeasurePlan(seed=seed)
    laboratory, tasks = experiment(NOISES[noise], seed, shuffled, plan, measuring_s=RANKING_S[noise] * len(truth))
    found = summarise_blocks(laboratory.blocks, tasks[0].key)
    if len(found) < len(tasks):  # the seconds went by before every variant had its turn: no ranking is a tau of nothing
        return 0.0
    return kendall([found[task.key].ratio or 0.0 for task in tasks], shuffled)


def peers_ranking(peer: str, noise: str, seed: int) -> float:
    return peers.ranking(peer, NOISES[noise], TWELVE, seed)


def coverage(noise: str, seed: int, truth: Sequence[float] = THREE) -> tuple[int, int, int]:
    """(intervals of ratios that hold the true ratio, intervals, generations) of one run that may stop by its own intervals."""
    laboratory, tasks = experiment(NOISES[noise], seed, truth, MeasurePlan(seed=seed), budget_s=BUDGET_S)
    found = summarise_blocks(laboratory.blocks, tasks[0].key, looked=True)
    held = count = generations = 0
    for task, call_s in zip(tasks[1:], truth[1:], strict=True):
        each = found[task.key]
        generations = each.generations
        if each.ratio is not None and each.ratio_half_width is not None:
            count += 1
            held += abs(math.log(each.ratio / (call_s / truth[0]))) <= math.log1p(each.ratio_half_width)
    return held, count, generations


def gate(change: float, noise: str, seed: int) -> tuple[str, float]:
    """The verdict on a variant that takes `change` times the base's time, and the virtual seconds of measuring it took."""
    laboratory, (base, new) = experiment(
        NOISES[noise],
        seed,
        [CALL_S, CALL_S * change],
        MeasurePlan(seed=seed, generations=GATE_GENERATIONS),
        measuring_s=GATE_S,
        pairs={0: "same", 1: "same"},
    )
    blocks = choose_blocks("latency_ms", laboratory.blocks, failed=frozenset(), latency="request", synchronous=False)
    verdict = judge_contrasts({"same": contrast_pair(blocks, base.key, new.key)})["same"]
    return verdict.word, laboratory.kept_s


def lines(pool: Executor, share: float) -> Iterator[str]:
    """Every figure as a line of text, as it is found."""

    def trials(measure: Callable[[int], Any], count: int) -> list[Any]:
        return list(pool.map(measure, range(max(1, round(share * count))), chunksize=10))

    yield "ranking 12 variants 1 % apart: mean Kendall's tau against the truth"
    for noise in NOISES:
        found = trials(partial(ranking, noise), RANKINGS)
        yield f"  {noise:6} archbench, {RANKING_S[noise]:g} s a variant: {fmean(found):.3f}  ({len(found)} trials)"
        for peer in PEERS:
            yield f"  {noise:6} {peer}: {fmean(trials(partial(peers_ranking, peer, noise), RANKINGS)):.3f}"
    yield "95 % intervals of ratios that hold the truth, the stopping rule on"
    for noise, truth in product(NOISES, (THREE, THREE[:2])):
        runs = trials(partial(coverage, noise, truth=truth), INTERVALS)
        held, count = (sum(run[place] for run in runs) for place in (0, 1))
        generations = fmean(run[2] for run in runs)
        yield f"  {noise:6} {len(truth)} variants: {held / count:.3f} of {count}, {generations:.1f} generations on average"
    yield "the gate: verdicts on the same network, and on one 3 % slower"
    for noise, change in product(NOISES, (1.0, 1.03)):
        verdicts = trials(partial(gate, change, noise), GATES)
        words = Counter(word for word, _ in verdicts)
        said = ", ".join(f"{word} {count / len(verdicts):.4f}" for word, count in words.most_common())
        yield f"  {noise:6} x{change:g}: {said}  ({fmean(s for _, s in verdicts):.0f} virtual seconds)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=float, default=1.0, help="share of the trials to run")
    share = parser.parse_args().trials
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for line in lines(pool, share):
            print(line, flush=True)


if __name__ == "__main__":
    main()
