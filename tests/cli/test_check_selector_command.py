"""`batchsel selectors check` and `show` with selectors in files."""

import json

CODE = '''
import dataclasses
import tensorflow as tf
from batchsel.selectors import Plan, Selector


def hardest(losses, batch_size, rng, *, labels, power=2.0):
    """Take the hardest.

    Args:
        power: Exponent.
    """
    return tf.math.top_k(losses**power, batch_size).indices


@dataclasses.dataclass(frozen=True, repr=False)
class Mine(Selector):
    share: float = 0.5
    pool: int = 2

    def steps_per_plan(self, n, batch_size):
        return 1

    def plan(self, state, context):
        b = context.batch_size
        return Plan(context.rng.permutation(context.n)[:b], tf.ones([b]), tf.constant(1))


class Beyond(Mine):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(indices=plan.indices + 1)


class Wrong(Mine):
    def plan(self, state, context):
        return None
'''
NAMES = ["declaration", "shapes", "range", "pure state", "compiles", "reproducible", "resumes", "cost", "needs"]


def test_a_sound_selector_has_a_line_for_each_property(command, tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    result = command("selectors", "check", "./mine.py:Mine(0.3)", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert [each["name"] for each in found["properties"]] == NAMES
    assert found["failed"] == []
    assert found["properties"][0]["text"] == "mine(share=0.3, pool=2)"


def test_a_selector_that_fails_names_the_property_and_the_problem(command, tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    result = command("selectors", "check", "./mine.py:Beyond")
    assert result.code == 1
    lines = result.out.splitlines()
    assert any(line.startswith("range         FAILED ") and "indices must be in [0, " in line for line in lines)
    result = command("selectors", "check", "./mine.py:Wrong")
    assert result.code == 1
    assert "shapes        FAILED  plan() of wrong(share=0.5, pool=2) returned None, expected Plan(" in result.out


def test_show_describes_functions_and_classes_in_files(command, tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    shown = command("selectors", "show", "./mine.py:hardest").out
    assert "hardest (from a file): Take the hardest." in shown
    assert "power: Exponent." in shown
    assert "labels: required" in shown
    found = json.loads(command("selectors", "show", "./mine.py:Mine", "--json").out)
    assert found["parameters"] == {"share": "0.5 by default", "pool": "2 by default"}


def test_a_file_alone_is_checked_and_shown_and_plans_of_the_same_samples_are_told(command, tmp_path):
    (tmp_path / "one.py").write_text("def first(losses, batch_size, rng):\n    return list(range(batch_size))\n")
    result = command("selectors", "check", "./one.py")
    assert result.code == 0, result.err
    assert "range         ok      indices and weights at 5 sizes; every plan has the same 8 of 50 samples" in result.out
    assert "first (from a file)" in command("selectors", "show", "./one.py").out
