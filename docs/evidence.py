"""Write the table of budget ratios into `docs/which_selector.md`: `python docs/evidence.py`.

It has a row for each arm of each study of horizons whose records are committed (`experiments/horizon_*`), in full or in
scaled form.
"""

from pathlib import Path

from batchsel.analysis.studies.horizon import Ratios, horizons
from batchsel.analysis.studies.horizon_study import format_budget_ratio
from batchsel.analysis.studies.study_parts import StudyPart, split_into_parts
from batchsel.experiments.run.records import FILE, read_typed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "which_selector.md"
BEGIN, END = "<!-- evidence: written by docs/evidence.py -->\n", "<!-- end of the evidence -->\n"
HEAD = ("workload", "arm", "samples", "time", "p (Holm)", "seeds", "experiment")


def rows() -> list[tuple[str, ...]]:
    """Return the cells of the table."""
    found = []
    for path in sorted((ROOT / "experiments").glob(f"horizon_*/**/{FILE}")):
        name, form = path.relative_to(ROOT / "experiments").parts[0], path.parent.name
        if form in (name, "scaled"):
            command = f"`{name}`" + (" (scaled)" if form == "scaled" else "")
            runs = read_typed(path.parent).runs
            found += [row for part in split_into_parts(runs, "horizon") for row in _rows(part, command)]
    return found


def page() -> str:
    """Return `docs/which_selector.md` with the table as the records have it."""
    text = PAGE.read_text("utf-8")
    head, rest = text.split(BEGIN)
    lines = [HEAD, ("---",) * len(HEAD), *rows()]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return head + BEGIN + table + "\n" + END + rest.split(END)[1]


def _rows(part: StudyPart, command: str) -> list[tuple[str, ...]]:
    result = horizons(part)
    if isinstance(result, str):
        return []
    models = dict.fromkeys(str(run.spec.values["model"]) for run in part.records)
    workload = ", ".join([part.place, *models])
    return [(workload, f"`{arm}`", *_cells(item), command) for arm, item in result.ratios.items()]


def _cells(item: Ratios) -> tuple[str, ...]:
    samples = item.samples
    if samples is None:
        return "–", "–", "–", "0"
    p = f"{item.p_holm:.2g}" if samples.ratio.low is not None else "–"
    return (
        format_budget_ratio(samples),
        "–" if item.seconds is None else format_budget_ratio(item.seconds),
        p,
        str(samples.n),
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
