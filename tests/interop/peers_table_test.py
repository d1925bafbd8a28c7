"""bench/peers/table.py: ratios, targets and the page between the markers. Needs no package."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "peers"))
import table  # noqa: E402

CASE = ("cifar10", "forward", 16)
ROW = {"ddpm": {"ms": 10.0, "memory": 100.0, "peak": 236.0, "limit": 0.8},
       "ddpm, 1 thread": {"ms": 19.0, "memory": 90.0, "peak": 118.0, "limit": 0.8},
       "torch-float32-contiguous": {"ms": 30.0, "memory": 400.0},
       "openvino-float32": {"ms": 25.0, "memory": 50.0},
       "openvino-bfloat16": {"ms": 15.0, "memory": 40.0}}


class Table(unittest.TestCase):
    def test_a_ratio_is_the_peers_time_over_ours(self):
        self.assertIn("| torch-float32-contiguous | 30.00 (3.00x) |", table.times({CASE: ROW}))

    def test_what_was_not_run_is_a_dash(self):
        other = ("cifar10", "forward", 1)
        lines = table.times({CASE: ROW, other: {"ddpm": ROW["ddpm"]}})
        self.assertIn("| openvino-float32 | 25.00 (2.50x) | - |", lines)

    def test_targets_take_the_fastest_peer_of_their_kind(self):
        text = "\n".join(table.targets({CASE: ROW}))
        self.assertIn("peer of any precision (openvino-bfloat16): cifar10, forward, batch 16 | 1.50x | 1.2x | 1.5x", text)
        self.assertIn("float32 (openvino-float32): cifar10, forward, batch 16 | 2.50x | 2.3x | 2.9x", text)
        self.assertIn("one thread of ours: cifar10, forward, batch 16 | 1.90x", text)
        self.assertIn("| 0.80x | 0.7x | 0.85x |", text)

    def test_memory_is_compared_with_torch_float32_alone(self):
        self.assertIn("| cifar10, forward, batch 16 | 100 | 400 | 0.25x |", table.memory({CASE: ROW}))

    def test_medians_are_taken_figure_by_figure(self):
        rounds = [{"ms": 1, "memory": 9}, {"ms": 5, "memory": 7}, {"ms": 2, "memory": 8}]
        self.assertEqual(table.median_of(rounds), {"ms": 2, "memory": 8})

    def test_the_page_keeps_what_is_outside_the_markers(self):
        page = f"above\n{table.BEGIN}\nold\n{table.END}\nbelow\n"
        once = table.replace_between_markers(page, "new\n")
        self.assertEqual(once, f"above\n{table.BEGIN}\n\nnew\n\n{table.END}\nbelow\n")
        self.assertEqual(table.replace_between_markers(once, "new\n"), once)

    def test_a_page_without_both_markers_is_refused(self):
        for page in ("", table.BEGIN, f"{table.END}{table.BEGIN}", f"{table.BEGIN}{table.END}" * 2):
            with self.assertRaises(ValueError):
                table.replace_between_markers(page, "new")

    def test_the_page_of_performance_has_the_markers(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        with open(os.path.join(root, "docs", "performance.md")) as page:
            self.assertIn("new", table.replace_between_markers(page.read(), "new\n"))


unittest.main()
