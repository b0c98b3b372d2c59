"""Every example of the page on selectors of one's own runs, and its selector passes the checks."""

import re
from pathlib import Path

import pytest
from problems import classes, mlp

import batchsel
from batchsel.selectors import Context, SampleStats
from batchsel.selectors.function import CONTEXT_NAMES
from batchsel.testing import check_selector

PAGE = (Path(__file__).parents[2] / "docs" / "write_a_selector.md").read_text("utf-8")
EXAMPLES = dict(
    zip(
        re.findall(r"^## (\d[^\n]*)$", PAGE, re.MULTILINE),
        re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL),
        strict=True,
    )
)


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_runs_and_passes_the_checks(title, monkeypatch):
    calls, fit = [], batchsel.fit

    def recorded(model, x, y, *, selector, **options):
        calls.append(selector)
        return fit(model, x, y, selector=selector, compile="graph", verbose=0, **options)

    monkeypatch.setattr(batchsel, "fit", recorded, raising=False)
    x, y = classes(50)
    exec(compile(EXAMPLES[title], title, "exec"), {"model": mlp(), "x": x, "y": y, "__name__": "example"})
    (selector,) = calls
    check_selector(selector, train=False)


def test_there_are_five_examples():
    assert len(EXAMPLES) == 5


def test_the_tables_name_every_field():
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert {*Context._fields, "passes", "epoch", "rng"} <= named
    assert set(SampleStats._fields) <= named
    bold = set(re.findall(r"^\| \*\*`(\w+)`\*\*", PAGE, re.MULTILINE))
    assert bold == {"losses", *CONTEXT_NAMES}
