#!/usr/bin/env python3
"""Runs `ddpm metrics`, torch-fidelity and pytorch-fid in turn on the same images and features, and compares times.

  make bench && bench/peers/scores.py --ddpm build/ddpm --out docs/performance.md
Needs torch, torch-fidelity, pytorch-fid, SciPy and safetensors. Inception's weights are made of a hash
(tests/golden/metrics/make_inception.py), so nothing is downloaded. Every contender is run `--rounds` times in turn and
counts with its median. FID, KID, precision and recall of all are compared. Exit 77: a package is
missing; 1: scores differ.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "golden", "metrics"))
try:
    import numpy as np
    import torch
    import pytorch_fid.inception
    import torch_fidelity
    from pytorch_fid.fid_score import calculate_frechet_distance
    from pytorch_fid.inception import InceptionV3
    from safetensors.torch import save_file
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric
    import make_inception
except ImportError as missing:
    print(f"bench/peers/scores: skipped: {missing}", file=sys.stderr)
    sys.exit(77)
import table

BEGIN = "<!-- scores: begin; written by bench/peers/scores.py -->"
END = "<!-- scores: end -->"
SIDE, DIMS = 32, 2048


def say(text):
    print(f"bench/peers/scores: {text}", file=sys.stderr, flush=True)


class Ours:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def run(self, *words):
        """Wall time of the whole program, reading files included, and its document."""
        words = [self.args.ddpm, "metrics", *words, "--threads", str(self.args.threads), "--json"]
        start = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, cwd=self.folder)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return seconds, json.loads(done.stdout)

    def features(self, profile):
        """Images a second: what more images take, without start and packing of weights."""
        words = ["--inception", "w.safetensors", "--profile", profile, "--like", "pytorch-fid", "--save-stats", "s.npz"]
        few, many = (self.run(f"{name}.npy", *words)[0] for name in ("few", "many"))
        return (self.args.images - self.args.few) / (many - few)

    def in_memory(self):
        """Seconds of KID and of precision and recall, the features a.npy and b.npy in memory, as theirs are."""
        words = [self.args.bench, "--benchmark_format=json"]
        env = os.environ | {"DDPM_FEATURES": self.folder, "DDPM_THREADS": str(self.args.threads)}
        done = subprocess.run(words, capture_output=True, text=True, env=env, check=True)
        times = {b["name"].split("/")[0]: b["real_time"] / 1000 for b in json.loads(done.stdout)["benchmarks"]}
        return times["kid"], times["precision_recall"]


def state_dict(folder):
    path = os.path.join(folder, "w.pth")
    shapes = make_inception.tensor_shapes()
    state = {name: torch.from_numpy(make_inception.tensor(name, s)) if s else torch.tensor(0) for name, s in shapes.items()}
    torch.save(state, path)
    save_file({name: t for name, t in state.items() if t.dim()}, os.path.join(folder, "w.safetensors"))
    return path, state


def rate(call, images, batch):
    call(images[:batch])
    start = time.perf_counter()
    with torch.inference_mode():
        for i in range(0, len(images), batch):
            call(images[i:i + batch])
    return len(images) / (time.perf_counter() - start)


def peers(path, state, images):
    """Features a second by each program's own module and batch, its resize included."""
    fidelity = FeatureExtractorInceptionV3("net", ["2048"], path)
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: state  # it would download
    fid = InceptionV3([3]).eval()
    unit = images.float() / 255
    return {"torch-fidelity 0.4.0": lambda: rate(fidelity, images, 64), "pytorch-fid 0.3.0": lambda: rate(fid, unit, 50)}


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def close(name, ours, theirs, tolerance):
    say(f"{name}: ours {ours:.9g}, theirs {theirs:.9g}")
    if abs(ours - theirs) > tolerance:
        say(f"{name}: differ by more than {tolerance:g}")
        sys.exit(1)


def make_features(folder, n):
    """Features as Inception's are: not negative, an eighth of them 0, of decaying covariance."""
    rng = np.random.default_rng(1)
    basis = rng.standard_normal((DIMS, DIMS)) / np.sqrt(DIMS) * np.linspace(1.5, 0.05, DIMS)[:, None]
    for name, shift in (("a", 0.4), ("b", 0.42)):
        f = np.maximum(0.35 * rng.standard_normal((n, DIMS)) @ basis + shift, 0).astype(np.float32)
        np.save(os.path.join(folder, f"{name}.npy"), f)
        np.savez(os.path.join(folder, f"{name}.npz"), mu=f.astype(np.float64).mean(0), sigma=np.cov(f, rowvar=False))
        yield f


def measure_scores(args, ours, folder):
    a, b = make_features(folder, args.features)
    stats = [dict(np.load(os.path.join(folder, f"{name}.npz"))) for name in "ab"]
    kid = {"kid_subsets": 100, "kid_subset_size": min(1000, args.features), "rng_seed": 2020, "verbose": False}
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    rows = {"FID of two statistics": {}, f"KID 100 x {kid['kid_subset_size']} of {args.features}": {}, f"precision, recall, {args.features} x {args.features}": {}}
    fid_row, kid_row, pr_row = rows.values()
    for _ in range(args.rounds):
        seconds, fid = timed(lambda: calculate_frechet_distance(stats[0]["mu"], stats[0]["sigma"], stats[1]["mu"], stats[1]["sigma"]))
        fid_row.setdefault("theirs", []).append(seconds)
        seconds, mean = timed(lambda: kid_features_to_metric(ta, tb, **kid)["kernel_inception_distance_mean"])
        kid_row.setdefault("theirs", []).append(seconds)
        seconds, prc = timed(lambda: prc_features_to_metric(ta, tb, prc_neighborhood=3, prc_batch_size=10000, verbose=False,
                                                            save_cpu_ram=False))
        pr_row.setdefault("theirs", []).append(seconds)
        seconds, ours_fid = ours.run("a.npz", "b.npz", "--like", "pytorch-fid")
        fid_row.setdefault("ours", []).append(seconds)
        for row, seconds in zip((kid_row, pr_row), ours.in_memory()):
            row.setdefault("ours", []).append(seconds)
        for name, row in rows.items():
            say(f"{name}: ours {row['ours'][-1]:.2f} s, theirs {row['theirs'][-1]:.2f} s")
    size = str(kid["kid_subset_size"])
    ours_prc = ours.run("a.npy", "b.npy", "--like", "torch-fidelity", "--kid-subset-size", size)[1]
    close("FID", ours_fid["fid"], fid, 1e-6 * abs(fid))
    close("KID", ours_prc["kid_mean"], mean, 1e-3 * abs(mean))
    close("precision", ours_prc["precision"], float(prc["precision"]), 2 / args.features)
    close("recall", ours_prc["recall"], float(prc["recall"]), 2 / args.features)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ddpm", default=os.path.join(ROOT, "build", "ddpm"))
    parser.add_argument("--bench", default=os.path.join(ROOT, "build-bench", "ddpm_metrics_bench"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--features", type=int, default=10000)
    parser.add_argument("--out")
    args = parser.parse_args()
    args.ddpm, args.bench, args.few = os.path.abspath(args.ddpm), os.path.abspath(args.bench), args.images // 4
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        path, state = state_dict(folder)
        images = make_inception.images(1, args.images, SIDE, SIDE, 24, 5)
        bytes_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        np.save(os.path.join(folder, "many.npy"), bytes_last)
        np.save(os.path.join(folder, "few.npy"), bytes_last[:args.few])
        ours = Ours(args, folder)
        contenders = {f"ours, {p}": lambda p=p: ours.features(p) for p in ("f32", "f32-direct")}
        contenders |= peers(path, state, torch.from_numpy(images))
        rates = {name: [] for name in contenders}
        for _ in range(args.rounds):
            for name, call in contenders.items():
                rates[name].append(call())
                say(f"{name}: {rates[name][-1]:.2f} images/s")
        scores = measure_scores(args, ours, folder)
    text = report(args, rates, scores)
    print(text)
    if args.out:
        with open(args.out) as page:
            whole = table.replace_between_markers(page.read(), text, BEGIN, END)
        with open(args.out, "w") as page:
            page.write(whole)


def report(args, rates, scores):
    rates = {name: statistics.median(values) for name, values in rates.items()}
    best = max(r for name, r in rates.items() if not name.startswith("ours"))
    lines = [f"{args.threads} threads, medians of {args.rounds} rounds in turn; torch {torch.__version__}, torch-fidelity "
             f"{torch_fidelity.__version__}, pytorch-fid 0.3.0. Images of {SIDE}x{SIDE}, each program's own resize included.", "",
             "| Inception features (2048) | images/s | against the faster peer |", "| --- | --- | --- |"]
    lines += [f"| {name} | {r:.2f} | {r / best:.2f}x |" for name, r in rates.items()]
    lines += ["", "| score | ours, s | theirs, s | ratio |", "| --- | --- | --- | --- |"]
    for name, row in scores.items():
        ours, theirs = statistics.median(row["ours"]), statistics.median(row["theirs"])
        lines.append(f"| {name} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f}x |")
    lines += ["", "Theirs: pytorch-fid's `sqrtm` for FID, torch-fidelity for the rest, features in memory. Ours is the whole program for "
              "FID, files read; the rest in memory too (`ddpm_metrics_bench`)."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
