"""A repetition recorded once says what is alive in all of them, or says that it does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archbench.models.graph import Shape, record_graph, repeat, scope
from archbench.models.ops import add, conv, max_pool, relu, scale
from archbench.pricing.lanes import Diverged, integer_lanes
from archbench.pricing.liveness import Irregular, LiveFeatures, peak_feature_bytes
from archbench.pricing.price import add_up

IMAGE = Shape(3, 8, 8)
STEPS = ("conv", "wide", "narrow", "relu", "scale", "pool", "add", "dead")


def step(kind, x, given, number):
    """One op or two that keep the size; `dead` leaves a feature that nobody reads."""
    name = f"{kind}{number}"
    if kind in ("wide", "narrow"):
        inside = 8 * x.channels if kind == "wide" else 1
        return conv(conv(x, inside, name=f"{name}_out"), x.channels, name=f"{name}_in")
    if kind == "dead":
        conv(x, 1, name=name)
        return x
    ops = {
        "conv": lambda: conv(x, x.channels, 3, name=name),
        "relu": lambda: relu(x, name=name),
        "scale": lambda: scale(x, 0.5, name=name),
        "pool": lambda: max_pool(x, 3, 1, 1, name=name),
        "add": lambda: add(x, given, name=name),
    }
    return ops[kind]()


def chain(kinds, x):
    given = x
    for number, kind in enumerate(kinds):
        x = step(kind, x, given, number)
    return x


@st.composite
def programs(draw):
    """A network with one repetition in it; who else reads or keeps what goes in and what comes out is drawn too."""
    before, body, after = (draw(st.lists(st.sampled_from(STEPS), max_size=4)) for _ in range(3))
    bare, early, late = (draw(st.integers(0, 4)) == 0 for _ in range(3))
    outputs = draw(st.sampled_from(["z", "z", "z", "yz", "y", "xz"]))

    def program(image, times):
        with scope(image, "before"):
            x = chain(before, image if bare else conv(image, 4))
            if early:
                conv(x, 1, name="early")
        with scope(image, "body"):
            y = repeat(times, lambda given: chain(body, given), x)
        with scope(image, "after"):
            z = chain(after, add(y, x, name="late") if late else y)
        features = {"x": x, "y": y, "z": z}
        return {key: features[key] for key in sorted(outputs)}

    return program


@settings(max_examples=600, deadline=None)
@given(programs(), st.lists(st.integers(0, 4), min_size=2, max_size=5))
def test_a_repetition_recorded_once_costs_what_it_does_unrolled_or_is_irregular(program, depths):
    rolled = record_graph(lambda image: program(image, integer_lanes(np.array(depths))), IMAGE, rolled=True)
    try:
        cost = add_up(rolled, batch=2, feature_bytes=2)
    except (Irregular, Diverged):
        return
    for lane, depth in enumerate(depths):
        alone = add_up(record_graph(lambda image, depth=depth: program(image, depth), IMAGE), batch=2, feature_bytes=2)
        assert {name: at(value, lane) for name, value in cost.as_json().items()} == alone.as_json()


def at(value, lane):
    values = getattr(value, "values", None)
    return value if values is None else int(np.broadcast_to(values, max(len(values), lane + 1))[lane])


def peak(program, times):
    return peak_feature_bytes(record_graph(lambda image: program(image, times), IMAGE, rolled=True))


def residual(x):
    return relu(add(conv(relu(conv(x, 64, name="one"), name="active"), 4, name="two"), x), name="last")


def test_a_residual_stage_is_regular_and_its_wide_inside_counts_only_where_there_is_one():
    """A 4 x 8 x 8 map is 1 KiB, the image 768 B; inside a block the input and 64 channels are 17 KiB."""

    def stage(image, times):
        return {"y": conv(repeat(times, residual, conv(image, 4, name="stem")), 4, name="head")}

    assert peak(stage, integer_lanes(np.array([0, 1, 7]))).values.tolist() == [
        768 + 2048,
        768 + 18 * 1024,
        768 + 18 * 1024,
    ]


def stem(image):
    return conv(image, 4, name="stem")


def kept(image, n):
    x = stem(image)
    return {"x": x, "y": repeat(n, residual, x)}


def read_later(image, n):
    x = stem(image)
    return {"y": add(repeat(n, residual, x), x)}


def read_before(image, n):
    x = stem(image)
    conv(x, 1, name="early")
    return {"y": relu(repeat(n, residual, x))}


def of_the_image(image, n):
    return {"y": repeat(n, lambda x: conv(x, 3), image)}


def without_memory_of_its_own(image, n):
    return {"y": repeat(n, relu, stem(image))}


def reading_another(image, n):
    z = stem(image)
    return {"y": repeat(n, lambda x: add(conv(x, 4), z), conv(z, 4, name="in"))}


def growing(image, n):
    return {"y": repeat(n, lambda x: conv(x, 2 * x.channels), stem(image))}


def for_nobody(image, n):
    repeat(n, residual, stem(image))
    return {"y": conv(image, 4, name="other")}


def letting_out_its_inside(image, n):
    inside = []
    y = repeat(n, lambda x: conv(inside.append(conv(x, 4, name="a")) or inside[-1], 4, name="b"), stem(image))
    return {"y": y, "inside": inside[-1]}


def read_within(image, n):
    """The next repetition's ReLU has no input to itself, the first one's has."""

    def block(x):
        y = step("narrow", relu(x), x, 0)
        conv(y, 1, name="dead")
        return y

    return {"y": repeat(n, block, stem(image))}


@pytest.mark.parametrize(
    "program",
    [
        kept,
        read_later,
        read_before,
        of_the_image,
        without_memory_of_its_own,
        reading_another,
        growing,
        for_nobody,
        letting_out_its_inside,
        read_within,
    ],
)
def test_a_repetition_that_may_differ_from_the_next_is_irregular(program):
    with pytest.raises(Irregular):
        peak(program, integer_lanes(np.array([0, 1, 3])))


def test_a_block_that_does_not_fit_is_no_error_where_it_never_runs():
    """16 groups do not divide 4 channels; lanes that never come there part from those that do."""
    with pytest.raises(Diverged) as parted:
        peak(
            lambda image, n: {"y": repeat(n, lambda x: conv(x, 4, groups=16), conv(image, 4, name="stem"))},
            integer_lanes(np.array([0, 2])),
        )
    assert parted.value.key.tolist() == [True, False]


def test_a_stack_sums_what_is_left_whatever_leaves_first():
    live = LiveFeatures()
    for name, size in (("a", 1), ("b", 20), ("c", 300)):
        live.push(name, size)
    live.drop("b")
    assert live.total == 301
    live.push("d", 4000)
    live.drop("a")
    live.drop("d")
    assert live.total == 300
