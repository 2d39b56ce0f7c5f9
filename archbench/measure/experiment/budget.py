"""What is said of a command whose budget was over before all its networks had a round: what starting took, what to give."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archbench import units

START_S = 10.0  # of a network, where none was started: importing torch takes 3 to 5 s, building and warming up as much
ROUNDS_SHARE = 1.5  # of what starting takes: rounds come on top, and not every generation starts as fast
STEP_S = 30.0  # people give half minutes


@dataclass(frozen=True)
class FirstStart:
    """A command's first generation: networks that were to start, those that did, seconds until these were warm."""

    networks: int
    started: int
    seconds: float


def explain_starved(starting: FirstStart, without: int, *, generations: int, budget_s: float) -> str:
    """In a sentence. `without` is how many networks have no round, `generations` how many were wanted of each."""
    missed = "no round was reached" if without >= starting.networks else f"{without} had no round"
    more = units.format_duration(_sufficient_seconds(starting, generations, budget_s))
    return f"{_describe_start(starting, units.format_duration(budget_s))}: {missed}; give more: --set measure.budget={more}"


def _describe_start(starting: FirstStart, budget: str) -> str:
    if not starting.started:
        return f"the budget of {budget} was over before a network was started"
    some = starting.started < starting.networks
    count = f"{starting.started} of {starting.networks}" if some else f"{starting.networks}"
    noun = "network" if starting.networks == 1 else "networks"
    return f"starting {count} {noun} took {units.format_duration(starting.seconds)}, the budget was {budget}"


def _sufficient_seconds(starting: FirstStart, generations: int, budget_s: float) -> float:
    """Seconds that start all of them as often as is wanted, with rounds; more than was given."""
    each = starting.seconds / starting.started if starting.started else START_S
    wanted = max(each * starting.networks * generations * ROUNDS_SHARE, budget_s + 1)
    return math.ceil(wanted / STEP_S) * STEP_S
