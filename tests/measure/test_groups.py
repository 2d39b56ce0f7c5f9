"""Who is measured with whom: laws that hold wherever the reference stands in the list and whatever fits in memory."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import sized

from archbench.measure.experiment.groups import ACTIVATION_SLACK, PROCESS_BYTES, make_groups
from archbench.measure.experiment.plan import PlannedVariant

GIB = 1 << 30
VARIANTS = [sized("R-18-FPN", 64, 64, {"neck.channels": 8 * (index + 1)}) for index in range(9)]
SIZES = st.sampled_from([0, GIB, 2 * GIB, 5 * GIB])


def nine(*, reference, running_bytes=2 * GIB):
    return [
        PlannedVariant(replace(variant, reference=index == reference), resting_bytes=GIB, running_bytes=running_bytes)
        for index, variant in enumerate(VARIANTS)
    ]


@st.composite
def plans(draw):
    """Up to nine plan of any sizes, some in pairs, one or none of them the reference, in any order."""
    count = draw(st.integers(1, len(VARIANTS)))
    reference = draw(st.integers(-1, count - 1))
    paired = draw(st.integers(0, count // 2))
    labels = draw(st.permutations([*(f"p{n // 2}" for n in range(2 * paired)), *[""] * (count - 2 * paired)]))
    return [
        PlannedVariant(
            replace(VARIANTS[n], reference=n == reference),
            n % 2,
            pair=labels[n],
            resting_bytes=weights,
            running_bytes=weights + draw(SIZES),
        )
        for n in range(count)
        for weights in [draw(SIZES)]
    ]


def taken_bytes(group, *, caching):
    """What a group takes: by hand, from what one process and its features take."""
    features = [int(ACTIVATION_SLACK * (planned.running_bytes - planned.resting_bytes)) for planned in group]
    return sum(PROCESS_BYTES + planned.resting_bytes for planned in group) + (
        sum(features) if caching else max(features)
    )


@given(plans(), st.integers(1, 40), st.booleans())
def test_the_reference_is_in_every_group_once_and_every_other_task_in_one(plan, gib, caching):
    memory = gib * GIB
    found = make_groups(plan, memory, caching=caching)
    reference = next((planned for planned in plan if planned.variant.reference), None)
    for group in found:
        assert group
        assert set(Counter(planned.key for planned in group).values()) == {1}
    others = Counter(planned.key for group in found for planned in group if planned is not reference)
    assert others == Counter(planned.key for planned in plan if planned is not reference)
    assert reference is None or any(reference in group for group in found)
    for group in found:
        units = {planned.pair or planned.key for planned in group}
        assert all(
            sum(planned.pair == other.pair for other in group) == 2
            for planned in group
            if planned.pair and planned != reference
        )
        if reference is not None and reference not in group:
            assert len(units) == 1
            assert taken_bytes([reference, *group], caching=caching) > memory
        elif len({planned.pair or planned.key for planned in group if planned is not reference}) > 1:
            assert taken_bytes(group, caching=caching) <= memory


@given(plans(), st.booleans())
def test_where_all_fit_together_they_are_one_group(plan, caching):
    assert [len(group) for group in make_groups(plan, 1000 * GIB, caching=caching)] == [len(plan)]


@pytest.mark.parametrize("reference", range(9))
def test_nine_in_room_for_four_are_three_groups_wherever_the_reference_stands(reference):
    """The reference and three others, three times: 3 x 3 - 1 places for eight."""
    plan = nine(reference=reference)
    found = make_groups(plan, 4 * (PROCESS_BYTES + GIB) + 2 * GIB)
    assert [len(group) for group in found] == [4, 4, 3]
    assert [plan[reference] in group for group in found] == [True] * 3


def test_a_group_stands_in_the_order_of_its_list_whoever_is_the_reference():
    plan = nine(reference=5)
    assert make_groups(plan, 1000 * GIB) == [plan]
    first, *_ = make_groups(plan, 4 * (PROCESS_BYTES + GIB) + 2 * GIB)
    assert first == [plan[0], plan[1], plan[2], plan[5]]


def test_what_fits_beside_the_reference_is_never_in_the_group_of_what_does_not():
    """6 GiB: the first does not fit beside the reference, the two smaller ones do, and would have fitted beside the first."""
    plan = [replace(planned, resting_bytes=0, running_bytes=0) for planned in nine(reference=3)[:4]]
    large = replace(plan[0], resting_bytes=5 * GIB, running_bytes=5 * GIB)
    reference = replace(plan[3], resting_bytes=GIB, running_bytes=GIB)
    found = make_groups([large, plan[1], plan[2], reference], 5 * GIB + 3 * PROCESS_BYTES)
    assert sorted(map(len, found)) == [1, 3]
    assert [large] in found
