"""Real timing bugs, each as a small edit of the source and the test that must notice it.

To add one: a line in MUTANTS. The test named last is called with the broken module, so it takes that module and no more.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import test_cold as cold
import test_cuda_device as cuda
import test_lost as lost
import test_method as method
import test_timing as timing

WORKERS, EXPERIMENTS = "archbench.measure.worker", "archbench.measure.experiment"
TIMING, DEVICES, NETWORK, WORKER = (f"{WORKERS}.{name}" for name in ("timing", "devices", "timed_network", "worker"))
LOST = "archbench.measure.machine.linux"
EXPERIMENT, GENERATION, STATE = (f"{EXPERIMENTS}.{name}" for name in ("experiment", "generation", "state"))
TURNS = f"{EXPERIMENTS}.turns"
ALL_ABOVE = (TURNS, GENERATION, EXPERIMENT)  # in the order they stand upon one another
READINGS, FIT, STATS, VERDICTS = (f"archbench.statistics.{name}" for name in ("readings", "fit", "summary", "verdicts"))


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in the module's source; `new` is the bug."""

    bug: str
    module: str
    old: str
    new: str
    killed_by: object
    through: Sequence[str] = ()  # modules that stand upon it; the test takes the last of them

    def source(self):
        return source(self.module)

    def load(self):
        """What the test takes as it would be with the bug, made anew and put nowhere."""
        return load(self.module, self.source().replace(self.old, self.new), self.through)

    def load_unbroken(self):
        """The same without the bug."""
        return load(self.module, self.source(), self.through)


def source(name):
    return Path(find_spec(name).origin).read_text()


def load(name, text, through=()):
    """A module of that name from that source, or the last of `through`, made anew upon it. No other module sees them."""
    module = ModuleType(name)
    exec(compile(text, f"<{name}, mutated>", "exec"), module.__dict__)
    if not through:
        return module
    above = through[0]
    with pytest.MonkeyPatch.context() as standing_in:
        standing_in.setitem(sys.modules, name, module)
        return load(above, source(above), through[1:])


BEFORE_CALL = """    device.synchronize()
    began = device.now_ns()
    device.record(start)
    result = forward()
"""
AFTER_CALL = """    device.record(end)
    device.synchronize()
    wall = device.now_ns() - began
    del result
"""
STEP_HEAD = """    device.synchronize()
    if filled:
        forward()  # fills the queue
    began = device.now_ns()
    device.record(start)
    for _ in range(count):
        forward()
"""
FILLED = "    device.fill_queue(fill_ns)\n    device.record(start)\n"

MUTANTS = [
    Mutant(
        "a request without the last wait",
        TIMING,
        AFTER_CALL,
        AFTER_CALL.replace("    device.synchronize()\n", ""),
        timing.test_a_request_takes_until_the_result_is_ready,
    ),
    Mutant(
        "the clock read before the last wait",
        TIMING,
        AFTER_CALL,
        """    device.record(end)
    wall = device.now_ns() - began
    device.synchronize()
    del result
""",
        timing.test_a_request_takes_until_the_result_is_ready,
    ),
    Mutant(
        "the end marked before the call",
        TIMING,
        "    result = forward()\n    device.record(end)\n",
        "    device.record(end)\n    result = forward()\n",
        timing.test_a_request_takes_until_the_result_is_ready,
    ),
    Mutant(
        "a request that begins while the device is busy",
        TIMING,
        BEFORE_CALL,
        BEFORE_CALL.replace("    device.synchronize()\n", ""),
        timing.test_a_request_begins_with_the_device_idle,
    ),
    Mutant(
        "the clock started before the first wait",
        TIMING,
        BEFORE_CALL,
        """    began = device.now_ns()
    device.synchronize()
    device.record(start)
    result = forward()
""",
        timing.test_a_request_begins_with_the_device_idle,
    ),
    Mutant(
        "the flush inside the timed region",
        TIMING,
        "    device.record(start)\n    result = forward()",
        "    device.record(start)\n    device.flush_cache() if cold_cache else None\n    result = forward()",
        timing.test_a_request_with_a_cold_cache_pays_for_the_cache_and_not_for_its_flushing,
    ),
    Mutant(
        "the flush left out",
        TIMING,
        "    if cold_cache:\n        device.flush_cache()\n    device.synchronize()",
        "    device.synchronize()",
        timing.test_a_request_with_a_cold_cache_pays_for_the_cache_and_not_for_its_flushing,
    ),
    Mutant(
        "the result kept over the next call",
        TIMING,
        "    del result\n    return wall",
        "    time_request.__dict__['kept'] = result\n    return wall",
        timing.test_the_result_of_a_request_is_let_go_before_the_next_call,
    ),
    Mutant(
        "the result let go inside the timed region",
        TIMING,
        AFTER_CALL,
        "    del result\n" + AFTER_CALL.replace("    del result\n", ""),
        timing.test_a_result_is_let_go_outside_the_timed_region,
    ),
    Mutant(
        "the hand-over call counted",
        TIMING,
        "(BLOCK_CALLS, BLOCK_NS, HAND_OVER_CALLS)",
        "(BLOCK_CALLS, BLOCK_NS, 0)",
        timing.test_the_hand_over_call_is_kept_but_does_not_count,
    ),
    Mutant(
        "the hand-over call thrown away",
        TIMING,
        "    return Calls(tuple(walls), tuple(devices), dropped)",
        "    return Calls(tuple(walls[dropped:]), tuple(devices[dropped:]), 0)",
        timing.test_the_hand_over_call_is_kept_but_does_not_count,
    ),
    Mutant(
        "the hand-over call taken for one of the five",
        TIMING,
        "while len(walls) - dropped < at_least",
        "while len(walls) < at_least",
        timing.test_a_block_of_fast_calls_drops_the_hand_over_and_lasts_50_ms_and_5_calls,
    ),
    Mutant(
        "the hand-over call's time taken for the block's",
        TIMING,
        "or sum(walls[dropped:]) < for_ns",
        "or sum(walls) < for_ns",
        timing.test_a_block_of_fast_calls_drops_the_hand_over_and_lasts_50_ms_and_5_calls,
    ),
    Mutant(
        "a slow call dropped as a hand-over",
        TIMING,
        "(1, 0, 0) if timed.is_slow",
        "(1, 0, 1) if timed.is_slow",
        timing.test_a_block_of_a_slow_network_is_one_call_and_drops_none_whatever_the_quantity,
    ),
    Mutant(
        "a step that waits for each call",
        TIMING,
        "    for _ in range(count):\n        forward()\n",
        "    for _ in range(count):\n        forward()\n        device.synchronize()\n",
        timing.test_calls_overlap_in_a_step_as_they_do_not_in_requests,
    ),
    Mutant(
        "a step not divided by its calls",
        TIMING,
        "return round(period / count)",
        "return round(period)",
        timing.test_a_step_of_a_device_bound_network_is_the_devices_work,
    ),
    Mutant(
        "a step divided by one call more",
        TIMING,
        "return round(period / count), round(between / count)",
        "return round(period / (count + 1)), round(between / (count + 1))",
        timing.test_a_step_of_a_device_bound_network_is_the_devices_work,
    ),
    Mutant(
        "a step marked before the queue is filled",
        TIMING,
        STEP_HEAD,
        """    device.synchronize()
    began = device.now_ns()
    device.record(start)
    if filled:
        forward()
    for _ in range(count):
        forward()
""",
        timing.test_a_step_of_a_device_bound_network_is_the_devices_work,
    ),
    Mutant(
        "a step from an idle device",
        TIMING,
        "    if filled:\n        forward()  # fills the queue\n",
        "",
        timing.test_calls_overlap_in_a_step_as_they_do_not_in_requests,
    ),
    Mutant(
        "a step behind other work, which hides a slow host",
        TIMING,
        "        forward()  # fills the queue\n",
        "        device.fill_queue(count * 100_000)\n",
        timing.test_a_step_of_a_host_bound_network_is_the_hosts_time_however_the_queue_is_filled,
    ),
    Mutant(
        "a step by the host's clock, begun while the first call runs",
        TIMING,
        "period = between if filled else wall",
        "period = wall",
        timing.test_a_step_of_a_device_bound_network_is_the_devices_work,
    ),
    Mutant(
        "a step on the CPU that is its CPU time",
        TIMING,
        "period = between if filled else wall",
        "period = between",
        timing.test_a_step_on_the_cpu_is_the_hosts_clock_and_not_its_cpu_time,
    ),
    Mutant(
        "every result of a stretch kept",
        TIMING,
        "    for _ in range(count):\n        forward()\n",
        "    kept = []\n    for _ in range(count):\n        kept.append(forward())\n",
        timing.test_no_two_results_of_a_stretch_are_alive_together,
    ),
    Mutant(
        "a result kept until the next rebinds its name",
        TIMING,
        "    for _ in range(count):\n        forward()\n",
        "    for _ in range(count):\n        result = forward()\n",
        timing.test_no_two_results_of_a_stretch_are_alive_together,
    ),
    Mutant(
        "stretches sized by the slow first call",
        TIMING,
        "min(timed.call_ns, entries[0][0])",
        "entries[0][0]",
        timing.test_a_slow_hand_over_makes_no_stretch_short,
    ),
    Mutant(
        "stretches sized by requests",
        TIMING,
        "min(timed.call_ns, entries[0][0])",
        "timed.call_ns",
        timing.test_a_stretch_is_50_ms_however_much_faster_steps_are_than_requests,
    ),
    Mutant(
        "the hand-over stretch counted",
        TIMING,
        "    return Calls(walls, devices, HAND_OVER_CALLS)",
        "    return Calls(walls, devices, 0)",
        timing.test_a_slow_hand_over_makes_no_stretch_short,
    ),
    Mutant(
        "two stretches, of which neither can be said to be disturbed",
        TIMING,
        "while len(entries) < HAND_OVER_CALLS + STRETCHES:",
        "while len(entries) < STRETCHES:",
        timing.test_a_step_block_is_three_stretches_of_50_ms_and_5_calls_after_a_hand_over,
    ),
    Mutant(
        "the device's time begun before the fill",
        TIMING,
        FILLED,
        "    device.record(start)\n    device.fill_queue(fill_ns)\n",
        timing.test_the_devices_own_work_is_asked_for_behind_a_filled_queue_where_there_are_none,
    ),
    Mutant(
        "the device's time behind no fill",
        TIMING,
        FILLED,
        "    device.record(start)\n",
        timing.test_the_devices_own_work_is_asked_for_behind_a_filled_queue_where_there_are_none,
    ),
    Mutant(
        "a queue that ran dry not noticed",
        TIMING,
        "dry = device.has_reached(start)",
        "dry = False",
        timing.test_a_device_that_ran_dry_is_asked_again_behind_a_longer_fill,
    ),
    Mutant(
        "a queue looked at when all is done",
        TIMING,
        "    dry = device.has_reached(start)\n    device.synchronize()\n",
        "    device.synchronize()\n    dry = device.has_reached(start)\n",
        timing.test_the_devices_own_work_is_asked_for_behind_a_filled_queue_where_there_are_none,
    ),
    Mutant(
        "the last try reported although it ran dry",
        TIMING,
        "        if not taken.dry:\n            return taken\n",
        "        if not taken.dry or _ == FILL_TRIES - 1:\n            return taken\n",
        timing.test_a_network_that_waits_inside_has_no_device_time_to_report,
    ),
    Mutant(
        "the same fill tried again",
        TIMING,
        "count, fill_ns = max(1, count // 2), FILL_MARGIN * taken.asked_ns",
        "count = max(1, count // 2)",
        timing.test_a_host_that_became_slow_is_given_a_longer_fill,
    ),
    Mutant(
        "a graph captured and not replayed",
        TIMING,
        "call = timed.forward if replay is None else replay",
        "call = timed.forward",
        timing.test_the_devices_own_work_is_a_replayed_graphs_where_there_are_graphs,
    ),
    Mutant(
        "one tiny replay between coarse marks",
        TIMING,
        "most = 1 if replay is None or timed.cold_cache else MOST_REPLAYS",
        "most = 1",
        timing.test_marks_are_too_coarse_for_one_tiny_replay_and_not_for_many,
    ),
    Mutant(
        "many replays that warm the cache for one another",
        TIMING,
        "most = 1 if replay is None or timed.cold_cache else MOST_REPLAYS",
        "most = 1 if replay is None else MOST_REPLAYS",
        timing.test_the_devices_own_work_with_a_cold_cache_pays_at_every_call,
    ),
    Mutant(
        "warm-up ended at its first medians",
        TIMING,
        "if len(medians) == STEADY_BLOCKS and",
        "if",
        timing.test_warm_up_goes_on_until_three_medians_agree,
    ),
    Mutant(
        "a network that never settles taken for steady",
        TIMING,
        "    return kept, False",
        "    return kept, True",
        timing.test_a_network_that_never_settles_is_not_steady,
    ),
    Mutant(
        "warm-up ended while a boost fades",
        TIMING,
        "STEADY_WITHIN = 0.01",
        "STEADY_WITHIN = 0.1",
        timing.test_warm_up_waits_out_a_boost_that_fades,
    ),
    Mutant(
        "a sign of life inside the timed region",
        TIMING,
        "        wall, on_device = time_request(forward, device, cold_cache=cold_cache)\n",
        "        began = device.now_ns()\n"
        "        _, on_device = time_request(forward, device, cold_cache=cold_cache)\n"
        "        pulse and pulse()\n"
        "        wall = device.now_ns() - began\n",
        timing.test_signs_of_life_come_once_a_second_and_are_not_in_the_times,
    ),
    Mutant(
        "a sign of life at every call",
        TIMING,
        "self.device.now_ns() - self.last >= NS_PER_S",
        "True",
        timing.test_signs_of_life_come_once_a_second_and_are_not_in_the_times,
    ),
    Mutant(
        "a wait for another device",
        DEVICES,
        "torch.cuda.synchronize(self.index)",
        "torch.cuda.synchronize(0)",
        cuda.test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream,
    ),
    Mutant(
        "a mark on another device's stream",
        DEVICES,
        "mark.record(torch.cuda.current_stream(self.index))",
        "mark.record(torch.cuda.current_stream(0))",
        cuda.test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream,
    ),
    Mutant(
        "a mark on a stream of its own",
        DEVICES,
        "mark.record(torch.cuda.current_stream(self.index))",
        "mark.record(torch.cuda.Stream(self.index))",
        cuda.test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream,
    ),
    Mutant(
        "marks without timing",
        DEVICES,
        "torch.cuda.Event(enable_timing=True)",
        "torch.cuda.Event()",
        cuda.test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream,
    ),
    Mutant(
        "milliseconds taken for microseconds",
        DEVICES,
        "round(start.elapsed_time(end) * 1e6)",
        "round(start.elapsed_time(end) * 1e3)",
        cuda.test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream,
    ),
    Mutant(
        "work sent to the first device",
        DEVICES,
        "        torch.cuda.set_device(index)\n",
        "",
        cuda.test_the_device_is_made_current_so_that_work_goes_to_it,
    ),
    Mutant(
        "the peak not reset",
        DEVICES,
        "        torch.cuda.reset_peak_memory_stats(self.index)\n",
        "",
        cuda.test_peak_memory_is_the_allocators_of_that_device,
    ),
    Mutant(
        "the peak of another device",
        DEVICES,
        "torch.cuda.max_memory_allocated(self.index)",
        "torch.cuda.max_memory_allocated(0)",
        cuda.test_peak_memory_is_the_allocators_of_that_device,
    ),
    Mutant(
        "what is allocated now taken for the peak",
        DEVICES,
        '"allocated_bytes.all.peak"',
        '"allocated_bytes.all.current"',
        cuda.test_memory_is_the_peaks_of_what_was_allocated_reserved_and_requested_and_the_retries,
    ),
    Mutant(
        "what is not counted taken for 0",
        DEVICES,
        "told.get(theirs)",
        "told.get(theirs, 0)",
        cuda.test_memory_that_this_torch_does_not_count_is_null,
    ),
    Mutant(
        "a capture that is not warmed up",
        DEVICES,
        "            for _ in range(CAPTURE_WARM_UPS):\n                forward()\n",
        "            pass\n",
        cuda.test_a_graph_is_captured_once_after_warming_up_on_a_side_stream_and_replayed,
    ),
    Mutant(
        "a side stream that does not wait for the input",
        DEVICES,
        "        side.wait_stream(current)\n",
        "",
        cuda.test_a_graph_is_captured_once_after_warming_up_on_a_side_stream_and_replayed,
    ),
    Mutant(
        "a capture beside the warming up",
        DEVICES,
        "        current.wait_stream(side)\n",
        "",
        cuda.test_a_graph_is_captured_once_after_warming_up_on_a_side_stream_and_replayed,
    ),
    Mutant(
        "a failed capture that leaves later marks on its stream",
        DEVICES,
        "            torch.cuda.set_stream(current)",
        "            pass",
        cuda.test_a_capture_that_fails_says_so_and_leaves_its_stream,
    ),
    Mutant(
        "a graph captured at every block",
        DEVICES,
        "if forward not in self._replays:",
        "if True:",
        cuda.test_a_graph_is_captured_once_after_warming_up_on_a_side_stream_and_replayed,
    ),
    Mutant(
        "a fill a thousand times too short",
        DEVICES,
        "ns * khz / 1e6",
        "ns * khz / 1e9",
        cuda.test_the_devices_own_work_is_asked_for_behind_a_kernel_that_sleeps_on_the_same_stream,
    ),
    Mutant(
        "a flush that fits the cache",
        DEVICES,
        "CACHES * cache_bytes",
        "cache_bytes // 2",
        cuda.test_a_flush_writes_twice_the_cache_and_keeps_its_buffer,
    ),
    Mutant(
        "tf32 left on for convolutions",
        DEVICES,
        "        torch.backends.cudnn.allow_tf32 = allowed\n",
        "",
        cuda.test_tf32_is_said_for_both_families_and_never_left_as_torch_has_it,
    ),
    Mutant(
        "time lost since the process began",
        LOST,
        "now[column] - before.get(thread, (0, 0))[column]",
        "now[column]",
        lost.test_lost_is_counted_since_it_was_last_asked,
    ),
    Mutant(
        "waiting over running alone",
        LOST,
        "_share(waited, ran + waited)",
        "_share(waited, ran)",
        lost.test_lost_is_the_waiting_of_all_threads_over_their_running_and_waiting,
    ),
    Mutant(
        "nothing known taken for nothing lost",
        LOST,
        "part / whole if whole > 0 else None",
        "part / whole if whole > 0 else 0.0",
        lost.test_where_the_kernel_says_nothing_it_is_null,
    ),
    Mutant(
        "guest time counted twice",
        LOST,
        "ACCOUNTED = 8",
        "ACCOUNTED = 10",
        lost.test_steal_is_a_share_of_all_cpus_time,
    ),
    Mutant(
        "turns always in the spec's order",
        GENERATION,
        ".shuffle(shuffled)\n",
        ".random()\n",
        method.test_every_round_is_an_order_of_its_own_and_its_mirror,
        (EXPERIMENT,),
    ),
    Mutant(
        "one order for every round",
        GENERATION,
        '{self.setup.plan.seed}/{self.number}/{number}"',
        '{self.setup.plan.seed}"',
        method.test_every_round_is_an_order_of_its_own_and_its_mirror,
        (EXPERIMENT,),
    ),
    Mutant(
        "the mirror left out",
        GENERATION,
        "return shuffled + shuffled[::-1] if fits",
        "return shuffled if fits",
        method.test_every_round_is_an_order_of_its_own_and_its_mirror,
        (EXPERIMENT,),
    ),
    Mutant(
        "the order twice instead of its mirror",
        GENERATION,
        "shuffled + shuffled[::-1]",
        "shuffled + shuffled",
        method.test_every_round_is_an_order_of_its_own_and_its_mirror,
        (EXPERIMENT,),
    ),
    Mutant(
        "the warm-up kept as a steady block",
        TURNS,
        'phase="warm-up", group=group',
        "group=group",
        method.test_a_warm_up_is_kept_and_is_no_steady_block,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "a disturbed block thrown away",
        TURNS,
        "        self._add_block(running, reply, quantity=quantity, attempt",
        "        reasons or self._add_block(running, reply, quantity=quantity, attempt",
        method.test_a_disturbed_block_stays_in_the_data_beside_its_repeats,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "a disturbed block not taken again",
        TURNS,
        "return bool(reasons)",
        "return False",
        method.test_a_disturbed_block_stays_in_the_data_beside_its_repeats,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "a disturbed block not marked",
        TURNS,
        "attempt=attempt, disturbed=reasons",
        "attempt=attempt",
        method.test_a_disturbed_block_stays_in_the_data_beside_its_repeats,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "patience without end",
        TURNS,
        "            self.patience -= needed\n",
        "",
        method.test_a_machine_disturbed_throughout_is_not_waited_for_without_end,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "a budget that is spent to the end whatever was reached",
        STATE,
        "return not self.setup.stops_when_narrow or self.setup.plan.generations == 1 or within",
        "return not self.setup.stops_when_narrow",
        method.test_a_run_ends_within_its_budget_and_not_before_its_intervals_are_narrow,
        ALL_ABOVE,
    ),
    Mutant(
        "a run that ends with its wanted generations, narrow or not",
        STATE,
        "return not self.setup.stops_when_narrow or self.setup.plan.generations == 1 or within",
        "return True",
        method.test_a_run_ends_within_its_budget_and_not_before_its_intervals_are_narrow,
        ALL_ABOVE,
    ),
    Mutant(
        "the narrowest interval ends the run",
        STATE,
        "self.widest = max(widths.values()",
        "self.widest = min(widths.values()",
        method.test_the_precision_that_ends_a_run_is_the_widest_not_the_narrowest,
    ),
    Mutant(
        "a clock compared with the fastest",
        STATE,
        "usual = median(self.clocks)",
        "usual = max(self.clocks)",
        method.test_a_clock_is_slow_by_the_runs_median_and_lost_time_by_a_tenth,
    ),
    Mutant(
        "a throttled clock overlooked",
        STATE,
        'if telemetry.get("throttle"):',
        'if telemetry.get("throttle") is True:',
        method.test_a_clock_is_slow_by_the_runs_median_and_lost_time_by_a_tenth,
    ),
    Mutant(
        "half the time may be lost to others",
        STATE,
        "LOST = 0.1 ",
        "LOST = 0.5 ",
        method.test_a_clock_is_slow_by_the_runs_median_and_lost_time_by_a_tenth,
    ),
    Mutant(
        "a torn round counted",
        READINGS,
        "        if _is_whole(turns, owing):\n            yield from",
        "        if turns:\n            yield from",
        method.test_a_round_that_was_torn_does_not_count_and_a_repeat_replaces_what_was_disturbed,
    ),
    Mutant(
        "the first attempt counted",
        READINGS,
        ">= (not before.disturbed, before.attempt)",
        "< (not before.disturbed, before.attempt)",
        method.test_a_round_that_was_torn_does_not_count_and_a_repeat_replaces_what_was_disturbed,
    ),
    Mutant(
        "the last attempt counted though an earlier one was calm",
        READINGS,
        "(not block.disturbed, block.attempt) >= (not before.disturbed, before.attempt)",
        "block.attempt >= before.attempt",
        method.test_a_round_that_was_torn_does_not_count_and_a_repeat_replaces_what_was_disturbed,
    ),
    Mutant(
        "disturbed samples discarded until none are left",
        READINGS,
        "return calm if _are_linked(calm, {each.key for each in readings}) else readings",
        "return calm",
        method.test_disturbed_samples_are_left_out_only_while_others_remain,
    ),
    Mutant(
        "disturbed samples counted with the calm",
        READINGS,
        "return calm if _are_linked(calm, {each.key for each in readings}) else readings",
        "return readings",
        method.test_disturbed_samples_are_left_out_only_while_others_remain,
    ),
    Mutant(
        "a mean of times instead of their logs",
        READINGS,
        "math.log(_find_median(self.times_ns) / NS_PER_MS)",
        "math.log(1 + _find_median(self.times_ns) / NS_PER_MS)",
        method.test_a_ratio_is_of_geometric_means_with_the_rounds_taken_out,
    ),
    Mutant(
        "a slow round charged to those who were in it",
        READINGS,
        "values[each.key].append(each.log_ms - effects[each.round])",
        "values[each.key].append(each.log_ms)",
        method.test_a_ratio_is_of_geometric_means_with_the_rounds_taken_out,
    ),
    Mutant(
        "the mean of a block's calls",
        READINGS,
        "math.log(_find_median(self.times_ns) / NS_PER_MS)",
        "math.log(_mean_of(self.times_ns) / NS_PER_MS)",
        method.test_a_block_is_its_median_and_an_odd_one_is_trimmed,
    ),
    Mutant(
        "outlying blocks counted in full",
        READINGS,
        "TRIMMED = 0.2 ",
        "TRIMMED = 0.0 ",
        method.test_a_block_is_its_median_and_an_odd_one_is_trimmed,
    ),
    Mutant(
        "the residual over the number of cells",
        FIT,
        "math.sqrt(squares / df)",
        "math.sqrt(squares / len(values))",
        method.test_a_residual_is_pooled_over_its_degrees_of_freedom,
    ),
    Mutant(
        "a ratio as sure as either of its sides",
        FIT,
        " - 2 * self.covariance[one, other])",
        " - self.covariance[other, other])",
        method.test_a_residual_is_pooled_over_its_degrees_of_freedom,
    ),
    Mutant(
        "a failed variant summarised",
        READINGS,
        "if block.key not in failed and block.quantity",
        "if block.quantity",
        method.test_a_summary_counts_steady_calls_after_the_hand_over_and_has_no_interval_without_generations,
        (STATS,),
    ),
    Mutant(
        "an interval from one generation",
        STATS,
        "known = generations > 1 and fitted.df > 0",
        "known = fitted.df > 0",
        method.test_a_summary_counts_steady_calls_after_the_hand_over_and_has_no_interval_without_generations,
    ),
    Mutant(
        "looks at the interval not paid for",
        FIT,
        "LOOKING if looked else CONFIDENCE",
        "CONFIDENCE",
        method.test_an_interval_that_was_looked_at_is_wider_and_a_tie_is_a_tie,
        (STATS,),
    ),
    Mutant(
        "ties broken by a hair",
        FIT,
        "ranks[key] = ranks.get(lead, place)",
        "ranks[key] = place",
        method.test_an_interval_that_was_looked_at_is_wider_and_a_tie_is_a_tie,
        (STATS,),
    ),
    Mutant(
        "every difference a verdict",
        VERDICTS,
        '    if not different:\n        return "inconclusive"\n',
        "",
        method.test_a_verdict_needs_generations_calm_blocks_and_more_than_chance,
    ),
    Mutant(
        "a verdict at one in twenty",
        VERDICTS,
        "SIGNIFICANCE = 0.01",
        "SIGNIFICANCE = 0.05",
        method.test_a_verdict_needs_generations_calm_blocks_and_more_than_chance,
    ),
    Mutant(
        "faster taken for slower",
        VERDICTS,
        '"regressed" if log_ratio > 0',
        '"regressed" if log_ratio < 0',
        method.test_a_verdict_needs_generations_calm_blocks_and_more_than_chance,
    ),
    Mutant(
        "disturbed blocks no objection",
        VERDICTS,
        "if contrast.disturbed >= DISTURBED:",
        "if contrast.disturbed > 1:",
        method.test_a_verdict_needs_generations_calm_blocks_and_more_than_chance,
    ),
    Mutant(
        "pairs compared by their spread over generations",
        VERDICTS,
        "variance(differences) / len(differences)",
        "variance([found[new, s] for s in both]) / len(differences)",
        method.test_a_pair_is_compared_generation_by_generation,
    ),
    Mutant(
        "a GPU's first call taken for the network's pace",
        TIMING,
        "at_least=2 if device.asynchronous else 1",
        "at_least=1",
        timing.test_a_gpus_slow_first_call_makes_no_slow_network,
    ),
    Mutant(
        "the last call of the warm-up taken for the first",
        TURNS,
        '_cold_pieces(running.facts["cold_ms"], reply["wall_ns"][0])',
        '_cold_pieces(running.facts["cold_ms"], reply["wall_ns"][-1])',
        method.test_the_first_call_is_the_first_and_what_compiled_had_it_already,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "the call after compiling counted as a first one too",
        TURNS,
        'return dict(started) if "compile" in started else {',
        "return {",
        method.test_the_first_call_is_the_first_and_what_compiled_had_it_already,
        (GENERATION, EXPERIMENT),
    ),
    Mutant(
        "other quantities always in the spec's order",
        GENERATION,
        "self._run_round(self._shuffle_order(order, rounds), ",
        "self._run_round(order, ",
        method.test_the_rounds_of_other_quantities_are_random_orders_too,
        (EXPERIMENT,),
    ),
    Mutant(
        "one order for all other quantities of a generation",
        GENERATION,
        "self._shuffle_order(order, rounds)",
        "self._shuffle_order(order, 0)",
        method.test_the_rounds_of_other_quantities_are_random_orders_too,
        (EXPERIMENT,),
    ),
    Mutant(
        "a clock compared with the last few blocks",
        STATE,
        "usual = median(self.clocks)",
        "usual = median(self.clocks[-5:])",
        method.test_a_clock_that_stays_slow_stays_disturbed,
    ),
    Mutant(
        "the import counted in the build too",
        WORKER,
        '{"import": import_ms, **facts["cold_ms"]}',
        '{"import": import_ms, **facts["cold_ms"], "build": import_ms + facts["cold_ms"]["build"]}',
        cold.test_import_and_build_are_each_its_own_and_what_archbench_imports_to_count_with_is_neither,
    ),
    Mutant(
        "what others did before a turn blamed on it",
        NETWORK,
        "        self.device.telemetry()  # shares",
        "        # shares",
        cold.test_what_others_did_before_a_turn_is_not_the_turns,
    ),
    Mutant(
        "law 1 proved on the build's time",
        NETWORK,
        "        build_ms = (clock()",
        "        isinstance(variant.architecture, ModuleFactory) or _prove_counts(variant, device)\n        build_ms = (clock()",
        cold.test_the_proof_of_a_built_network_is_no_part_of_its_build_and_makes_nothing_warm_for_its_compiler,
    ),
    Mutant(
        "a hand-written network counted before its first call",
        NETWORK,
        "        return timed\n",
        "        timed.counted = timed.counted or _count_network(timed.subject)\n        return timed\n",
        cold.test_the_first_call_of_a_hand_written_network_is_made_in_the_warm_up_and_counted_after,
    ),
]
