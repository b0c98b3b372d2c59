"""The page `docs/selectors.md`: every selector and part, from its docstring and from records."""

from __future__ import annotations

from collections.abc import Sequence

from batchsel.analysis.comparison import analyze
from batchsel.analysis.verdict import format_ratio
from batchsel.cli.support import docstrings
from batchsel.experiments.run.run_record import RunRecord
from batchsel.selectors.registry import Entry, entries

FAMILIES = {
    "order": "Order and controls",
    "history": "From the history of losses and predictions",
    "candidates": "From candidate pools, at the cost of forward passes",
    "cost": "By what a batch costs",
    "score": "Parts of pipes: scores",
    "modifier": "Parts of pipes: modifiers",
    "draw": "Parts of pipes: draws",
}
_HEAD = """\
# Selectors

Made by `make docs` from the docstrings; `batchsel selectors show NAME` prints the same. A pipe is
`score | modifiers | draw`; a score alone is drawn from in proportion. n: samples, b: batch size, B: rows of a pool.
What a paper reported is said under Source, and is no claim of batchsel. What was measured here comes from
`experiments/methods_on_digits` (ten seeds) and `experiments/methods_on_fashion_mnist` (three seeds): every method as it
comes, nothing tuned; a first map, not a verdict.
"""


def render_page(records: Sequence[RunRecord] = ()) -> str:
    """Return the page as Markdown.

    Args:
        records: Runs whose arms are named for selectors; their results stand beside each.
    """
    known, measured = entries(), _measured(records)
    parts = [_HEAD]
    for family, title in FAMILIES.items():
        parts.append(f"## {title}\n")
        parts += [_section(entry, measured.get(entry.name)) for entry in known.values() if entry.family == family]
    return "\n".join(parts).rstrip() + "\n"


def _measured(records: Sequence[RunRecord]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for item in analyze(records).comparisons if records else ():
        if item.arm.role != "arm":
            continue
        reached = f"{item.reached[0]} of {item.pairs} seeds reach {item.target} on {item.dataset}"
        ratios = (
            ""
            if item.verdict == "not reached"
            else f", with {format_ratio(item.samples, item.bound)} of random's samples"
        )
        timed = "" if item.time is None or not ratios else f" and {format_ratio(item.time, item.bound)} of its time"
        sentence = f"{reached}{ratios}{timed} (untuned; random: {item.reached[1]} of {item.pairs})."
        found.setdefault(item.arm.arm, []).append(sentence)
    return {arm: " ".join(sentences) for arm, sentences in found.items()}


def _section(entry: Entry, measured: str | None) -> str:
    doc = entry.doc()
    lines = [f"### {entry.name}\n", docstrings.summary(doc) + "\n"]
    lines += [f"* **{title}.** {text}" for title, text in docstrings.labeled(doc).items()]
    lines += [f"* **Measured here.** {measured}"] if measured else []
    lines += [f"* `{name}`: {text}" for name, text in docstrings.parameters(doc).items()]
    return "\n".join(lines) + "\n"
