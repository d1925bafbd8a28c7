#!/usr/bin/env python3
"""Runs ddpm and its peers (PyTorch, ONNX Runtime, OpenVINO) in turn and compares them: same networks, same machine.

  bench/peers/run.py                     all of it, half an hour or so, into docs/performance.md
  bench/peers/run.py --quick             every part, briefly: to see that it works; prints only
  bench/peers/run.py --check             only whether all compute the same function
  bench/peers/run.py --net cifar10 --peers torch,ddpm      a part; prints only, unless --out names a file

The packages go into build-peers/, or are those of --python. Exit 77: skipped, PyTorch cannot be had; 1: outputs differ.
Leave the machine alone meanwhile: every contender is run `--rounds` times in turn, each time in a process of its own, and
counts with its median.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

import table

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VENV = os.path.join(ROOT, "build-peers")
PAGE = os.path.join(ROOT, "docs", "performance.md")
PACKAGES = {"torch": "torch", "onnxruntime": "onnxruntime", "openvino": "openvino"}

LAYOUTS = ["channels_last", "contiguous"]
FORWARD = [f"torch-{dtype}-{layout}" for dtype in ("float32", "bfloat16") for layout in LAYOUTS]
FORWARD += ["onnxruntime-float32", "openvino-float32", "openvino-bfloat16"]
TRAIN = [f"torch-{dtype}-{layout}" for dtype in ("float32", "bfloat16", "autocast") for layout in LAYOUTS]
CASES = {("cifar10", "forward", 1): FORWARD, ("cifar10", "forward", 4): FORWARD, ("cifar10", "forward", 16): FORWARD,
         ("cifar10", "train", 16): TRAIN,
         ("fashion-mnist", "forward", 16): FORWARD, ("fashion-mnist", "train", 64): TRAIN}
ALSO_ALONE = [("cifar10", "forward", 16), ("cifar10", "train", 16)]  # where one thread is measured too
CHECK_BATCH = 4
US_DIRECT = f"{table.US}, f32-direct"  # checked, not timed


def say(text):
    print(f"bench/peers: {text}", file=sys.stderr, flush=True)


def skip(why):
    say(f"skipped: {why}")
    sys.exit(77)


def environment(threads):
    # Settings for other programs' OpenBLAS, and ours, would change what is measured.
    drop = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "DDPM_ISA", "DDPM_THREADS")
    kept = {key: value for key, value in os.environ.items() if key not in drop}
    return kept | {"OMP_NUM_THREADS": str(threads)}


class Contenders:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def call(self, words, threads=None):
        done = subprocess.run(words, env=environment(threads or self.args.threads), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def config(self, net):
        return os.path.join(ROOT, "configs", f"{net}.toml")

    def worker(self, peer, job, net, *more):
        words = [self.args.python, os.path.join(HERE, "worker.py"), peer, job, "--config", self.config(net),
                 "--threads", str(self.args.threads), "--onnx", self.onnx(net), *more]
        return json.loads(self.call(words).strip().splitlines()[-1])

    def onnx(self, net):
        return os.path.join(self.folder, f"{net}.onnx")

    def measure(self, contender, case):
        net, job, batch = case
        if contender not in (table.US, table.US_ALONE):
            return self.worker(contender, job, net, "--batch", str(batch), "--repeats", str(self.args.repeats))
        threads = 1 if contender == table.US_ALONE else self.args.threads
        words = [self.args.ddpm, "bench", self.config(net), "--json", "--batch", str(batch), "--threads", str(threads)]
        answer = json.loads(self.call(words + (["--train"] if job == "train" else [])))
        return {"ms": answer[f"ms_per_image_{job}"], "memory": answer["peak_rss_mb"],
                "peak": answer["fma_peak_gflops"], "limit": answer[job]["fraction_of_limit"]}

    def predict(self, contender, net, folder, output):
        given = f"{folder}/in.safetensors"
        if contender in (table.US, US_DIRECT):
            words = [self.args.ddpm, "predict", f"{folder}/model", given, output, "--threads", str(self.args.threads)]
            self.call(words + (["--profile", "f32-direct"] if contender == US_DIRECT else []))
        else:
            self.worker(contender, "predict", net, "--batch", str(CHECK_BATCH), "--input", given, "--output", output)


def tolerance(contender, depth, terms):
    """A bound on the relative error, where roundings add up as a random walk does.

    float32, unit 2^-24: each of `depth` products sums `terms` terms, a rounding each; 5.7 is what Winograd's transforms of
    F(4x4, 3x3) may add. bfloat16, unit 2^-9: sums are float32, but each layer rounds about four tensors (the two operands
    of its product, and the norm and the sum around it).
    """
    if "bfloat16" in contender or "autocast" in contender:
        return (4 * depth) ** 0.5 * 2**-9
    return 5.7 * (depth * terms) ** 0.5 * 2**-24


def check(contenders, net, names):
    """Every contender's output on the same weights, times and noise, against float64."""
    folder = os.path.join(contenders.folder, f"check-{net}")
    os.makedirs(folder)
    batch = ["--batch", str(CHECK_BATCH)]
    facts = contenders.worker("torch-float64-contiguous", "reference", net, *batch, "--output", folder)
    rows = []
    for name in names:
        output = f"{folder}/{name}.safetensors"
        contenders.predict(name, net, folder, output)
        got = contenders.worker("-", "error", net, "--input", f"{folder}/reference.safetensors", "--output", output)
        rows.append((net, name, got["error"], tolerance(name, facts["depth"], facts["terms"])))
        say(f"{net}, {name}: relative error {rows[-1][2]:.1e}, allowed {rows[-1][3]:.1e}")
    return rows


def measure(contenders, cases, rounds):
    samples = {case: {name: [] for name in names} for case, names in cases.items()}
    for number in range(1, rounds + 1):
        for case, names in cases.items():
            for name in names:
                samples[case][name].append(contenders.measure(name, case))
                ms = samples[case][name][-1]["ms"]
                say(f"round {number} of {rounds}: {table.name_of(case)}: {name}: {ms:.2f} ms an image")
    return {case: {name: table.median_of(s) for name, s in row.items()} for case, row in samples.items()}


def versions(python):
    code = ("import importlib.metadata as m, json\nv = {}\n"
            f"for p in {list(PACKAGES.values())}:\n"
            "    try: v[p] = m.version(p)\n    except m.PackageNotFoundError: pass\n"
            "print(json.dumps(v))")
    return json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)


def make_python():
    """The interpreter of build-peers/, made when it is missing."""
    python = os.path.join(VENV, "bin", "python")
    wanted = os.path.join(HERE, "requirements.txt")
    done = os.path.join(VENV, "installed")
    if os.path.exists(done):
        return python
    say(f"installing PyTorch, ONNX Runtime and OpenVINO into {VENV}")
    for words in ([sys.executable, "-m", "venv", VENV], [python, "-m", "pip", "install", "-q", "-r", wanted]):
        if subprocess.run(words).returncode != 0:
            skip(f"`{' '.join(words)}` failed; try --python with an interpreter that has {wanted}")
    open(done, "w").close()
    return python


def cpu_name():
    with open("/proc/cpuinfo") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return names[0] if names else platform.machine()


def has_flag(flag):
    with open("/proc/cpuinfo") as info:
        return any(flag in line.split() for line in info if line.startswith("flags"))


def about(args, have, results):
    ours = subprocess.run([args.ddpm, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    peers = ", ".join(f"{name} {version}" for name, version in have.items())
    peaks = [row[table.US]["peak"] for row in results.values() if table.US in row]
    peak = f", FMA peak {max(peaks):.0f} GFLOP/s" if peaks else ""
    amx = "AMX" if has_flag("amx_tile") else "no AMX"
    if "ONEDNN_MAX_CPU_ISA" in os.environ:  # one that peers obey
        amx += f" (ONEDNN_MAX_CPU_ISA={os.environ['ONEDNN_MAX_CPU_ISA']})"
    return [f"{cpu_name()}, {args.threads} threads, {amx}{peak}; {ours}; {peers}; Python {platform.python_version()}.",
            f"Medians of rounds in turn: {args.rounds}. Training is forward, backward, clip, Adam and EMA."]


def cases_of(args, have):
    wanted = args.peers.split(",") if args.peers else []
    cases = {}
    for case, peers in CASES.items():
        if args.net and case[0] != args.net:
            continue
        names = [table.US] + ([table.US_ALONE] if case in ALSO_ALONE and args.threads > 1 else [])
        names += [p for p in peers if PACKAGES[p.split("-")[0]] in have]
        chosen = [name for name in names if not wanted or any(name.startswith(w) for w in wanted)]
        if chosen:
            cases[case] = chosen
    return cases


def compare(args, have, cases, folder):
    contenders, errors = Contenders(args, folder), []
    for net in dict.fromkeys(case[0] for case in cases):
        names = list(dict.fromkeys(n for case, row in cases.items() if case[0] == net for n in row))
        if any(not n.startswith(("torch", table.US)) for n in names):
            contenders.worker("torch-float32-contiguous", "export", net, "--batch", "2")
        errors += check(contenders, net, [US_DIRECT] + [n for n in names if n != table.US_ALONE])
    wrong = [f"{net}: {name}" for net, name, error, allowed in errors if not error <= allowed]
    if wrong:
        say(f"not the same function: {', '.join(wrong)}")
        return 1
    if args.check:
        return 0
    results = measure(contenders, cases, args.rounds)
    text = table.report(results, errors, about(args, have, results))
    if args.out == "-":
        print(text, end="")
        return 0
    with open(args.out) as page:
        changed = table.replace_between_markers(page.read(), text)
    with open(args.out, "w") as page:
        page.write(changed)
    say(f"wrote {args.out}")
    return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of two repeats; prints only")
    parser.add_argument("--check", action="store_true", help="compare outputs, time nothing")
    parser.add_argument("--net", choices=sorted({net for net, _, _ in CASES}))
    parser.add_argument("--peers", help="beginnings of contenders' names, as torch-float32,openvino,ddpm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--python", help="an interpreter that has the packages; build-peers/ if not given")
    parser.add_argument("--ddpm", default=os.path.join(ROOT, "build", "ddpm"))
    parser.add_argument("--out", help="page with markers, or - to print; docs/performance.md for a full run")
    args = parser.parse_args()
    if args.rounds < 1 or args.threads < 1:
        parser.error("--rounds and --threads: expected 1 or more")
    args.repeats = 2 if args.quick else 5
    args.rounds = 1 if args.quick else args.rounds
    part = args.quick or args.net or args.peers
    args.out = args.out or ("-" if part else PAGE)
    return args


def main():
    args = arguments()
    if not os.access(args.ddpm, os.X_OK):
        skip(f"no program at {args.ddpm}; try make build, or --ddpm")
    args.python = args.python or make_python()
    have = versions(args.python)
    if "torch" not in have:
        skip(f"{args.python} has no torch, which makes the weights; try --python or pip install -r "
             f"{os.path.join(HERE, 'requirements.txt')}")
    for package in sorted(set(PACKAGES.values()) - set(have)):
        say(f"without {package}, which {args.python} does not have")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(compare(args, have, cases_of(args, have), folder))


if __name__ == "__main__":
    main()
