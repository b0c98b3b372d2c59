"""Print nominal against measured for all cells of `known_truth`: `make simulate`."""

import math
import sys
import time

from known_truth import CELLS, measure


def main(experiments: int) -> None:
    """Print a table in Markdown, a group after the other."""
    start, group = time.monotonic(), ""
    for cell in CELLS:
        if cell.group != group:
            group = cell.group
            print(f"\n**{group}**\n\n| truth | covered | faster | slower | only one reached it | estimate |")
            print("|---|---|---|---|---|---|", flush=True)
        found = measure(cell, experiments)
        row = [cell.name]
        for name, value in (("covered", found.covered), ("faster", found.faster), ("slower", found.slower)):
            band = getattr(cell, name)
            # Two Monte Carlo errors beyond what must hold.
            slack = 200 * math.sqrt(max(value / 100 * (1 - value / 100), 1e-9) / experiments)
            outside = band is not None and not band[0] - slack <= value <= band[1] + slack
            row.append(f"{value:.1f}{' !' if outside else ''}")
        row += [f"{found.only:.1f}", f"{found.ratio:.3f}"]
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{experiments} experiments a cell, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
