"""Python files of users count by their content: in digests, in comparisons and when a run is resumed."""

import dataclasses
import sys

import pytest

from batchsel import cards
from batchsel.core.call_syntax import load_from_file
from batchsel.core.filesystem.python_files import content_hash, source_files
from batchsel.errors import UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.sweep import sweep
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.spec.resolve import resolve
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.spec.user_code import changed_settings, check_code, code_hashes

IDEA = """
import tensorflow as tf
from helper import sign

def idea(losses, batch_size, rng):
    return tf.math.top_k(sign() * losses, batch_size).indices
"""
HELPER = "def sign():\n    return 1.0\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "idea.py").write_text(IDEA)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def spec(**settings):
    given = {"selector": "./idea.py:idea", "budget": "2 passes", "target": "accuracy>=0.99", "dataset": "iris"}
    return resolve(given | settings, {}, cards.load("datasets", "iris"))


def test_a_file_imports_its_neighbors_as_they_are_now(files):
    before = list(sys.path)
    idea = load_from_file(files / "idea.py", "idea")
    assert idea.__globals__["sign"]() == 1.0
    (files / "helper.py").write_text(HELPER.replace("1.0", "2.0"))
    assert load_from_file(files / "idea.py", "idea").__globals__["sign"]() == 2.0
    assert sys.path[: len(before)] == before


def test_two_folders_may_have_neighbors_of_the_same_name(files):
    other = files / "other"
    other.mkdir()
    (other / "idea.py").write_text(IDEA)
    (other / "helper.py").write_text(HELPER.replace("1.0", "3.0"))
    loaded = [load_from_file(folder / "idea.py", "idea").__globals__["sign"]() for folder in (files, other, files)]
    assert loaded == [1.0, 3.0, 1.0]


def test_neighbors_are_found_through_others_and_within_packages(files):
    (files / "helper.py").write_text("import deep.inner\nfrom deep import other\nimport numpy, missing\n")
    (files / "deep").mkdir()
    (files / "deep" / "__init__.py").write_text("")
    (files / "deep" / "inner.py").write_text("def f():\n    from . import late\n")
    for name in ("other", "late", "unused"):
        (files / "deep" / f"{name}.py").write_text("")
    names = {path.relative_to(files).as_posix() for path in source_files(files / "idea.py")}
    assert names == {"idea.py", "helper.py", "deep/__init__.py", "deep/inner.py", "deep/other.py", "deep/late.py"}


def test_content_counts_and_other_files_do_not(files):
    first = content_hash(files / "idea.py")
    (files / "unused.py").write_text("x = 1")
    assert content_hash(files / "idea.py") == first
    (files / "helper.py").write_text(HELPER + "# more\n")
    assert content_hash(files / "idea.py") not in (first, "")


@pytest.mark.parametrize("setting", ["selector", "model", "schedule", "augment", "curriculum", "optimizer"])
def test_digests_hold_the_content_of_files_that_settings_name(files, setting):
    text = "loss_ema | ./idea.py:idea" if setting == "selector" else "./idea.py:idea(0.5)"
    first = code_hashes({setting: text})
    assert first.startswith(f"{setting} ")
    (files / "idea.py").write_text(IDEA + "\n")
    assert code_hashes({setting: text}) != first


def test_a_run_without_files_has_no_hashes_and_its_old_digest():
    known = RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9")
    assert known.code == ""
    assert "code" not in known.values()
    assert "code" not in spec(selector="loss_ema").values()


def test_changed_code_has_another_digest_and_is_named(files):
    first = spec()
    assert changed_settings(first.values()) == []
    (files / "helper.py").write_text(HELPER.replace("1.0", "-1.0"))
    assert spec().digest() != first.digest()
    assert spec().trainer_key() != first.trainer_key()
    assert changed_settings(first.values()) == ["selector"]
    with pytest.raises(
        UserError, match=r"the code of selector ./idea.py:idea has changed since the settings of this run"
    ):
        check_code(first.values())
    check_code(dataclasses.replace(first, code="").values())  # recorded before hashes were


def test_a_comparison_runs_changed_code_anew_and_unchanged_code_not(files):
    settings = {"budget": "1 passes", "compile": "graph", "target": "accuracy>=0.99"}

    def run():
        experiment = Experiment("compare", "?", ("iris",), {"mine": {"selector": "./idea.py:idea"}}, (0,), settings)
        jobs = experiment.jobs()
        return sweep(jobs, RunContext(files / "out", alone=False))[0]

    assert len(run()) == 3  # random, the idea, and random again as a control
    assert len(run()) == 3
    assert len(records.read(files / "out").runs) == 3
    (files / "helper.py").write_text(HELPER.replace("1.0", "-1.0"))
    assert len(run()) == 3
    assert len(records.read(files / "out").runs) == 4


def test_resume_with_changed_code_stops_unless_told_otherwise(files):
    from batchsel.experiments.spec.user_code import go_on_with_code

    first = spec()
    (files / "helper.py").write_text(HELPER.replace("1.0", "-1.0"))
    with pytest.raises(UserError, match=r"has changed since the run in .* began. Undo the change, .* --changed-code"):
        go_on_with_code(first, files, allowed=False)
    mixed = go_on_with_code(first, files, allowed=True)
    assert mixed.code == f"{first.code} -> {spec().code}"
    assert mixed.digest() not in (first.digest(), spec().digest())
    check_code(mixed.values())
    assert go_on_with_code(mixed, files, allowed=False) == mixed
