"""Makes the files of this folder; README.md says how to run it. Every value comes from formulas or from Pillow."""
import struct
import zlib

from PIL import Image

FILTERS = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def noise(count, seed):
    """The high bytes of a linear congruential generator (Numerical Recipes)."""
    out, state = bytearray(), seed
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


def hard(count, seed):
    """Mostly 0 and 255, so that Lanczos and bicubic overshoot."""
    return bytes(255 * (b & 1) if b & 6 else b for b in noise(count, seed))


def make_resize(path):
    lines = []
    for mode, channels in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        for make, (w, h) in ((noise, (13, 9)), (hard, (8, 11))):
            data = make(w * h * channels, 10 * channels + w)
            image = Image.frombytes(mode, (w, h), data)
            lines.append(f"input {w} {h} {channels} {data.hex()}")
            for name, code in FILTERS.items():
                for size in ((5, 4), (29, 17), (w, 3), (19, h), (1, 1), (w, h)):
                    lines.append(f"{name} {size[0]} {size[1]} {image.resize(size, code).tobytes().hex()}")
    image = Image.frombytes("L", (200, 150), noise(200 * 150, 1))
    lines.append(f"noise 200 150 1")  # the same generator, seed 1: too long to spell out
    for name, code in FILTERS.items():
        for size in ((28, 28), (64, 7)):
            lines.append(f"{name} {size[0]} {size[1]} {image.resize(size, code).tobytes().hex()}")
    open(path, "w").write("\n".join(lines) + "\n")


def make_luma(path):
    """Noise, and colours whose weighted sum lies next to a rounding boundary, where a wrong weight shows."""
    colours = list(zip(*[iter(noise(3 * 64, 5))] * 3))
    for r in range(1, 256, 2):
        for g in range(256):
            for b in range(1, 256, 3):
                if (r * 19595 + g * 38470 + b * 7471 + 0x8000) % 65536 in (0, 1, 65534, 65535):
                    colours.append((r, g, b))
    colours = colours[:400]
    data = bytes(s for c in colours for s in c)
    image = Image.frombytes("RGB", (len(colours), 1), data)
    open(path, "w").write(f"{data.hex()}\n{image.convert('L').tobytes().hex()}\n")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack(samples, depth):
    """One row of samples, most significant bits first."""
    value = 0
    for s in samples:
        value = value << depth | s
    bits = depth * len(samples)
    size = (bits + 7) // 8
    return (value << (8 * size - bits)).to_bytes(size, "big")


def png(w, h, depth, colour, rows, interlaced=False, extra=()):
    """rows: per row, per pixel, a tuple of samples. Row filters 0..4 are all used when `depth` is 8."""
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = bytearray()
    bpp = max(1, depth * len(rows[0][0]) // 8)
    for x0, y0, dx, dy in passes:
        if x0 >= w:
            continue
        previous = None
        for number, y in enumerate(range(y0, h, dy)):
            line = pack([s for x in range(x0, w, dx) for s in rows[y][x]], depth)
            kind = number % 5
            raw.append(kind)
            raw += filtered(line, previous or bytes(len(line)), kind, bpp)
            previous = line
    header = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(k, d) for k, d in extra)
            + chunk(b"IDAT", zlib.compress(bytes(raw), 9)) + chunk(b"IEND", b""))


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(line, up, kind, bpp):
    out = bytearray()
    for i, v in enumerate(line):
        a = line[i - bpp] if i >= bpp else 0
        b = up[i]
        c = up[i - bpp] if i >= bpp else 0
        out.append((v - (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) & 255)
    return bytes(out)


def make_decode(path):
    w, h = 11, 7
    lines = []

    def add(name, depth, colour, samples, expected, extra=(), pillow=None):
        bits = [samples[i:i + 1] if isinstance(samples[i], tuple) else [(samples[i],)] for i in range(w * h)]
        rows = [[bits[y * w + x][0] for x in range(w)] for y in range(h)]
        channels = len(expected) // (w * h)
        for interlaced in (False, True):
            data = png(w, h, depth, colour, rows, interlaced, extra)
            if pillow:
                open("/tmp/check.png", "wb").write(data)
                assert Image.open("/tmp/check.png").convert(pillow).tobytes() == expected, name
            lines.append(f"{name}{'-interlaced' if interlaced else ''} {w} {h} {channels} {data.hex()} {expected.hex()}")

    n = w * h
    for depth in (1, 2, 4, 8):
        top = (1 << depth) - 1
        values = [b & top for b in noise(n, depth)]
        add(f"gray{depth}", depth, 0, values, bytes(255 * v // top for v in values), (), "L")
    values = [a << 8 | b for a, b in zip(noise(n, 20), noise(n, 21))]
    add("gray16", 16, 0, values, bytes((v * 255 + 32767) // 65535 for v in values))
    rgb = list(zip(noise(n, 30), noise(n, 31), noise(n, 32)))
    add("rgb8", 8, 2, rgb, bytes(s for p in rgb for s in p), ((b"gAMA", struct.pack(">I", 100000)),), "RGB")
    deep = [tuple(s << 8 | 255 - s for s in p) for p in rgb]
    add("rgb16", 16, 2, deep, bytes((s * 255 + 32767) // 65535 for p in deep for s in p))
    la = list(zip(noise(n, 40), noise(n, 41)))
    add("gray-alpha8", 8, 4, la, bytes(s for p in la for s in p), (), "LA")
    rgba = list(zip(noise(n, 50), noise(n, 51), noise(n, 52), noise(n, 53)))
    add("rgba8", 8, 6, rgba, bytes(s for p in rgba for s in p), (), "RGBA")
    for depth in (1, 2, 4, 8):
        size = 1 << depth if depth < 8 else 200
        colours = noise(3 * size, 60 + depth)
        index = [b % size for b in noise(n, 70 + depth)]
        plte = (b"PLTE", colours)
        add(f"palette{depth}", depth, 3, index, b"".join(colours[3 * i:3 * i + 3] for i in index), (plte,), "RGB")
        alpha = noise(size // 2, 80 + depth)
        full = alpha + b"\xff" * (size - len(alpha))
        add(f"palette{depth}-trns", depth, 3, index, b"".join(colours[3 * i:3 * i + 3] + full[i:i + 1] for i in index),
            (plte, (b"tRNS", alpha)), "RGBA")
    values = [b & 3 for b in noise(n, 90)]
    add("gray2-trns", 2, 0, values, bytes(s for v in values for s in (85 * v, 0 if v == 2 else 255)),
        ((b"tRNS", struct.pack(">H", 2)),))
    key = rgb[5]
    add("rgb8-trns", 8, 2, rgb, bytes(s for p in rgb for s in (*p, 0 if p == key else 255)),
        ((b"tRNS", struct.pack(">HHH", *key)),), "RGBA")
    open(path, "w").write("\n".join(lines) + "\n")


def make_bomb(path):
    """50,000 x 50,000 black pixels of one bit: 304 KB that expand to 7 GiB of RGB."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 50000 // 8)
    data = b"".join(packer.compress(row) for _ in range(50000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 50000, 50000, 1, 0, 0, 0, 0)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


make_resize("resize.txt")
make_luma("luma.txt")
make_decode("decode.txt")
make_bomb("bomb.png")
