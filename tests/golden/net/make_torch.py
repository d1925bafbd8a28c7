#!/usr/bin/env python3
"""Writes small.pth (a ZIP archive) and small-legacy.pth (pickles and storages) with torch.save: what our reader must take."""
import os
from collections import OrderedDict

import torch

HERE = os.path.dirname(os.path.abspath(__file__))

torch.manual_seed(0)
norm = torch.nn.BatchNorm2d(3)  # its state dict has _metadata and an int64 counter without axes
ramp = torch.arange(24, dtype=torch.float32)
tensors = OrderedDict(norm.state_dict())
tensors._metadata = norm.state_dict()._metadata
tensors["ramp"] = ramp.reshape(2, 3, 4)
tensors["turned"] = ramp.reshape(2, 3, 4).permute(2, 0, 1)  # shares ramp's storage, in another order
tensors["part"] = ramp[5:11]
tensors["parameter"] = torch.nn.Parameter(torch.tensor([[1.5, -2.5]]))
tensors["half"] = torch.tensor([0.5, 65504.0], dtype=torch.float16)
tensors["bf16"] = torch.tensor([3.0], dtype=torch.bfloat16)
tensors["double"] = torch.tensor([1 / 3], dtype=torch.float64)
tensors["bytes"] = torch.tensor([0, 255], dtype=torch.uint8)
tensors["ints"] = torch.tensor([-7], dtype=torch.int32)
tensors["none"] = torch.zeros(0, 5)
torch.save(tensors, os.path.join(HERE, "small.pth"))
torch.save(tensors, os.path.join(HERE, "small-legacy.pth"), _use_new_zipfile_serialization=False)
