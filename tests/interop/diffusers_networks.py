"""Random networks of diffusers' UNet2DModel, written as pipeline folders, against `ddpm predict`; and the
folders that `ddpm convert` makes of them, loaded in diffusers again.

usage: diffusers_networks.py DDPM [COUNT]     (exit 77 = skipped: torch, diffusers or safetensors is not installed)
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

try:
    import torch
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}; try python -m venv and pip install torch diffusers safetensors numpy")
    sys.exit(77)

# Against diffusers in float64 but for its embedding, which is float32 there: each of some 40 layers
# rounds to 6e-8 and Winograd's transforms enlarge that by up to 5.7; differences are parts of an image's
# rms. Measured over 80 networks: 5.5e-6 at most. A wrong key moves the output by 1e-2 and more, norm_eps by 3e-5.
TOLERANCE = 2e-5
# Angles of Fourier features reach 2 pi 16 * 4 ln 1000 = 3000: where torch's logarithm and ours differ in the
# last bit, angles differ by up to 3.6e-4. Measured: 9.4e-6.
FOURIER_TOLERANCE = 4e-4


def blocks(draw, side, levels):
    return tuple(draw.choice(["", "Attn"]) + side + "Block2D" for _ in range(levels))


def draw_config(draw):
    """A config that UNet2DModel takes, each key from all that it may be."""
    levels = draw.randint(1, 3)
    channels = draw.randint(1, 4)
    config = dict(
        sample_size=draw.choice([4, 8, 12, (4, 8)]),
        in_channels=channels,
        out_channels=channels,
        block_out_channels=tuple(draw.choice([8, 16, 24, 40]) for _ in range(levels)),
        down_block_types=blocks(draw, "Down", levels),
        up_block_types=blocks(draw, "Up", levels),
        mid_block_type=draw.choice(["UNetMidBlock2D"] * 4 + [None]),
        add_attention=draw.random() < 0.7,
        layers_per_block=draw.randint(1, 2),
        norm_num_groups=draw.choice([1, 2, 4, 8]),
        attn_norm_num_groups=draw.choice([None, 1, 4]),
        norm_eps=draw.choice([1e-6, 1e-5]),
        attention_head_dim=draw.choice([None, 1, 3, 4, 8]),
        resnet_time_scale_shift=draw.choice(["default", "scale_shift"]),
        mid_block_scale_factor=draw.choice([1, 2**0.5]),
        downsample_padding=draw.randint(0, 1),
        downsample_type=draw.choice(["conv", "resnet"]),
        upsample_type=draw.choice(["conv", "resnet"]),
        center_input_sample=draw.random() < 0.3,
        time_embedding_type=draw.choice(["positional", "positional", "fourier", "learned"]),
        time_embedding_dim=draw.choice([None, None, 20]),
        freq_shift=draw.randint(0, 1),
        flip_sin_to_cos=draw.random() < 0.5,
        act_fn=draw.choice(["silu", "swish"]),
        dropout=draw.choice([0.0, 0.2]),
        num_train_timesteps=1000,
    )
    classes = draw.choice(["none", "table", "timestep"])
    if classes == "table":
        config["num_class_embeds"] = 7
    elif classes == "timestep" and config["time_embedding_type"] != "learned":
        config["class_embed_type"] = "timestep"
    return config


def make_model(config, seed):
    torch.manual_seed(seed)
    unet = UNet2DModel(**config).eval()
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if parameter.ndim == 1 and name != "time_proj.weight":
                parameter += 0.3 * torch.randn_like(parameter)  # norms and biases: no zeros, no ones
    return unet


def call(unet, x, t, labels):
    with torch.no_grad():
        return unet(x, t, class_labels=labels).sample


def in_double(unet, x, t, labels):
    """float64 but for the embedding of the time, which is float32 in diffusers."""
    if unet.config.class_embed_type == "timestep":
        return call(unet, x, t, labels).double()  # its cast is missing there
    return call(unet.double(), x.double(), t, labels)


def is_written_back(ddpm, unet, x, t, labels):
    """Whether the folder as ddpm writes it is the same network to diffusers."""
    subprocess.run([ddpm, "convert", "folder", "ours"], check=True, stdout=subprocess.DEVNULL)
    ours = UNet2DModel.from_pretrained("ours", subfolder="unet", low_cpu_mem_usage=False).eval()
    shutil.rmtree("ours")
    return torch.equal(call(ours, x, t, labels), call(unet, x, t, labels))


def compare(ddpm, seed):
    config = draw_config(random.Random(seed))
    unet = make_model(config, seed)
    DDPMPipeline(unet=unet, scheduler=DDPMScheduler()).save_pretrained("folder")
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    x = torch.randn(3, config["in_channels"], height, width)
    t = torch.tensor([1, 400, 999])
    labels = None
    inputs = {"x": x, "t": t}
    if unet.class_embedding is not None:
        labels = torch.tensor([3, 1, 6])
        inputs["class_labels"] = labels
    save_file(inputs, "in.safetensors")
    subprocess.run([ddpm, "predict", "folder", "in.safetensors", "out.safetensors"], check=True,
                   stdout=subprocess.DEVNULL)
    if not is_written_back(ddpm, unet, x, t, labels):
        print(f"{seed}: ddpm convert wrote another network: {config}")
        return False
    want = in_double(unet, x, t, labels)
    scale = want.pow(2).mean((1, 2, 3), keepdim=True).sqrt()
    difference = ((load_file("out.safetensors")["out"] - want).abs() / scale).max().item()
    allowed = FOURIER_TOLERANCE if config["time_embedding_type"] == "fourier" else TOLERANCE
    changed = {key: value for key, value in config.items() if key not in ("dropout", "num_train_timesteps")}
    print(f"{seed}: difference {difference:.1e}, allowed {allowed}" + ("" if difference <= allowed else f": {changed}"))
    return difference <= allowed


def main():
    ddpm = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        ok = [compare(ddpm, seed) for seed in range(count)]
    sys.exit(0 if all(ok) else 1)


main()
