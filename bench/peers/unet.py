"""The paper's U-Net in plain PyTorch, as a PyTorch user would write it to be fast, and its weights as a model folder.

Parameter names are those of diffusers' UNet2DModel, but for the fused `to_qkv`, so the network that `ddpm` reads is this one.
"""
import json
import math
import os
import tomllib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn


def read_net(path):
    """[net] of a config of `ddpm train`, with the defaults that the configs here leave out."""
    with open(path, "rb") as file:
        net = tomllib.load(file)["net"]
    defaults = {"in_channels": 3, "norm_eps": 1e-6, "dropout": 0.0, "attention_head_dim": 0, "flip_sin_to_cos": False,
                "freq_shift": 1, "downsample_padding": 0}
    net = defaults | net
    net.setdefault("out_channels", net["in_channels"])
    fixed = ("attention_head_dim", "flip_sin_to_cos", "freq_shift", "downsample_padding")
    for key in fixed:
        if net[key] != defaults[key]:
            raise SystemExit(f"{path}: {key} = {net[key]} is not written here, expected {defaults[key]}")
    return net


class Resnet(nn.Module):
    def __init__(self, net, inputs, outputs, embedding):
        super().__init__()
        groups, eps = net["norm_num_groups"], net["norm_eps"]
        self.norm1 = nn.GroupNorm(groups, inputs, eps)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, eps)
        self.dropout = nn.Dropout(net["dropout"])
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(time)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    def __init__(self, net, channels):
        super().__init__()
        self.group_norm = nn.GroupNorm(net["norm_num_groups"], channels, net["norm_eps"])
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)[:, None]  # one head
        q, k, v = self.to_qkv(tokens).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.to_out[0](mixed)[:, 0].transpose(1, 2).reshape(x.shape)


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Block(nn.Module):
    """Residual blocks, each with attention where the level has it, then perhaps a change of size."""

    def __init__(self, net, pairs, embedding, attention, resize):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(net, i, o, embedding) for i, o in pairs])
        self.attentions = nn.ModuleList([Attention(net, o) for _, o in pairs] if attention else [])
        if resize == "down":
            self.downsamplers = nn.ModuleList([Downsample(pairs[-1][1])])
        elif resize == "up":
            self.upsamplers = nn.ModuleList([Upsample(pairs[-1][1])])

    def layer(self, i, x, time):
        x = self.resnets[i](x, time)
        return self.attentions[i](x) if self.attentions else x


class TimeEmbedding(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.linear_1 = nn.Linear(channels, 4 * channels)
        self.linear_2 = nn.Linear(4 * channels, 4 * channels)

    def forward(self, sinusoids):
        return self.linear_2(F.silu(self.linear_1(sinusoids)))


class UNet(nn.Module):
    def __init__(self, net):
        super().__init__()
        channels, layers = net["block_out_channels"], net["layers_per_block"]
        first, embedding, last = channels[0], 4 * channels[0], len(channels) - 1
        attends = [net["height"] >> level in net["attention_resolutions"] for level in range(len(channels))]
        self.conv_in = nn.Conv2d(net["in_channels"], first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        current, skips = first, [first]
        for level, c in enumerate(channels):
            pairs = [(current if i == 0 else c, c) for i in range(layers)]
            resize = "down" if level < last else None
            self.down_blocks.append(Block(net, pairs, embedding, attends[level], resize))
            skips += [c] * (layers + (level < last))
            current = c
        self.mid_block = Block(net, [(current, current)] * 2, embedding, False, None)
        self.mid_block.attentions = nn.ModuleList([Attention(net, current)])
        for level, c in reversed(list(enumerate(channels))):
            pairs = []
            for _ in range(layers + 1):
                pairs.append((current + skips.pop(), c))
                current = c
            self.up_blocks.append(Block(net, pairs, embedding, attends[level], "up" if level > 0 else None))
        self.conv_norm_out = nn.GroupNorm(net["norm_num_groups"], first, net["norm_eps"])
        self.conv_out = nn.Conv2d(first, net["out_channels"], 3, padding=1)

    def forward(self, x, waves):
        """waves: sinusoids(time), which stay outside so that no bfloat16 rounds an angle of hundreds of radians."""
        embedding = F.silu(self.time_embedding(waves.to(x.dtype)))  # every block begins with this SiLU
        h = self.conv_in(x)
        skips = [h]
        for block in self.down_blocks:
            for i in range(len(block.resnets)):
                h = block.layer(i, h, embedding)
                skips.append(h)
            if hasattr(block, "downsamplers"):
                h = block.downsamplers[0](h)
                skips.append(h)
        h = self.mid_block.resnets[0](h, embedding)
        h = self.mid_block.resnets[1](self.mid_block.attentions[0](h), embedding)
        for block in self.up_blocks:
            for i in range(len(block.resnets)):
                h = block.layer(i, torch.cat([h, skips.pop()], dim=1), embedding)
            if hasattr(block, "upsamplers"):
                h = block.upsamplers[0](h)
        return self.conv_out(F.silu(self.conv_norm_out(h)))


def sinusoids(net, time):
    """[n, channels] in float32: half sines, half cosines of the time at falling frequencies."""
    half = net["block_out_channels"][0] // 2
    rates = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half, dtype=torch.float64)).float()
    angles = time[:, None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def make(net):
    """The network with weights that every process makes alike."""
    torch.manual_seed(0)
    return UNet(net)


def stored(model):
    """Parameters under UNet2DModel's names."""
    tensors = {}
    for name, value in model.state_dict().items():
        if ".to_qkv." not in name:
            tensors[name] = value.contiguous()
            continue
        for part, rows in zip("qkv", value.chunk(3)):
            tensors[name.replace("to_qkv", f"to_{part}")] = rows.contiguous()
    return tensors


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file, indent=2, sort_keys=True)


def save_folder(model, net, folder):
    """A diffusers pipeline folder, for `ddpm predict`."""
    attends = [net["height"] >> level in net["attention_resolutions"] for level in range(len(net["block_out_channels"]))]
    same = ("in_channels", "out_channels", "block_out_channels", "layers_per_block", "norm_num_groups", "norm_eps",
            "dropout", "flip_sin_to_cos", "freq_shift", "downsample_padding")
    config = {key: net[key] for key in same} | {
        "_class_name": "UNet2DModel",
        "act_fn": "silu",
        "attention_head_dim": None,
        "down_block_types": ["AttnDownBlock2D" if a else "DownBlock2D" for a in attends],
        "sample_size": net["height"],
        "up_block_types": ["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)],
    }
    write_json(f"{folder}/unet/config.json", config)
    write_json(f"{folder}/model_index.json", {"_class_name": "DDPMPipeline",
                                              "scheduler": ["diffusers", "DDPMScheduler"],
                                              "unet": ["diffusers", "UNet2DModel"]})
    write_json(f"{folder}/scheduler/scheduler_config.json", {"_class_name": "DDPMScheduler", "beta_schedule": "linear",
                                                             "num_train_timesteps": 1000, "beta_start": 1e-4,
                                                             "beta_end": 0.02, "variance_type": "fixed_large"})
    save_file(stored(model), f"{folder}/unet/diffusion_pytorch_model.safetensors")
