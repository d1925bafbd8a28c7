"""Writes types.safetensors. usage: make_safetensors.py OUT"""
import sys

import numpy as np
from safetensors import serialize  # the raw writer: numpy has no bfloat16


def raw(dtype, array):
    return {"dtype": dtype, "shape": list(array.shape), "data": array.tobytes()}


tensors = {
    "b.weight": raw("float32", np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 0.5),
    "a.weight": raw("float32", np.array([1e-8, -3.5], dtype=np.float32)),
    "scalar": raw("float32", np.array(7, dtype=np.float32)),
    "empty": raw("float32", np.zeros((0, 5), dtype=np.float32)),
    "half": raw("float16", np.array([1, -2, 65504, 2.0**-24], dtype=np.float16)),
    "brain": raw("bfloat16", np.array([0x3F80, 0xC000, 0x7F7F], dtype=np.uint16)),
    "double": raw("float64", np.array([1 / 3], dtype=np.float64)),
    "steps": raw("int64", np.array([0, -1, 2**40], dtype=np.int64)),
    "ids": raw("int32", np.array([[5], [-6]], dtype=np.int32)),
    "bytes": raw("uint8", np.array([0, 127, 255], dtype=np.uint8)),
    'quote " back \\ tab \t unit \x01 \u00e9 \ud55c': raw("uint8", np.array([9], dtype=np.uint8)),
}
with open(sys.argv[1], "wb") as f:
    f.write(serialize(tensors, {"format": "pt"}))
