"""Results as Markdown. A result is {"ms": ..., "memory": ...}; results[(net, job, batch)][contender] holds them."""
import statistics

BEGIN, END = "<!-- peers: begin; written by bench/peers/run.py -->", "<!-- peers: end -->"
US, US_ALONE = "ddpm", "ddpm, 1 thread"

# What the engine must reach and aims at: (net, job, batch), which peers, at least, aim.
TARGETS = [
    (("cifar10", "forward", 16), "any", 1.2, 1.5), (("cifar10", "forward", 16), "float32", 2.3, 2.9),
    (("cifar10", "forward", 1), "any", 1.0, 1.25), (("cifar10", "forward", 1), "float32", 1.8, 2.3),
    (("cifar10", "train", 16), "any", 1.2, 1.6), (("cifar10", "train", 16), "float32", 2.3, 3.0),
    (("fashion-mnist", "forward", 16), "torch", 2.0, 4.0), (("fashion-mnist", "train", 64), "torch", 2.0, 4.0),
]


def median_of(samples):
    """Medians of the rounds, figure by figure."""
    return {key: statistics.median(s[key] for s in samples) for key in samples[0]}


def name_of(case):
    net, job, batch = case
    return f"{net}, {'training step' if job == 'train' else 'forward'}, batch {batch}"


def peers_of(row, kind):
    return {name: r["ms"] for name, r in row.items()
            if not name.startswith(US) and (kind == "any" or kind in name)}


def times(results):
    cases = list(results)
    contenders = list(dict.fromkeys(name for row in results.values() for name in row))
    lines = ["| ms an image (its time over ours) | " + " | ".join(name_of(c) for c in cases) + " |",
             "| --- |" + " --- |" * len(cases)]
    for contender in contenders:
        cells = []
        for case in cases:
            row = results[case]
            ratio = f" ({row[contender]['ms'] / row[US]['ms']:.2f}x)" if contender in row and US in row else ""
            cells.append(f"{row[contender]['ms']:.2f}{ratio}" if contender in row else "-")
        lines.append(f"| {contender} | " + " | ".join(cells) + " |")
    return lines


def memory(results):
    lines = ["| peak memory, MiB | ours | PyTorch float32 | ours over PyTorch's |", "| --- | --- | --- | --- |"]
    for case, row in results.items():
        torch = [r["memory"] for name, r in row.items() if name.startswith("torch-float32")]
        if US in row and torch:
            ours, theirs = row[US]["memory"], min(torch)
            lines.append(f"| {name_of(case)} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f}x |")
    return lines if len(lines) > 2 else []


def targets(results):
    lines = ["| against the fastest | ours is faster by | must | aim |", "| --- | --- | --- | --- |"]
    for case, kind, must, aim in TARGETS:
        row = results.get(case, {})
        peers = peers_of(row, kind)
        if US not in row or not peers:
            continue
        best = min(peers, key=peers.get)
        of = {"any": "peer of any precision", "float32": "float32", "torch": "PyTorch"}[kind]
        lines.append(f"| {of} ({best}): {name_of(case)} | {peers[best] / row[US]['ms']:.2f}x | {must}x | {aim}x |")
    for case, row in results.items():
        if US in row and US_ALONE in row:
            gain = row[US_ALONE]["ms"] / row[US]["ms"]
            lines.append(f"| one thread of ours: {name_of(case)} | {gain:.2f}x | 1.8x | 1.95x |")
        if US in row and case[:2] == ("cifar10", "forward") and case[2] == 16 and "limit" in row[US]:
            lines.append(f"| limit of F(4x4) at the measured peak: {name_of(case)} | {row[US]['limit']:.2f}x | 0.7x "
                         "| 0.85x |")
    return lines if len(lines) > 2 else []


def report(results, errors, about):
    """about: lines of text on machine, versions and how it was measured."""
    parts = [about, times(results), targets(results), memory(results)]
    if errors:
        rows = [f"| {net} | {name} | {error:.1e} | {allowed:.1e} |" for net, name, error, allowed in errors]
        parts.append(["Relative error (root mean square) of each contender's output, against float64:", "",
                      "| net | contender | error | allowed |", "| --- | --- | --- | --- |", *rows])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def replace_between_markers(page, text, begin=BEGIN, end=END):
    """Throws ValueError unless the page has both markers, once, in order."""
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"expected the lines `{begin}` and `{end}`, once each")
    head, rest = page.split(begin)
    return f"{head}{begin}\n\n{text}\n{end}{rest.split(end)[1]}"
