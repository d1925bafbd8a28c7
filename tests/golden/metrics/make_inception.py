#!/usr/bin/env python3
"""Activations of FID's Inception-v3 with weights and images made of a hash, by torch-fidelity's module in float64.

  make_inception.py > inception.txt     needs torch, torch-fidelity and NumPy; downloads nothing
Lines: `weights NAME first_bits sum_of_bits` (float32 bit patterns), `conv IMAGE NAME c h w mean rms max first` (after
ReLU), `stage IMAGE NAME c h w mean rms max POINTS`, `tap IMAGE NAME mean l2 dot FIRST8 PROBES`, with probes at channels
j (C - 1) // 12 and dot the product with value(55, channel). IMAGE is SET:number.
"""
import tempfile

import numpy as np
import torch
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3

SETS = {"A32": (1, 2, 32, 32, 24, 5), "A64x48": (3, 2, 64, 48, 24, 5), "A400x350": (5, 1, 400, 350, 24, 5)}
STAGES = ("Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 MaxPool_1 Conv2d_3b_1x1 Conv2d_4a_3x3 MaxPool_2 Mixed_5b Mixed_5c "
          "Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e Mixed_7a Mixed_7b Mixed_7c AvgPool").split()
TAPS = {"64": "MaxPool_1", "192": "MaxPool_2", "768": "Mixed_6e", "2048": "AvgPool"}
f32 = np.float32


def h(seed, i):
    x = (np.uint64(seed) + i.astype(np.uint64) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    x = x * np.uint64(0x7FEB352D) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(15)
    x = x * np.uint64(0x846CA68B) & np.uint64(0xFFFFFFFF)
    return x ^ x >> np.uint64(16)


def value(seed, i):  # [-1, 1)
    return (((h(seed, i) >> np.uint64(8)).astype(np.int64) - 2**23) * 2.0**-23).astype(f32)


def unit(seed, i):  # [0, 1)
    return ((h(seed, i) >> np.uint64(8)).astype(np.int64) * 2.0**-24).astype(f32)


def fnv(name):
    x = 0x811C9DC5
    for b in name.encode():
        x = (x ^ b) * 0x01000193 & 0xFFFFFFFF
    return x


def tensor(name, shape):
    i = np.arange(int(np.prod(shape)))
    v = value(fnv(name), i)
    if name == "fc.weight":
        v = f32(8 * np.sqrt(3 / 2048)) * v
    elif name.endswith("conv.weight"):
        v = f32(np.sqrt(6 / np.prod(shape[1:]))) * v
    elif name.endswith("bn.weight"):
        v = f32(1) + f32(0.25) * v
    elif name.endswith("running_var"):
        v = f32(0.75) + f32(0.5) * unit(fnv(name), i)
    else:  # bn.bias, running_mean, fc.bias
        v = f32(0.1) * v
    return v.astype(f32).reshape(shape)


def images(seed, n, height, width, fmax, nbits):
    y, x = np.mgrid[:height, :width]
    out = np.zeros((n, 3, height, width), np.uint8)
    for k in range(n):
        for c in range(3):
            b = [int(w) for w in h(seed, np.arange(32 * k + 8 * c, 32 * k + 8 * c + 5))]
            v = b[0] % fmax * x + b[1] % fmax * y + (b[2] & 511) & 511
            tri = np.where(v < 256, v, 511 - v)
            i = ((3 * k + c) * height + y) * width + x
            noise = (h(seed ^ 0x5BD1E995, i.ravel()) >> np.uint64(32 - nbits)).astype(np.int64).reshape(i.shape)
            weight, base = b[4] & 255, b[3] & 255
            out[k, c] = np.clip((tri * weight + base * (256 - weight) >> 8) + noise - 2 ** (nbits - 1), 0, 255)
    return out


def tf1_resize(planes, side=299):
    """TensorFlow 1's bilinear resize, float32 throughout."""
    def positions(n):
        p = np.arange(side).astype(f32) * (f32(n) / f32(side))
        low = p.astype(np.int64)
        return low, np.minimum(low + 1, n - 1), p - low.astype(f32)
    a = planes.astype(f32)
    (y0, y1, dy), (x0, x1, dx) = positions(a.shape[2]), positions(a.shape[3])
    mix = lambda p, q, d: p + (q - p) * d
    row = lambda y: mix(a[:, :, y][:, :, :, x0], a[:, :, y][:, :, :, x1], dx)
    return mix(row(y0), row(y1), dy[:, None])


def text(values):
    return " ".join(repr(float(x)) for x in values)


def facts(a):
    return f"{' '.join(map(str, a.shape))} {text([a.mean(), np.sqrt((a**2).mean()), a.max()])}"


def put_tap(image, name, f):
    probes = [f[j * (len(f) - 1) // 12] for j in range(13)]
    dot = f @ value(55, np.arange(len(f))).astype(np.float64)
    print(f"tap {image} {name} {text([f.mean(), np.sqrt((f**2).sum()), dot, *f[:8], *probes])}")


def tensor_shapes():
    """Of the module's own tensors, in their order. Its constructor wants a file of weights: an empty one is not looked at."""
    shapes, load = {}, torch.nn.Module.load_state_dict
    torch.nn.Module.load_state_dict = lambda net, _: shapes.update(
        {name: tuple(t.shape) for name, t in net.state_dict().items()})
    with tempfile.NamedTemporaryFile() as empty:
        torch.save({}, empty.name)
        FeatureExtractorInceptionV3("net", ["2048"], empty.name)
    torch.nn.Module.load_state_dict = load
    return shapes


def network():
    state = {name: torch.from_numpy(tensor(name, s)) if s else torch.tensor(0) for name, s in tensor_shapes().items()}
    with tempfile.NamedTemporaryFile() as file:
        torch.save(state, file.name)
        net = FeatureExtractorInceptionV3("net", ["2048"], file.name)
    total = 0
    for name, t in sorted(state.items()):
        if t.dim() == 0:
            continue
        bits = t.numpy().view(np.uint32).astype(np.uint64)
        total += int(bits.sum())
        if "1a_3x3" in name or name.startswith("fc") or "Mixed_7c.branch3x3dbl_3b" in name:
            print("weights", name, int(bits.ravel()[0]), int(bits.sum()))
    print("weights all 0", total % 2**64)
    return net.double()


def run(net, planes):
    seen, hooks = {}, []
    for name, module in net.named_modules():
        if isinstance(module, BasicConv2d) or name in STAGES:
            hooks.append(module.register_forward_hook(lambda m, i, o, name=name: seen.__setitem__(name, o[0].numpy())))
    x = torch.from_numpy(planes).double()
    with torch.no_grad():
        for name in STAGES:
            x = getattr(net, name)(x)
    for hook in hooks:
        hook.remove()
    return seen


def main():
    torch.set_num_threads(1)
    net = network()
    for label, spec in SETS.items():
        resized = (tf1_resize(images(*spec)).astype(np.float64) - 128) / 128
        for k in range(spec[1]):
            image, seen = f"{label}:{k}", run(net, resized[k:k + 1])
            for name, a in seen.items():
                if "branch" in name or name.startswith("Conv"):
                    if image == "A32:0":
                        print(f"conv {image} {name} {facts(a)} {text([a.flat[0]])}")
            for name in STAGES:
                a = seen[name]
                c, y, x = a.shape
                points = text([a[0, 0, 0], a[c // 3, y // 2, x // 3], a[-1, -1, -1]])
                print(f"stage {image} {name} {facts(a)} {points}")
            for name, stage in TAPS.items():
                put_tap(image, name, seen[stage].mean((1, 2)))
            pool = seen["AvgPool"].ravel()
            logits = net.fc.weight.detach().numpy() @ pool
            put_tap(image, "logits_unbiased", logits)
            put_tap(image, "logits", logits + net.fc.bias.detach().numpy())
            put_tap(image, "spatial", seen["Mixed_6d.branch1x1"][:7].ravel())


if __name__ == "__main__":
    main()
