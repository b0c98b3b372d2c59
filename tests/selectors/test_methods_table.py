"""The page that compares every method with its source names all of them, their versions, and tests that exist."""

import json
import re
from pathlib import Path

import pytest

from batchsel.selectors.registry import PLAN_VERSIONS, REGISTRY, plan_version

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "methods.md").read_text("utf-8").splitlines()
    if line.startswith("| `")
]


def test_every_method_has_one_row():
    families = {"order", "history", "candidates", "cost"}
    methods = {name for name, entry in REGISTRY.built_in_entries.items() if entry.family in families}
    assert sorted(row[0].strip("`") for row in ROWS) == sorted(methods)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_of_a_method_names_its_version_and_its_tests(row):
    name, source, differs, tests = (row[0].strip("`"), *row[1:])
    assert source
    assert differs
    assert ("version 2" in differs) == (PLAN_VERSIONS.get(name) == 2)
    files = [next(ROOT.glob(f"tests/*/{test}")) for test in re.findall(r"`(\w+\.py)`", tests)]
    assert any(name in file.read_text("utf-8") for file in files)


def test_versions_are_those_of_registered_names_and_follow_the_text():
    assert PLAN_VERSIONS.keys() <= REGISTRY.built_in_entries.keys()
    assert plan_version("last_loss | difficulty_window(5) | keep") == "difficulty_window 2"
    assert plan_version("boundary | pressure | mix(0.1)") == "boundary 2"
    assert plan_version("./rs2.py:rs2") == plan_version("rs2(") == plan_version("loss_ema") == ""
    assert plan_version("soft_keep(0.1, 0.5)") == plan_version("last_loss | keep(True, until=1.0)") == ""
    assert plan_version("soft_keep(0.1, 0.5, 0.9)") == "soft_keep 2"
    assert plan_version("last_loss | keep(rescale=True, until=0.875)") == "keep 2"


def test_records_of_changed_methods_lack_the_version():
    path = ROOT / "experiments" / "methods_on_digits" / "records.jsonl"
    specs = [json.loads(line)["spec"] for line in path.read_text("utf-8").splitlines()]
    old = {spec["selector"] for spec in specs if spec.get("plan_version", "") != plan_version(spec["selector"])}
    assert old <= PLAN_VERSIONS.keys()
