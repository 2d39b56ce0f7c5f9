"""Advice for a diagnosed machine: only what applies to it, with the command to type.

Each rule is one function from a diagnosis to the advice it gives, none where there is nothing to mend.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator

from archbench import units
from archbench.doctor.diagnosis import Advice, Diagnosis

LOST = 0.02
STEAL = 0.01  # as many per cent as intervals are wanted narrow
CLOCK_WANDERS = 0.02
LITTLE_MEMORY = 0.10  # of all there is
WIDE = 0.03  # the margin of a comparison: a width beyond it decides nothing
LONGEST_BUDGET_S = 24 * 3600
BUSY_LOAD = 0.5  # runnable processes on average over a minute

Rule = Callable[[Diagnosis], Iterator[Advice]]


def advise(diagnosis: Diagnosis) -> tuple[Advice, ...]:
    """Every rule's advice, the most telling first."""
    return tuple(advice for rule in RULES for advice in rule(diagnosis))


def advise_failed_checks(found: Diagnosis) -> Iterator[Advice]:
    for check in found.checks:
        if check.passed is False:
            yield Advice(f"{check.name} failed: {check.remedy}")


def advise_neighbours(found: Diagnosis) -> Iterator[Advice]:
    for busy in found.host.busy:
        several = f"the {busy.processes} processes " if busy.processes > 1 else ""
        yield Advice(
            f"close {several}{busy.name}: {units.format_decimal(busy.cores)} of the cores were busy before we began"
        )
    if found.null_test and (lost := found.null_test.lost or 0) > LOST:
        yield Advice(
            f"{units.format_percent(lost)} of the network's time went to other processes: wait for them or end them"
        )
    elif not found.host.busy and (found.host.load or 0) > BUSY_LOAD:
        yield Advice(
            f"the load was {units.format_decimal(found.host.load or 0)} before we began: if it was not you, wait for what ran"
        )


def advise_hypervisor(found: Diagnosis) -> Iterator[Advice]:
    if (steal := found.host.steal or 0) > STEAL:
        yield Advice(
            f"the hypervisor gave {units.format_percent(steal)} of the CPU time to others: take a machine of your own"
        )


def advise_governor(found: Diagnosis) -> Iterator[Advice]:
    if found.host.governor not in (None, "performance"):
        yield Advice(
            f"the clock follows the load (governor {found.host.governor}); hold it up",
            "sudo cpupower frequency-set -g performance",
        )


def advise_turbo(found: Diagnosis) -> Iterator[Advice]:
    """Boost follows temperature. Not every machine has Intel's file; where it is, it is the one that counts."""
    if found.host.turbo:
        yield Advice(
            "turbo lifts the clock while the chip is cool; without it times are longer and steadier",
            "sudo cpupower set --turbo-boost 0",
        )


def advise_heat(found: Diagnosis) -> Iterator[Advice]:
    if found.host.throttles:
        yield Advice(
            f"the CPU was slowed {units.format_count(found.host.throttles)} times for its heat: see to its cooling"
        )


def advise_threads(found: Diagnosis) -> Iterator[Advice]:
    """More threads than cores wait for each other."""
    host = found.host
    limits = {
        "physical cores": host.physical_cores,
        "cores of this process's affinity": host.allowed_cores,
        "cores of its cgroup's quota": None if host.quota_cores is None else max(1, math.floor(host.quota_cores)),
    }
    known = {name: limit for name, limit in limits.items() if limit}
    if found.threads and known and found.threads > (least := min(known.values())):
        name = next(name for name, limit in known.items() if limit == least)
        yield Advice(
            f"torch takes {found.threads} threads for {least} {name}; put in the spec",
            f"measure: {{threads: {least}}}",
        )


def advise_memory(found: Diagnosis) -> Iterator[Advice]:
    total, free = found.host.memory_bytes, found.host.available_bytes
    if total and free is not None and free < LITTLE_MEMORY * total:
        yield Advice(
            f"{units.format_gib(free)} of {units.format_gib(total)} GiB memory are to be had: large networks will be refused; "
            "close what holds it"
        )


def advise_gpu(found: Diagnosis) -> Iterator[Advice]:
    gpu, index = found.gpu, found.device.partition(":")[2] or "0"
    if gpu is None:
        return
    if gpu.persistence is False:
        yield Advice("the driver unloads when idle, and every first call pays", f"sudo nvidia-smi -i {index} -pm 1")
    if gpu.slowest_mhz and gpu.fastest_mhz and gpu.fastest_mhz > (1 + CLOCK_WANDERS) * gpu.slowest_mhz:
        mhz = round(gpu.slowest_mhz)
        yield Advice(
            f"its clock moved from {mhz} to {round(gpu.fastest_mhz)} MHz; lock it (back again: nvidia-smi -rgc)",
            f"sudo nvidia-smi -i {index} -lgc {mhz},{mhz}",
        )
    if gpu.throttle:
        yield Advice(f"its clock is held down: {', '.join(gpu.throttle)}", f"nvidia-smi -i {index} -q -d PERFORMANCE")
    if gpu.others:
        yield Advice(f"{gpu.others} other processes are on the GPU; end them, or take another", "nvidia-smi")


def advise_budget(found: Diagnosis) -> Iterator[Advice]:
    """An interval narrows with the root of the time."""
    null = found.null_test
    if null is None:
        return
    if null.half_width is None:
        yield Advice("two generations at least make an interval; put in the spec", "measure: {generations: 3}")
    elif null.half_width > WIDE:
        needed = null.seconds * (null.half_width / WIDE) ** 2
        if needed < LONGEST_BUDGET_S:
            yield Advice(
                f"to tell {units.format_percent(WIDE)} apart, give two variants about {units.format_duration(needed)}, more in "
                "proportion; put in the spec",
                f"measure: {{budget: {units.format_duration(needed)}}}",
            )
        else:
            yield Advice(
                f"no budget will tell {units.format_percent(WIDE)} apart here: quieten the machine or take another"
            )


def advise_flags(found: Diagnosis) -> Iterator[Advice]:
    for name in SLOWING:
        if found.flags.get(name, "0") not in ("", "0"):
            yield Advice(f"{name} changes what is timed; unset it", f"unset {shlex.quote(name)}")


SLOWING = ("CUDA_LAUNCH_BLOCKING",)


def advise_extras(found: Diagnosis) -> Iterator[Advice]:
    for name, (use, command) in EXTRAS.items():
        if name in found.extras and found.extras[name] is None:
            yield Advice(f"{name} is not here: no {use}", command)


# What is optional: what for, and how to have it.
EXTRAS = {
    "onnxruntime": ("measure: {engine: onnxruntime}", "pip install 'archbench[onnx]'"),
    "compiler": ("measure: {engine: compile} on the CPU", "sudo apt install g++"),
    "triton": ("measure: {engine: compile} on a GPU", "pip install triton"),
}

RULES: tuple[Rule, ...] = (
    advise_failed_checks,
    advise_neighbours,
    advise_hypervisor,
    advise_governor,
    advise_turbo,
    advise_heat,
    advise_threads,
    advise_memory,
    advise_gpu,
    advise_budget,
    advise_flags,
    advise_extras,
)
