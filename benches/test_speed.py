"""The same waits under pytest-benchmark, for a comparison of two working trees: `pytest benches -n 0 --benchmark-enable`."""

from pathlib import Path

from archbench.design.spec.spec import read_spec
from archbench.design.variants import expand, preset
from archbench.pricing.price import price

SPECS = Path(__file__).parent.parent / "specs"


def test_read_and_expand_a_spec(benchmark):
    assert len(benchmark(lambda: expand(read_spec(SPECS / "fpn_sweep.yaml"))).variants) == 9


def test_price_r_50_fpn_from_its_name(benchmark):
    assert benchmark(lambda: price(preset("R-50-FPN"))).params == 26_799_296
