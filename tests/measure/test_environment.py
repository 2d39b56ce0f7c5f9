"""Which of NVML's GPUs torch's `cuda:N` is, with a double of the driver."""

import pytest

from archbench.measure import environment


class Driver:
    """Two GPUs of 10 and 20 GB free."""

    NVMLError = RuntimeError
    free = (10 * 10**9, 20 * 10**9)

    def nvmlInit(self): ...

    def nvmlShutdown(self): ...

    def nvmlDeviceGetHandleByIndex(self, index):
        return {"index": index}

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return {"index": int(uuid[-1])}

    def nvmlDeviceGetMemoryInfo(self, handle):
        return type("Memory", (), {"free": self.free[handle["index"]]})

    def nvmlDeviceGetName(self, handle):
        return f"GPU number {handle['index']}"

    def nvmlDeviceGetUUID(self, handle):
        return f"GPU-{handle['index']}"

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlSystemGetDriverVersion(self):
        return "580.1"


@pytest.mark.parametrize(
    ("visible", "device", "index"),
    [
        (None, "cuda:0", 0),
        (None, "cuda:1", 1),
        ("1", "cuda:0", 1),
        ("1,0", "cuda:1", 0),
        ("GPU-1", "cuda:0", 1),
        ("", "cuda:1", 1),
    ],
)
def test_a_gpu_is_the_one_that_torch_sees_under_that_number(monkeypatch, visible, device, index):
    monkeypatch.setattr(environment, "pynvml", Driver())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert environment.available_bytes(device) == int(0.8 * Driver.free[index])
    assert environment.capture(device)["gpu"] == {"name": f"GPU number {index}", "uuid": f"GPU-{index}"}


def test_on_the_cpu_there_is_no_gpu_whatever_the_machine_has(monkeypatch):
    monkeypatch.setattr(environment, "pynvml", Driver())
    assert environment.capture("cpu")["gpu"] is None
    assert len(environment.capture("cpu")["gpus"]) == 2
