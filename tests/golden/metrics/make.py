"""Writes scores.txt: scores of hash-made features by NumPy and SciPy, straight from the formulas.

python3 make.py > scores.txt   (NumPy 1.24 or later, SciPy)
"""
import numpy as np
import scipy.linalg


def h(seed, i):
    x = (seed + i.astype(np.uint64) * 0x9E3779B9) & 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def v(seed, n, d):
    i = np.arange(n * d, dtype=np.uint64)
    return (((h(seed, i) >> 8).astype(np.int64) - 2**23) * 2.0**-23).astype(np.float32).reshape(n, d)


def features(seed, n, d, scale, shift):
    x = v(seed, n, d)
    return np.float32(scale) * (x + np.float32(0.5) * np.roll(x, -1, axis=1)) + np.float32(shift)


def low_rank_fid(a, b):
    """Exact for any N: tr sqrt(S1 S2) is the nuclear norm of A1 A2^T."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    a0, b0 = (a - a.mean(0)) / np.sqrt(len(a) - 1), (b - b.mean(0)) / np.sqrt(len(b) - 1)
    root = np.linalg.svd(a0 @ b0.T, compute_uv=False).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + (a0**2).sum() + (b0**2).sum() - 2 * root


def sqrtm_fid(a, b):
    """As pytorch-fid computes it."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s1 @ s2)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root.real)


def mmd(x, y):
    d, m, n = x.shape[1], len(x), len(y)
    k = lambda p, q: (p @ q.T / d + 1) ** 3
    xx, yy = k(x, x), k(y, y)
    return ((xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1))
            - 2 * k(x, y).mean())


def kid(a, b, subsets, size, seed=2020, reference_first=False):
    rng = np.random.RandomState(seed)
    a, b = a.astype(np.float64), b.astype(np.float64)
    if reference_first:
        a, b = b, a
    out = [mmd(a[rng.choice(len(a), size, replace=False)], b[rng.choice(len(b), size, replace=False)])
           for _ in range(subsets)]
    return np.mean(out), np.std(out)


def block_kid(a, b, largest):
    a, b = a.astype(np.float64), b.astype(np.float64)
    n = -(-max(len(a), len(b)) // largest)
    sizes = lambda k: np.r_[0, np.cumsum([k // n] * (n - k % n) + [k // n + 1] * (k % n))]
    sa, sb = sizes(len(a)), sizes(len(b))
    out = [mmd(a[sa[i]:sa[i + 1]], b[sb[i]:sb[i + 1]]) for i in range(n)]
    return np.mean(out), np.std(out, ddof=1) / np.sqrt(n)


def prdc(gen, real, k, strict):
    gen, real = gen.astype(np.float64), real.astype(np.float64)
    dist = lambda p, q: np.sqrt(((p[:, None] - q[None]) ** 2).sum(-1))
    radius = lambda p: np.sort(dist(p, p), axis=1)[:, k]
    within = np.less if strict else np.less_equal
    d, rr, rg = dist(real, gen), radius(real), radius(gen)
    return (within(d, rr[:, None]).any(0).mean(), within(d, rg[None]).any(1).mean(),
            within(d, rr[:, None]).sum() / k / len(gen), within(d.min(1), rr).mean())


def inception_score(logits, bounds, seed=None):
    x = logits.astype(np.float64)
    if seed is not None:
        x = x[np.random.RandomState(seed).permutation(len(x))]
    log_p = x - x.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    p = np.exp(log_p)
    out = [np.exp((p[a:b] * (log_p[a:b] - np.log(p[a:b].mean(0)))).sum(1).mean()) for a, b in bounds]
    return np.mean(out), np.std(out)


def put(name, *values):
    print(name, *(repr(float(x)) for x in values))


def main():
    x1, x2 = features(101, 300, 16, 1, 0.25), features(102, 200, 16, 1.25, 0.125)
    put("fid_16", sqrtm_fid(x1, x2))
    for d, n1, n2 in ((40, 25, 30), (40, 30, 25), (40, 300, 25), (64, 64, 64), (64, 65, 65), (5, 2, 2), (1, 50, 40), (33, 400, 201)):
        a, b = features(201, n1, d, 1, 0.25), features(202, n2, d, 1.25, 0.125)
        put(f"fid_{d}_{n1}_{n2}", low_rank_fid(a, b))
    put("kid_10x100", *kid(x1, x2, 10, 100))
    put("kid_7x33", *kid(x1, x2, 7, 33))
    put("kid_5x200", *kid(x1, x2, 5, 200))
    put("kid_reference_first", *kid(x1, x2, 6, 50, reference_first=True))
    put("kid_blocks_64", *block_kid(x1, x2, 64))
    put("kid_one_block", mmd(x1.astype(float), x2.astype(float)))
    for k in (1, 3, 5, 20):
        put(f"prdc_{k}", *prdc(x1, x2, k, False))
        put(f"prdc_strict_{k}", *prdc(x1, x2, k, True))
    logits = np.float32(4) * v(103, 200, 10)
    even = lambda n, s: [(i * n // s, (i + 1) * n // s) for i in range(s)]
    put("is_shuffled_10", *inception_score(logits, even(200, 10), 2020))
    put("is_shuffled_7", *inception_score(logits, even(200, 7), 2020))
    put("is_plain_10", *inception_score(logits, even(200, 10)))
    put("is_one", *inception_score(logits, [(0, 200)]))
    put("is_dropped_7", *inception_score(logits, [(i * 28, i * 28 + 28) for i in range(7)], 2020))
    put("is_rows_64", *inception_score(logits, [(i, min(i + 64, 200)) for i in range(0, 200, 64)]))


if __name__ == "__main__":
    main()
