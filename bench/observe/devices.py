"""Clocks and gauges of a device: CUDA works on after a call has returned, and keeps memory and energy of its own.

A chunk's service time is wall time between two synchronizations, so that nothing of the chunk before or after is in it;
``device_s`` is the time between two events in the device's own queue (on a processor: processor time). The energy is
NVML's counter of the whole board over the time of streaming, other programs' work and idling between chunks included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from earmark.bench import clock
from earmark.bench.tables import Writer

MIB = 1024 * 1024
WARM_UPS = {"cuda": 3}
"""Recordings streamed and thrown away where one is not enough: CUDA chooses kernels and pools memory first."""


def kind_of(device: str) -> str:
    """``cuda`` of ``cuda:1``."""
    return device.partition(":")[0]


def meter_of(device: str) -> clock.Meter:
    """What times a call on this device."""
    return _on_cuda(device) if kind_of(device) == "cuda" else clock.on_host


def gauge_of(device: str) -> Gauge:
    """What reads memory and energy of this device, from now on."""
    return CudaGauge(device) if kind_of(device) == "cuda" else Gauge()


def _on_cuda(device: str) -> clock.Meter:
    import torch

    def meter(call: Callable[[], Any]) -> tuple[float, float | None, Any]:
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        queue = torch.cuda.current_stream(device)
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        began.record(queue)
        result = call()
        ended.record(queue)
        torch.cuda.synchronize(device)
        return time.perf_counter() - started, began.elapsed_time(ended) / 1000, result

    return meter


class Gauge:
    """Of a processor: nothing that the operating system does not know already."""

    def stop(self) -> None:
        """Streaming is over."""

    def write(self, writer: Writer, audio_s: float) -> None:
        """Write what was read while ``audio_s`` seconds of audio were streamed."""


class CudaGauge(Gauge):
    """Peak memory since it was made, the weights included, and energy until ``stop``."""

    def __init__(self, device: str) -> None:
        import torch

        self.device, self.cuda = device, torch.cuda
        self.cuda.synchronize(device)
        self.cuda.reset_peak_memory_stats(device)
        self.lacking: str | None = None
        self.before_j = self._energy_j()
        self.spent_j: float | None = None

    def stop(self) -> None:
        self.cuda.synchronize(self.device)
        after = self._energy_j()
        self.spent_j = None if self.before_j is None or after is None else after - self.before_j

    def write(self, writer: Writer, audio_s: float) -> None:
        peaks = {
            "peak_device_allocated_mib": self.cuda.max_memory_allocated(self.device) / MIB,
            "peak_device_reserved_mib": self.cuda.max_memory_reserved(self.device) / MIB,
        }
        for name, value in peaks.items():
            writer.add("facts", utterance_id="", name=name, value=value)
        writer.add("facts", utterance_id="", name="energy_j", value=self.spent_j, note=self.lacking)
        writer.add("facts", utterance_id="", name="energy_audio_s", value=audio_s)

    def _energy_j(self) -> float | None:
        try:
            return self._read_nvml()
        except Exception as error:  # no package, no permission, a board without a counter: the row says so
            self.lacking = f"no NVML energy counter here: {type(error).__name__}: {error}".splitlines()[0]
            return None

    def _read_nvml(self) -> float:
        import pynvml

        pynvml.nvmlInit()
        try:
            board = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{self.cuda.get_device_properties(self.device).uuid}")
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(board)) / 1000
        finally:
            pynvml.nvmlShutdown()
