# SPDX-License-Identifier: Apache-2.0
"""The energy that a GPU has taken, as its driver counts it: NVML and the CUDA driver's libraries, loaded when asked for.

The driver numbers GPUs in its own way, so the one meant is found by its PCI address.
"""
import ctypes
import time

SETTLE_SECONDS = 0.2  # the counter is behind by as much as 100 ms
LEAST_SECONDS = 3  # of work that is worth measuring


def load(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise RuntimeError(f"{name} is not here") from None


def expect(status, call):
    if status != 0:
        raise RuntimeError(f"{call}: status {status}")


class GpuEnergy:
    """Of GPU `number` as CUDA counts them. Throws RuntimeError where there is no driver, or a GPU without a counter."""

    def __init__(self, number=0):
        cuda = load("libcuda.so.1")
        device, address = ctypes.c_int(), ctypes.create_string_buffer(32)
        expect(cuda.cuInit(0), "cuInit")
        expect(cuda.cuDeviceGet(ctypes.byref(device), number), "cuDeviceGet")
        expect(cuda.cuDeviceGetPCIBusId(address, len(address), device), "cuDeviceGetPCIBusId")
        self.nvml = load("libnvidia-ml.so.1")
        self.handle = ctypes.c_void_p()
        expect(self.nvml.nvmlInit_v2(), "nvmlInit")
        expect(self.nvml.nvmlDeviceGetHandleByPciBusId_v2(address, ctypes.byref(self.handle)),
               "nvmlDeviceGetHandleByPciBusId")
        self.joules()

    def joules(self):
        """Since the driver was loaded."""
        time.sleep(SETTLE_SECONDS)
        millijoules = ctypes.c_ulonglong()
        expect(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle, ctypes.byref(millijoules)),
               "nvmlDeviceGetTotalEnergyConsumption")
        return millijoules.value / 1e3

    def of(self, work):
        """Joules while work() runs."""
        before = self.joules()
        work()
        return self.joules() - before

    def of_a_round(self, run_rounds, seconds_a_round):
        """Joules of one round: what many rounds take more than a few, so that the time before the first cancels out."""
        few = 5
        many = few + max(few, round(LEAST_SECONDS / seconds_a_round))
        return (self.of(lambda: run_rounds(many)) - self.of(lambda: run_rounds(few))) / (many - few)
