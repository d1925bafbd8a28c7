"""Loads model folders that ddpm wrote in diffusers and compares the networks' outputs.

usage: diffusers_folder.py DDPM MODEL     (exit 77 = skipped: torch, diffusers or safetensors is not installed)
"""
import os
import subprocess
import sys
import tempfile

try:
    import torch
    from diffusers import DDPMPipeline
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}; try python -m venv and pip install torch diffusers safetensors numpy")
    sys.exit(77)

# Two float32 implementations of some 40 layers, outputs of order 1: each is within 2.5e-6 of the double result.
TOLERANCE = 1e-5


def compare(ddpm, folder):
    unet = DDPMPipeline.from_pretrained(folder).unet.float().eval()
    config = unet.config
    torch.manual_seed(0)
    x = torch.randn(4, config.in_channels, config.sample_size, config.sample_size)
    t = torch.tensor([0, 10, 500, 999])
    save_file({"x": x, "t": t}, "in.safetensors")
    subprocess.run([ddpm, "predict", folder, "in.safetensors", "out.safetensors"], check=True)
    with torch.no_grad():
        want = unet(x, t).sample
    difference = (load_file("out.safetensors")["out"] - want).abs().max().item()
    print(f"{folder}: largest difference {difference:.2e}, allowed {TOLERANCE}")
    return difference <= TOLERANCE


def main():
    ddpm, model = (os.path.abspath(path) for path in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([ddpm, "convert", model, "half", "--weights", "f16"], check=True)
        ok = [compare(ddpm, model), compare(ddpm, os.path.abspath("half"))]
    sys.exit(0 if all(ok) else 1)


main()
