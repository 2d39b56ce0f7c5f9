"""The sentence about a budget that starting ate, against its arithmetic written out."""

import pytest

from archbench.measure.experiment.generation import FirstStart
from archbench.measure.experiment.recorder import explain_starvation


@pytest.mark.parametrize(
    ("starting", "without", "budget_s", "sentence"),
    [
        (  # 26 x 3 generations x 1.5 = 117 s
            FirstStart(5, 5, 26.0),
            5,
            8.0,
            "starting 5 networks took 26s, the budget was 8s: no round was reached; "
            "give more: --set measure.budget=2m00s",
        ),
        (  # 10 / 4 x 5 x 3 x 1.5 = 56.25 s
            FirstStart(5, 4, 10.0),
            5,
            8.0,
            "starting 4 of 5 networks took 10s, the budget was 8s: no round was reached; "
            "give more: --set measure.budget=1m00s",
        ),
        (  # calls are slow: 6 x 3 x 1.5 = 27 s are less than was given
            FirstStart(1, 1, 6.0),
            1,
            90.0,
            "starting 1 network took 6s, the budget was 1m30s: no round was reached; "
            "give more: --set measure.budget=2m00s",
        ),
        (
            FirstStart(4, 4, 40.0),
            3,
            58.0,
            "starting 4 networks took 40s, the budget was 58s: 3 had no round; give more: --set measure.budget=3m00s",
        ),
        (  # 2 x 10 x 3 x 1.5 = 90 s
            FirstStart(2, 0, 0.0),
            2,
            1.0,
            "the budget of 1s was over before a network was started: no round was reached; "
            "give more: --set measure.budget=1m30s",
        ),
    ],
)
def test_a_starved_command_says_what_starting_took_and_what_to_give(starting, without, budget_s, sentence):
    assert explain_starvation(starting, without, generations=3, budget_s=budget_s) == sentence
