#!/usr/bin/env python3
"""Draws the loss curves of a run folder: tools/plot_run.py RUN OUT.png (needs matplotlib).

A development tool: the pages under docs/training show its pictures.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def read(run: pathlib.Path) -> tuple[dict[int, float], dict[int, float]]:
    """Training and held-out loss by step; a step run twice (after a resume) counts once."""
    train, held_out = {}, {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        event = json.loads(line)
        if "loss" in event:
            train[event["step"]] = event["loss"]
        if "eval_loss" in event:
            held_out[event["step"]] = event["eval_loss"]
    return train, held_out


def smooth(values: list[float], window: int) -> list[float]:
    return [sum(values[i : i + window]) / window for i in range(len(values) - window + 1)]


def main() -> None:
    run, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    train, held_out = read(run)
    steps, window = sorted(train), 100
    figure, axes = plt.subplots(figsize=(7, 3.5), dpi=110)
    axes.plot(steps[window - 1 :], smooth([train[s] for s in steps], window), lw=1,
              label=f"training, mean of {window} steps")
    axes.plot(list(held_out), list(held_out.values()), "o-", ms=3, label="held out, EMA weights")
    axes.set(xlabel="step", ylabel="L_simple (mean squared error of eps)", yscale="log")
    axes.set_title(f"Loss over {steps[-1]} steps")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main()
