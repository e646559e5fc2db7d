"""Clocks and gauges: what a call takes on the host, and on CUDA against work whose device time is known."""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from earmark.bench.observe.devices import CudaGauge, Gauge, gauge_of, meter_of
from earmark.bench.tables import Writer, read_table


def facts(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in read_table(folder, "facts").to_pylist()}


def test_the_host_s_meter_tells_waiting_from_working() -> None:
    service_s, device_s, result = meter_of("cpu")(lambda: time.sleep(0.05) or 7)
    assert service_s >= 0.05
    assert device_s is not None
    assert device_s < 0.5 * service_s
    assert result == 7
    service_s, device_s, _ = meter_of("cpu")(work_for_50_ms)
    assert device_s == pytest.approx(0.05, abs=0.02)


def work_for_50_ms() -> None:
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass


def test_a_processor_has_no_gauge_of_its_own(tmp_path: Path) -> None:
    gauge = gauge_of("cpu")
    assert type(gauge) is Gauge
    with Writer(tmp_path, "c") as writer:
        gauge.stop()
        gauge.write(writer, 1.0)
    assert facts(tmp_path) == {}


class Board:
    """In the place of ``torch.cuda`` and of NVML: 3 MiB in use, 8 MiB held, 2.5 J more at each look."""

    def __init__(self) -> None:
        self.spent_mj, self.waits = 1000.0, 0

    def synchronize(self, _device: str) -> None:
        self.waits += 1

    def reset_peak_memory_stats(self, _device: str) -> None: ...

    def max_memory_allocated(self, _device: str) -> int:
        return 3 * 2**20

    def max_memory_reserved(self, _device: str) -> int:
        return 8 * 2**20

    def get_device_properties(self, _device: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(uuid="1234")

    def energy(self, _handle: str) -> float:
        self.spent_mj += 2500.0
        return self.spent_mj


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    import torch

    made = Board()
    monkeypatch.setattr(torch, "cuda", made)
    nvml = types.ModuleType("pynvml")
    vars(nvml).update(
        nvmlInit=lambda: None, nvmlShutdown=lambda: None, nvmlDeviceGetTotalEnergyConsumption=made.energy,
        nvmlDeviceGetHandleByUUID=lambda name: name,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return made


def test_energy_is_what_the_counter_moved_while_streaming(board: Board, tmp_path: Path) -> None:
    gauge = CudaGauge("cuda")
    gauge.stop()
    with Writer(tmp_path, "c") as writer:
        gauge.write(writer, 10.0)
    found = facts(tmp_path)
    assert board.waits == 2
    assert found["energy_j"]["value"] == pytest.approx(2.5)
    assert found["energy_audio_s"]["value"] == 10.0
    assert found["peak_device_allocated_mib"]["value"] == 3.0
    assert found["peak_device_reserved_mib"]["value"] == 8.0


def test_a_board_without_a_counter_says_so(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: str) -> float:
        raise RuntimeError("Not Supported")

    monkeypatch.setattr(sys.modules["pynvml"], "nvmlDeviceGetTotalEnergyConsumption", refuse)
    gauge = CudaGauge("cuda")
    gauge.stop()
    with Writer(tmp_path, "c") as writer:
        gauge.write(writer, 10.0)
    row = facts(tmp_path)["energy_j"]
    assert row["value"] is None
    assert row["note"] == "no NVML energy counter here: RuntimeError: Not Supported"


@pytest.mark.gpu
@pytest.mark.slow
def test_cuda_is_timed_to_the_end_of_its_work() -> None:
    """Twenty large products return at once and take long: wall and device time see them, and agree."""
    import torch

    x = torch.randn(4096, 4096, device="cuda")

    def work() -> torch.Tensor:
        y = x
        for _ in range(20):
            y = (x @ y).clamp(-1, 1)
        return y

    meter = meter_of("cuda")
    meter(work)
    started = time.perf_counter()
    work()
    returned_s = time.perf_counter() - started
    torch.cuda.synchronize()
    service_s, device_s, _ = meter(work)
    assert device_s is not None
    assert service_s > returned_s
    assert device_s <= service_s
    assert device_s == pytest.approx(service_s, rel=0.2)


@pytest.mark.gpu
@pytest.mark.slow
def test_cuda_memory_is_that_of_the_largest_moment(tmp_path: Path) -> None:
    import torch

    gauge = CudaGauge("cuda")
    held = torch.empty(64 * 2**20, dtype=torch.uint8, device="cuda")
    del held
    gauge.stop()
    with Writer(tmp_path, "c") as writer:
        gauge.write(writer, 1.0)
    found = facts(tmp_path)
    assert found["peak_device_allocated_mib"]["value"] >= 64
    assert found["peak_device_reserved_mib"]["value"] >= found["peak_device_allocated_mib"]["value"]
