"""Runs a plan of `ddpm plan ... --json` on any function. Standard library only."""
import json, math, random, sys


def limited(limit, x0):  # None, clip, or the quantile of |x0|
    s = limit["range"] if limit else math.inf
    if not limit or limit["kind"] == "clip":
        return [min(max(v, -s), s) for v in x0]
    sizes, place = sorted(map(abs, x0)), limit["quantile"] * (len(x0) - 1)
    low, high = sizes[int(place)], sizes[min(int(place) + 1, len(x0) - 1)]
    s = min(max(low + (place - int(place)) * (high - low), 1), s)
    return [min(max(v, -s), s) / s for v in x0]


def run(plan, network, x, noise=lambda row, i: random.gauss(0, 1)):
    """x: standard normal numbers; network(x, time): as many, or twice as many with variances."""
    names = "x x0 x0_1 x0_2 x0_3 eps eps_1 eps_2 eps_3 s0 s1 s2 s3".split()
    r, n, out = {name: [0.0] * len(x) for name in names}, range(len(x)), []
    r["x"] = [plan["initial_scale"] * v for v in x]
    for number, row in enumerate(plan["rows"]):
        if row["time"] is not None:
            out = network([row["c_in"] * v for v in r["x"]], row["time"])
            for name in ("x0", "eps"):  # grow older
                r[name + "_3"], r[name + "_2"], r[name + "_1"] = r[name + "_2"], r[name + "_1"], r[name]
            a, e = row["x0"], row["eps"]
            r["x0"] = limited(row["limit"], [a["x"] * r["x"][i] + a["out"] * out[i] for i in n])
            r["eps"] = [e["x"] * r["x"][i] + e["out"] * out[i] + e["x0"] * r["x0"][i] for i in n]
        z = [noise(number, i) for i in n]
        for u in row["updates"]:
            g = [sum(t["c"] * r[t["reg"]][i] for t in u["terms"]) for i in n]
            if u["snr"]:  # a Langevin step of a size from the norms
                h = 2 * (u["snr"] * math.hypot(*z) / math.hypot(*g)) ** 2
                r[u["dst"]] = [r[u["dst"]][i] + h * g[i] + math.sqrt(2 * h) * z[i] for i in n]
                continue
            scale = [u["c_z"] * (math.exp(u["z_v"] * out[len(x) + i]) if u["z_v"] else 1) for i in n]
            r[u["dst"]] = [g[i] + scale[i] * z[i] for i in n]
    return r["x"]


if __name__ == "__main__":  # ddpm plan linear:1000 --plan ddim:20 --json | python3 run_plan.py
    # All the data are the number 0.5, so the best network knows: eps = (x - 0.5 a) / sqrt(1 - a^2).
    alpha_bar = [1.0]
    for t in range(1000):
        alpha_bar.append(alpha_bar[-1] * (1 - (1e-4 + t / 999 * (0.02 - 1e-4))))
    def best(x, time):
        a2 = alpha_bar[int(time) + 1]
        return [(v - 0.5 * math.sqrt(a2)) / math.sqrt(1 - a2) for v in x]
    print(*run(json.load(sys.stdin), best, [random.gauss(0, 1) for _ in range(4)]))
