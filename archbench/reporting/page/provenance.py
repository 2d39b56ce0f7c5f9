"""When, on what and with what a run was measured, as the foot of its page says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from archbench import units
from archbench.reporting.page.wording import LONGEST, Facts
from archbench.runs.records import Record
from archbench.text import visible
from archbench.units import NS_PER_S


def format_start(header: Mapping[str, Any]) -> str:
    return f"begun {datetime.fromtimestamp(header['created_ns'] // NS_PER_S, UTC):%Y-%m-%d %H:%M} UTC"


def list_run_facts(header: Mapping[str, Any], records: Sequence[Record]) -> Facts:
    """What the run was measured on and with; what is not known is left out."""
    environment = header["environment"]
    given = {
        "device": environment["device"],
        "GPU": (environment.get("gpu") or {}).get("name"),
        "driver": environment.get("driver"),
        "processor": f"{environment['cpu']}, {environment['cores']} cores",
        "memory": f"{units.format_gib(environment['memory_bytes'])} GiB" if environment.get("memory_bytes") else None,
        "system": environment.get("os"),
        "python": environment.get("python"),
        **environment["versions"],
        "flags": ", ".join(f"{name}={value}" for name, value in (environment.get("flags") or {}).items()),
        "commit": environment.get("commit"),
        "workload": _shared_workload(records),
        "plan": ", ".join(f"{name} {units.format_plain(value)}" for name, value in header["plan"].items()),
    }
    return tuple((name, visible(str(value), LONGEST)) for name, value in given.items() if value)


def _shared_workload(records: Sequence[Record]) -> str:
    """What all variants are given; what differs is an axis and in the table."""
    first = records[0].workload if records else {}
    same = {name: value for name, value in first.items() if all(r.workload.get(name) == value for r in records)}
    return ", ".join(f"{name} {units.format_plain(value)}" for name, value in same.items() if value is not None)
