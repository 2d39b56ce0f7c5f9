"""The only file in which a number becomes text, and a duration or size is read. All others pass numbers about."""

from __future__ import annotations

from collections.abc import Callable

MISSING = "-"  # what a person sees where there is no number; files hold null

MEGA = 10**6
GIGA = 10**9
KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TENFOLD = 10.0
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MS_PER_S = 1000


def format_count(value: float) -> str:
    """A plain count with thousands separated: 26,799,296."""
    return f"{value:,}"


def format_giga(value: float) -> str:
    """A count in thousands of millions, three decimals, as torchvision publishes `_ops`."""
    return f"{value / GIGA:.3f}"


def format_mega(value: float) -> str:
    """A count in millions."""
    return f"{value / MEGA:.2f}"


def format_mib(value: float) -> str:
    """Bytes in MiB (2**20)."""
    return f"{value / MIB:.1f}"


def format_gib(value: float) -> str:
    """Bytes in GiB (2**30)."""
    return f"{value / GIB:.1f}"


def format_decimal(value: float) -> str:
    """A number with one decimal: cores busy, a load."""
    return f"{value:.1f}"


def format_gigahertz(value: float) -> str:
    """Megahertz in GHz, as chips are named."""
    return f"{value / 1000:.2f}"


def format_milliseconds(value: float) -> str:
    """Milliseconds, images a second, millijoules: four significant digits, never in powers of ten."""
    decimals = max(0, 4 - len(str(int(abs(value)))))
    return f"{value:.{decimals}f}"


def format_mark(value: float) -> str:
    """A truth as a mark in a column of few: yes, or nothing."""
    return "yes" if value else ""


def format_percent(value: float) -> str:
    """A share of one, in percent; from tenfold on without digits, which mean nothing there."""
    return f"{100 * value:.1f}%" if value < TENFOLD else ">1000%"


def format_half_width(value: float) -> str:
    """The half-width of an interval relative to its centre: ±4.0%."""
    return f"±{format_percent(value)}"


def format_ratio(value: float) -> str:
    """A ratio to the reference: 1.07x."""
    return f"{value:.3f}x"


def format_plain(value: object) -> str:
    """An axis value, a name, a score: as it is; lists in the form the spec writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(format_plain(item) for item in value) + "]"
    return "null" if value is None else str(value)


def parse_duration(text: str) -> float:
    """Read a duration: 90, 90s, 4m, 4m30s, 1h. Raises ValueError for anything else."""
    total, digits = 0.0, ""
    scale = {"h": 3600, "m": 60, "s": 1}
    for letter in text.strip():
        if (letter.isascii() and letter.isdigit()) or letter == ".":
            digits += letter
        elif letter in scale and digits:
            total, digits = total + float(digits) * scale[letter], ""
            scale = {key: value for key, value in scale.items() if value < scale[letter]}
        else:
            raise ValueError(text)
    if digits and "s" not in scale:
        raise ValueError(text)
    return total + (float(digits) if digits else 0.0)


def parse_size(text: str) -> float:
    """Read bytes: 4096, 512KiB, 1.5GiB. Raises ValueError for anything else."""
    scale = {"KiB": KIB, "MiB": MIB, "GiB": GIB}
    digits, unit = (text[:-3], scale[text[-3:]]) if text[-3:] in scale else (text, 1)
    digits = digits.strip(" ")
    if not digits.replace(".", "", 1).isdigit() or not digits.isascii():
        raise ValueError(text)
    return float(digits) * unit


def format_duration(value: float) -> str:
    """Seconds as a person says them: 9s, 2m05s, 1h02m."""
    whole = round(value)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


Format = Callable[[float], str]
