"""Makes the folders net-*: networks of diffusers with what the older folders lack.

usage: make_networks.py FOLDER      (torch 2.15, diffusers 0.42.1, safetensors)
"""
import os
import sys

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import save_file

COMMON = dict(sample_size=8, in_channels=3, out_channels=3, layers_per_block=1, norm_num_groups=4)
NETWORKS = {
    # score SDE's: Fourier times, output divided by the time, resampling in residual blocks
    "net-fourier": dict(block_out_channels=(8, 16), down_block_types=("AttnDownBlock2D", "DownBlock2D"),
                        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D"), time_embedding_type="fourier",
                        downsample_type="resnet", upsample_type="resnet", mid_block_scale_factor=2**0.5,
                        center_input_sample=True, class_embed_type="timestep", attention_head_dim=8),
    # a table of times, heads that do not divide the channels, attention that is no mirror image
    "net-learned": dict(block_out_channels=(16, 8), down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                        up_block_types=("UpBlock2D", "AttnUpBlock2D"), time_embedding_type="learned",
                        num_train_timesteps=1000, time_embedding_dim=20, resnet_time_scale_shift="scale_shift",
                        attention_head_dim=5, attn_norm_num_groups=2, num_class_embeds=7),
    # a learned variance, no attention in the middle; not square
    "net-variance": dict(sample_size=(4, 8), in_channels=2, out_channels=4, block_out_channels=(8, 8),
                         down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                         up_block_types=("AttnUpBlock2D", "UpBlock2D"), add_attention=False,
                         resnet_time_scale_shift="scale_shift", attention_head_dim=4),
}


def make(folder, name, seed):
    config = {**COMMON, **NETWORKS[name]}
    torch.manual_seed(seed)
    unet = UNet2DModel(**config).eval()
    with torch.no_grad():
        for key, parameter in unet.named_parameters():
            if parameter.ndim == 1 and key != "time_proj.weight":
                parameter += 0.3 * torch.randn_like(parameter)  # norms and biases: no zeros, no ones
    learned = config["out_channels"] == 2 * config["in_channels"]
    scheduler = DDPMScheduler(variance_type="learned_range" if learned else "fixed_small")
    path = os.path.join(folder, name)
    DDPMPipeline(unet=unet, scheduler=scheduler).save_pretrained(path)
    size = config["sample_size"]
    height, width = size if isinstance(size, tuple) else (size, size)
    count = 3 * config["in_channels"] * height * width
    x = (1.3 * torch.sin(0.37 * torch.arange(count, dtype=torch.float64) + 0.11)).float()
    x = x.reshape(3, config["in_channels"], height, width)
    expected = {"x": x, "t": torch.tensor([1, 400, 999])}
    labels = None
    if unet.class_embedding is not None:
        labels = expected["class_labels"] = torch.tensor([3, 1, 6])
    with torch.no_grad():
        expected["out"] = unet(x, expected["t"], class_labels=labels).sample.contiguous()
        if config.get("class_embed_type") == "timestep":  # its cast to double is missing there
            expected["out_f64"] = expected["out"].double()
        else:
            expected["out_f64"] = unet.double()(x.double(), expected["t"], class_labels=labels).sample.contiguous()
    save_file(expected, os.path.join(path, "expected.safetensors"))
    print(name, (expected["out"] - expected["out_f64"]).abs().max().item(),
          expected["out"].pow(2).mean((1, 2, 3)).sqrt().tolist())


for number, network in enumerate(NETWORKS):
    make(sys.argv[1], network, 200 + number)
