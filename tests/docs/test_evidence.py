"""The table of evidence is that of the committed records, and its numbers are those of a computation by hand."""

import runpy
from pathlib import Path

import numpy as np

from batchsel.experiments.run.records import read_typed

SCRIPT = Path(__file__).parents[2] / "docs" / "evidence.py"


def test_the_table_in_the_page_is_that_of_the_records():
    script = runpy.run_path(str(SCRIPT))
    assert script["page"]() == script["PAGE"].read_text("utf-8"), "make docs brings it up to date"


def test_every_recorded_study_of_horizons_is_in_the_table():
    script = runpy.run_path(str(SCRIPT))
    recorded = {path.parent for path in (SCRIPT.parents[1] / "experiments").glob("horizon_*/records.jsonl")}
    named = {row[-1].strip("`") for row in script["rows"]() if "scaled" not in row[-1]}
    assert named == {folder.name for folder in recorded}
    for folder in recorded:
        seeds = {(run.arm.name, run.spec.seed) for run in read_typed(folder).runs}
        arms = np.unique([name for name, _ in seeds])
        assert all((name, 0) in seeds for name in arms)
