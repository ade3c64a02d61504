"""ONNX Runtime, told to keep to itself before it is loaded: its wheels look their maker's address up when imported.

`onnxruntime.disable_telemetry_events` comes too late for that; the variable is read while the library loads.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_state

__all__ = ["onnxruntime", "runtime_state"]
