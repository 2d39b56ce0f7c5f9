"""Which of NVML's GPUs torch's `cuda:N` is, and a driver that refuses: with a fake NVML in the place of the library's."""

import pynvml
import pytest
from cases import quick_first
from fakes import FakeNvml

from archbench.errors import CannotMeasure
from archbench.measure.machine.environment import available_bytes, capture_environment, list_devices, resolve_device

KINDS = [*(value for name, value in vars(pynvml).items() if name.startswith("NVML_ERROR_")), 12345]
FUNCTIONS = [name for name in vars(FakeNvml) if name.startswith("nvml")]
SLICED = ("GPU-0a1b", "GPU-0a2c", SLICE := "MIG-77")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with this NVML and CUDA_VISIBLE_DEVICES, null where it is not set."""
    monkeypatch.chdir(tmp_path)

    def set_up(nvml, visible=None):
        nvml.stand_in(monkeypatch)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        return nvml

    return set_up


def on_the_host():
    """Near enough, while other processes take and give back memory: no GPU here has as little or as much."""
    return pytest.approx(available_bytes("cpu"), rel=0.2)


@pytest.mark.process
@pytest.mark.parametrize(
    ("visible", "device", "index"),
    [
        (None, "cuda:0", 0),
        (None, "cuda:1", 1),
        ("1", "cuda:0", 1),
        ("1,0", "cuda:1", 0),
        ("GPU-0a2c", "cuda:0", 1),
        ("GPU-0a2", "cuda:0", 1),  # CUDA takes the beginning of a UUID, NVML does not
        ("GPU-0a2,GPU-0a1", "cuda:1", 0),
        ("1,-1,0", "cuda:0", 1),
        (" 1 , 0", "cuda:1", 0),
        ("1gpu", "cuda:0", 1),  # as C's strtoul reads a number
    ],
)
def test_a_gpu_is_the_one_that_torch_sees_under_that_number(machine, visible, device, index):
    """Torch's own reading of CUDA_VISIBLE_DEVICES (torch.cuda._parse_visible_devices) numbers them the same."""
    nvml = machine(FakeNvml(), visible)
    assert resolve_device(device) == device
    assert available_bytes(device) == int(0.8 * nvml.free[index])
    assert capture_environment(device)["gpu"] == {"name": f"GPU number {index}", "uuid": nvml.uuids[index]}
    assert nvml.sessions == 0


@pytest.mark.process
@pytest.mark.parametrize(
    "visible", ["", "-1", "-1,0", "2", "2,0", "0,0", "GPU-0a", "GPU-9", "GPU-0a1,GPU-0a1b", "nothing", "9" * 5000]
)
def test_gpus_that_are_hidden_are_not_there(machine, visible):
    """`GPU-0a` begins both UUIDs; one named twice hides all: torch's reading, too."""
    nvml = machine(FakeNvml(), visible)
    assert resolve_device("auto") == "cpu"
    assert [each["device"] for each in list_devices()] == ["cpu"]
    assert capture_environment("cuda:0")["gpu"] is None
    assert len(capture_environment("cuda:0")["gpus"]) == 2
    assert available_bytes("cuda:0") == on_the_host()
    with pytest.raises(CannotMeasure, match=r"cuda is not there; CUDA_VISIBLE_DEVICES=.* shows 0 of 2; take cpu, or "):
        resolve_device("cuda")
    assert nvml.sessions == 0


@pytest.mark.process
@pytest.mark.parametrize(
    ("visible", "message"),
    [
        (None, "cuda:2 is not there; the driver knows 2; take cuda:0, cuda:1, cpu, or none to price only"),
        ("1", "cuda:2 is not there; CUDA_VISIBLE_DEVICES=1 shows 1 of 2; take cuda:0, cpu, or none to price only"),
        (
            "1\x1b[31m",
            "cuda:2 is not there; CUDA_VISIBLE_DEVICES=1\\u001b[31m shows 1 of 2; take cuda:0, cpu, or none to price only",
        ),
    ],
)
def test_a_number_beyond_the_gpus_is_refused_with_what_there_is(machine, visible, message):
    machine(FakeNvml(), visible)
    with pytest.raises(CannotMeasure) as refused:
        resolve_device("cuda:2")
    assert str(refused.value) == f"measure.device: {message}"
    assert capture_environment("cuda:2")["gpu"] is None


def test_devices_are_those_a_run_can_name(machine):
    machine(FakeNvml(), "1,0")
    assert [(each["device"], each["name"]) for each in list_devices()[1:]] == [
        ("cuda:0", "GPU number 1"),
        ("cuda:1", "GPU number 0"),
    ]


@pytest.mark.process
@pytest.mark.parametrize("function", ["nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID", "nvmlDeviceGetMemoryInfo"])
def test_a_lost_gpu_costs_nobody_else_anything(machine, function):
    """Whichever question says that it fell off the bus. It keeps its number, so the others keep theirs."""
    nvml = machine(FakeNvml(refuses={(function, 0): pynvml.NVML_ERROR_GPU_IS_LOST}))
    assert resolve_device("auto") == resolve_device("cuda:1") == "cuda:1"
    assert resolve_device("none") == "none"
    assert [each["device"] for each in list_devices()] == ["cpu", "cuda:1"]
    assert available_bytes("cuda:1") == int(0.8 * nvml.free[1])
    found = capture_environment("cuda:1")
    assert found["gpu"] == found["gpus"][1] == {"name": "GPU number 1", "uuid": "GPU-0a2c"}
    with pytest.raises(CannotMeasure, match="cuda:0 is lost, its driver says; restart the machine, or take "):
        resolve_device("cuda:0")


@pytest.mark.parametrize("function", ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetHandleByIndex"])
def test_where_the_driver_does_not_say_what_memory_is_free_it_is_the_hosts(machine, function):
    """A GPU that shares the host's memory has none of its own to tell of (NVIDIA DGX Spark: Not Supported)."""
    machine(FakeNvml(refuses={function: pynvml.NVML_ERROR_NOT_SUPPORTED}))
    assert resolve_device("cuda:1") == "cuda:1"
    assert available_bytes("cuda:1") == on_the_host()


@pytest.mark.process
def test_a_slice_is_found_by_its_whole_uuid_or_taken_at_its_word(machine):
    """A container may be kept from asking about slices; CUDA knows them all the same."""
    nvml = machine(FakeNvml(SLICED, (1, 2, 3 * 10**9), slices=1), SLICE)
    assert resolve_device("cuda") == "cuda:0"
    assert available_bytes("cuda:0") == int(0.8 * 3 * 10**9)
    assert capture_environment("cuda:0")["gpu"] == {"name": "GPU number 2", "uuid": SLICE}
    nvml.refuses = {"nvmlDeviceGetHandleByUUID": pynvml.NVML_ERROR_NO_PERMISSION}
    assert resolve_device("cuda") == "cuda:0"
    assert capture_environment("cuda:0")["gpu"] is None


@pytest.mark.process
def test_a_shortened_uuid_is_taken_at_its_word_where_the_driver_hides_uuids(machine):
    machine(FakeNvml(refuses={"nvmlDeviceGetUUID": pynvml.NVML_ERROR_NO_PERMISSION}), "GPU-0a2")
    assert resolve_device("auto") == "cuda:0"
    assert capture_environment("cuda:0")["gpu"] is None


@pytest.mark.process
@pytest.mark.parametrize("visible", quick_first([None, "1", "GPU-0a2", SLICE], 1))
@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_that_nvml_refuses_ends_what_can_go_on_without_it(machine, function, visible):
    """Every error of every function: only a GPU that is asked for and is not there is refused, as CannotMeasure."""
    asked = set()
    for kind in KINDS:
        nvml = machine(FakeNvml(SLICED, (1, 2, 3), slices=1, refuses={function: kind}), visible)
        for device in ("none", "cpu", "auto", "cuda", "cuda:1"):
            try:
                assert resolve_device(device) in (device, "cpu", "cuda:0")
            except CannotMeasure:
                assert device.startswith("cuda")
        for device in ("cpu", "cuda:0", "cuda:7"):
            assert available_bytes(device) >= 0
        captured = capture_environment("cuda:0")
        assert captured["device"] == "cuda:0"
        assert all(set(gpu) == {"name", "uuid"} for gpu in captured["gpus"])
        assert captured["gpu"] is None or captured["gpu"]["name"].startswith("GPU number")
        assert list_devices()[0]["device"] == "cpu"
        asked |= nvml.asked
    assert function in asked or function == "nvmlDeviceGetHandleByUUID"


@pytest.mark.process
def test_no_driver_is_no_gpu(machine):
    machine(FakeNvml(refuses={"nvmlInit": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}))
    assert resolve_device("auto") == "cpu"
    with pytest.raises(CannotMeasure, match="cuda is asked for and no NVIDIA driver answers; take cpu, or none to "):
        resolve_device("cuda")
    assert (capture_environment("cpu")["gpus"], capture_environment("cpu")["driver"]) == ([], None)


@pytest.mark.process
def test_on_the_cpu_there_is_no_gpu_whatever_the_machine_has(machine):
    machine(FakeNvml())
    assert capture_environment("cpu")["gpu"] is None
    assert len(capture_environment("cpu")["gpus"]) == 2
    assert capture_environment("cpu")["driver"] == "580.1"
