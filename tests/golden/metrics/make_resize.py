"""Writes resize.txt: sums of float32 bit patterns of resized hash-made images.

python3 make_resize.py > resize.txt   (NumPy, Pillow; the TF1 and torch lines are NumPy restatements of
those libraries' loops, which agree with TensorFlow 1's and with torch 1.13's CPU kernel to the bit)
"""
import numpy as np
from PIL import Image

from make import h

F = np.float32


def image(seed, k, height, width, fmax=24, nbits=5):
    out = np.zeros((3, height, width), np.int64)
    y, x = np.mgrid[0:height, 0:width]
    for c in range(3):
        b = [int(h(seed, np.array([32 * k + 8 * c + j], np.uint64))[0]) for j in range(5)]
        fx, fy, ph, base, wt = b[0] % fmax, b[1] % fmax, b[2] & 511, b[3] & 255, b[4] & 255
        v = (fx * x + fy * y + ph) & 511
        tri = np.where(v < 256, v, 511 - v)
        i = (((k * 3 + c) * height + y) * width + x).astype(np.uint64)
        noise = (h(seed ^ 0x5BD1E995, i) >> (32 - nbits)).astype(np.int64)
        out[c] = np.clip(((tri * wt + base * (256 - wt)) >> 8) + noise - 2 ** (nbits - 1), 0, 255)
    return out.astype(np.uint8)


def tf1(x, side=299):
    def positions(n):
        p = np.arange(side, dtype=F) * (F(n) / F(side))
        low = np.minimum(p.astype(np.int64), n - 1)
        return low, np.minimum(low + 1, n - 1), p - low.astype(F)
    x = x.astype(F)
    ylo, yhi, dy = positions(x.shape[1])
    xlo, xhi, dx = positions(x.shape[2])
    top = x[:, ylo][:, :, xlo] + (x[:, ylo][:, :, xhi] - x[:, ylo][:, :, xlo]) * dx
    bottom = x[:, yhi][:, :, xlo] + (x[:, yhi][:, :, xhi] - x[:, yhi][:, :, xlo]) * dx
    return top + (bottom - top) * dy[:, None]


def torch_bilinear(x, side=299):
    def positions(n):
        p = np.maximum(np.float64(F(n) / F(side)) * (np.arange(side) + 0.5) - 0.5, 0)
        low = np.minimum(p.astype(np.int64), n - 1)
        l1 = (p - low).astype(F)
        return low, np.minimum(low + 1, n - 1), F(1) - l1, l1

    def mix(a, b, l0, l1):  # float64 holds a float32 product exactly; one rounding of the sum
        return (a.astype(np.float64) * l0 + (b * l1).astype(F)).astype(F)
    x = x.astype(F) / F(255)
    ylo, yhi, y0, y1 = positions(x.shape[1])
    xlo, xhi, x0, x1 = positions(x.shape[2])
    top = mix(x[:, ylo][:, :, xlo], x[:, ylo][:, :, xhi], x0, x1)
    bottom = mix(x[:, yhi][:, :, xlo], x[:, yhi][:, :, xhi], x0, x1)
    return F(2) * mix(top, bottom, y0[:, None], y1[:, None]) - F(1)


def pil(x, side=299):
    planes = [np.asarray(Image.fromarray(c.astype(F), mode="F").resize((side, side), Image.BICUBIC))
              for c in x]
    return (np.clip(np.stack(planes), 0, 255) - F(128)) / F(128)


def bits(x):
    return int(np.ascontiguousarray(x.astype(F)).view(np.uint32).astype(np.uint64).sum())


for height, width in ((32, 32), (64, 48), (400, 350), (299, 299), (1, 1), (3, 500), (1000, 17), (299, 28), (600, 599)):
    x = image(7, 1, height, width)
    print(height, width, bits((tf1(x) - F(128)) / F(128)), bits(torch_bilinear(x)), bits(pil(x)))
