"""The settings of a run: one declaration each, from which options, files, checks and digests follow."""

import hashlib
import json
import os
import tomllib
from dataclasses import MISSING, dataclass, fields, replace

import pytest
from command_line import CommandLine

from batchsel import cards
from batchsel.cli.commands.compare import compare
from batchsel.cli.commands.experiment import experiment
from batchsel.cli.commands.map import dataset_map
from batchsel.cli.commands.run import run
from batchsel.cli.commands.tuning.tune import tune
from batchsel.core.parameters import Amount
from batchsel.errors import UsageError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.spec.resolve import resolve
from batchsel.experiments.spec.run_spec import RunSpec, to_toml
from batchsel.experiments.spec.settings import declared_settings, setting, within
from batchsel.experiments.tuning import tuned_settings
from batchsel.experiments.tuning.overrides import override_settings

SETTINGS = declared_settings(RunSpec)
STATED = [each for each in SETTINGS if each.option]
GIVEN = {
    "dataset": "digits", "model": "mlp", "selector": "loss_ema", "batch_size": 32, "optimizer": "adam",
    "learning_rate": 0.001, "schedule": "linear", "budget": "20 passes", "target": "accuracy>=0.9",
}  # fmt: skip
OTHER = {
    "dataset": "iris", "model": "cnn", "selector": "smart", "batch_size": 7, "optimizer": "sgd",
    "learning_rate": 0.25, "schedule": "cosine", "budget": "3 passes", "target": "loss<=0.5", "seed": 3,
    "evaluations": 9, "evaluate_every": 0.5, "run_on": True, "compile": "graph", "deterministic": True,
    "mixed_precision": True, "cut_padding": True, "label_noise": 0.25, "label_noise_kind": "asymmetric",
    "imbalance": 4.0, "train_share": 0.5, "label_smoothing": 0.125, "augment": "flip", "curriculum": "blur",
    "accumulate": "4", "devices": "2",
}  # fmt: skip
"""A value of each setting that is not its default."""
OWN = {
    "run": (run, set()),
    "compare": (compare, {"dataset", "selector", "seed"}),
    "tune": (tune, {"dataset", "selector", "seed"}),
    "experiment": (experiment, {"dataset", "selector", "seed"}),
    "map": (dataset_map, {"selector"}),
}
"""Each command that trains, and the settings that it varies or fixes itself."""


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("BATCHSEL_") and name != "BATCHSEL_DATA":
            monkeypatch.delenv(name)
    return CommandLine(monkeypatch, capfd)


def option_words(each, value):
    if each.kind is bool:
        on, off = each.option.split("/")
        return [on if value else off]
    return [each.option, str(value)]


def test_every_field_is_a_setting_and_all_but_those_that_follow_from_others_are_options():
    assert [each.name for each in SETTINGS] == [field.name for field in fields(RunSpec)]
    assert {each.name for each in SETTINGS if not each.option} == {"code", "plan_version", "source"}
    assert set(OTHER) == {each.name for each in STATED}
    assert all(OTHER[each.name] != each.default for each in STATED)
    assert all(each.help for each in SETTINGS)


@pytest.mark.parametrize("name", OWN)
def test_every_command_that_trains_accepts_every_setting(name):
    function, own = OWN[name]
    options = {option.name: option for option in function.params}
    for each in STATED:
        if each.name in own:
            continue
        option = options[each.name]
        assert [*option.opts, *option.secondary_opts] == each.option.split("/")
        assert option.envvar == (None if name == "experiment" else each.variable)
        assert option.default is None
        assert option.help == each.help


@pytest.mark.parametrize("each", STATED, ids=lambda each: each.name)
def test_setting_is_read_from_option_environment_and_file_and_is_printed(each, command, monkeypatch, tmp_path):
    value = OTHER[each.name]
    common = ["run", "--print-config"] + ([] if each.name == "dataset" else ["--dataset", "digits"])
    by_option = command(*common, *option_words(each, value))
    assert by_option.code == 0, by_option.err
    assert tomllib.loads(by_option.out)[each.name] == value
    with monkeypatch.context() as patch:
        patch.setenv(each.variable, str(value))
        assert command(*common).out == by_option.out
    line = next(line for line in by_option.out.splitlines() if line.startswith(f"{each.name} ="))
    (tmp_path / "mine.toml").write_text(line + "\n")
    assert command(*common, "--config", "mine.toml").out == by_option.out


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--selector", "los_ema", "unknown selector 'los_ema'. Did you mean 'loss_ema'?"),
        ("--selector", "loss_ema(decay=2)", "loss_ema: decay must be a number in [0, 1), got 2."),
        ("--augment", "noise", "unknown augmentation 'noise'"),
        ("--optimizer", "adan", "unknown optimizer 'adan'"),
    ],
)
def test_settings_are_checked_before_they_are_printed(option, text, words, command):
    result = command("run", "--dataset", "digits", "--print-config", option, text)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


@dataclass(frozen=True)
class Wider(RunSpec):
    momentum: float = setting(0.5, help="Momentum.", checks=(within(Amount),))


def test_new_field_is_a_checked_setting_and_keeps_digests():
    wider = declared_settings(Wider)[-1]
    assert (wider.option, wider.variable, wider.kind) == ("--momentum", "BATCHSEL_MOMENTUM", float)
    assert wider.help == "Momentum. [default: 0.5]"
    assert Wider(**GIVEN).digest() == RunSpec(**GIVEN).digest()
    changed = Wider(**GIVEN, momentum=0.9)
    assert changed.values()["momentum"] == 0.9
    assert changed.trainer_key() != Wider(**GIVEN).trainer_key()
    assert changed.data_key() == Wider(**GIVEN).data_key()
    with pytest.raises(UsageError, match="momentum must be a number in \\[0, 1000000\\], got -1"):
        Wider(**GIVEN, momentum=-1)
    with pytest.raises(UsageError, match="momentum: expected float, got 'x'"):
        Wider(**GIVEN, momentum="x")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("batch_size", 0, "batch_size must be a whole number of at least 1, got 0."),
        ("batch_size", 2**31, "batch_size must be a whole number of at most 2147483647, got 2147483648."),
        ("evaluations", 10**30, "evaluations must be a whole number of at most 1000000, got 1000"),
        ("evaluate_every", float("inf"), "evaluate_every must be a number in [0, 1000000], got inf."),
        ("evaluate_every", 10**400, "evaluate_every must be a number in [0, 1000000], got 1000"),
        ("imbalance", float("inf"), "imbalance must be a number in [1, 1000000], got inf."),
        ("label_noise", float("nan"), "label_noise must be a number in [0, 1), got nan."),
        ("train_share", 1.5, "train_share must be a number in (0, 1], got 1.5."),
        ("seed", 2**31, "seed must be a whole number of at most 2147483647, got 2147483648."),
        ("learning_rate", 1e300, "learning_rate must be a number in (0, 3.4e+38], got 1e+300."),
        ("accumulate", "9" * 5000, "start must be a whole number of at most 1048576"),
        ("budget", "1e400 passes", "cannot read the budget '1e400 passes'. It must be from 0 to 1000000 passes."),
        ("budget", "1e9", "cannot read the budget '1e9'. It must be from 0 to 1000000 passes."),
        ("budget", f"{10**30} samples", "It must be from 1 to 1000000000000000 samples."),
        ("budget", "0.5 samples", "cannot read the budget '0.5 samples'. It must be from 1 to "),
        ("budget", "1e10 seconds", "It must be from 0 to 1000000000 seconds."),
        ("target", "loss<=1e39", "cannot read the target 'loss<=1e39'."),
    ],
)
def test_values_beyond_the_bounds_are_refused_in_one_sentence(name, value, words):
    with pytest.raises(UsageError) as caught:
        RunSpec(**GIVEN | {name: value})
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("each", STATED, ids=lambda each: each.name)
def test_values_of_the_wrong_type_are_refused(each):
    wrong = 3 if each.kind is str else "x"
    with pytest.raises(UsageError, match=rf"^{each.name}: expected {each.kind.__name__}, got {wrong!r}\.$"):
        RunSpec(**GIVEN | {each.name: wrong})


def test_runs_share_trainers_and_data_that_their_settings_do_not_change():
    first = RunSpec(**GIVEN, source="a")
    shared = {"trainer": set(), "data": set()}
    for name, value in {**OTHER, "source": "b"}.items():
        other = RunSpec(**GIVEN | {"source": "a", name: value})
        if other.trainer_key() == first.trainer_key():
            shared["trainer"].add(name)
        if other.data_key() != first.data_key():
            shared["data"].add(name)
    assert shared["trainer"] == {
        "learning_rate", "budget", "target", "seed", "evaluations", "evaluate_every", "run_on", "label_noise",
        "label_noise_kind", "source",
    }  # fmt: skip
    assert shared["data"] == {"dataset", "source", "train_share", "imbalance", "label_noise", "label_noise_kind"}


@pytest.mark.parametrize(
    ("changes", "digest"),
    [
        ({}, "0b72cf4eaf3ea4f143c1fa1e9afadf9af32345f6ff12a86e83aafe74426c4954"),
        (
            {"seed": 3, "evaluations": 10, "evaluate_every": 0.5, "run_on": True, "compile": "graph",
             "deterministic": True, "mixed_precision": True},
            "d590f28c3301e0aaa7ce7a7900f878e44187e33c9fdef9520771e75c56bdf751",
        ),
        (
            {"cut_padding": True, "label_noise": 0.2, "label_noise_kind": "asymmetric", "imbalance": 4.0,
             "train_share": 0.5, "label_smoothing": 0.1},
            "63d7dd603514a6b38b289a5abe150e97e9e9ed9c09ab7096685416f1200d6661",
        ),
        (
            {"augment": "flip", "curriculum": "blur(sigma=1.0, until=0.2)", "accumulate": "grow(factor=2, at=[0.5])",
             "source": "abc"},
            "5368609c6f35a0b1f2203d2d875d0846f3c55954030624cdb3e93b174097916d",
        ),
    ],
)  # fmt: skip
def test_digests_equal_those_of_earlier_versions(changes, digest):
    spec = RunSpec(**GIVEN | changes)
    assert spec.digest() == digest
    assert spec.identity() == f"digits-loss_ema-{spec.seed}-{digest[:8]}"


def test_what_means_something_else_than_before_has_another_digest():
    """Runs of methods whose plans changed are not taken for those recorded before, whatever the spec says."""
    spec = RunSpec(**GIVEN | {"selector": "last_loss | difficulty_window(5) | keep"})
    assert spec.values()["plan_version"] == "difficulty_window 2"
    before = spec.values()
    del before["plan_version"]
    assert spec.digest() != hashlib.sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()
    assert RunSpec(**before) == spec == RunSpec(**before, plan_version="difficulty_window 1")
    assert replace(spec, selector="random").plan_version == ""
    assert RunSpec(**GIVEN | {"accumulate": "grow(2, at=[0.5])"}).plan_version == "grow 2"
    assert "plan_version" not in RunSpec(**GIVEN | {"selector": "./ies.py:ies(1)", "accumulate": "4"}).values()


@pytest.mark.parametrize(
    ("name", "given", "digest"),
    [
        ("iris", {}, "d24d672cb6a7ce4e6add53b79e91e8595fca755d0c40315fb1e421285accf29e"),
        ("fashion_mnist", {}, "f0a8746c0dc8a4b0e614c1650beaa6d28049b9157731151f82a0879abaca1226"),
        ("ag_news", {}, "c9e2debfe1c00cc1245680eb3b35cfc67918b7229ee8406952fbd99685139cb5"),
        (
            "digits", {"schedule+": "warmup(0.1)", "augment+": "jitter", "seed": 2},
            "c87fd7f7e8b751a4d930521e6f9e26b8a84143a411f3e027a30307ca934ccf52",
        ),
    ],
)  # fmt: skip
def test_cards_resolve_to_the_digests_of_earlier_versions(name, given, digest):
    assert resolve({"dataset": name, **given}, {}, cards.load("datasets", name)).digest() == digest


def test_experiments_have_the_digests_of_earlier_versions():
    arms = {name: {"selector": name} for name in ("loss_ema", "smart")}
    compared = Experiment("compare", "?", ("digits",), arms, range(10), settings={"batch_size": 16})
    assert compared.digest() == "1385838b"
    assert [job.spec.digest()[:8] for job in compared.jobs()[:4]] == ["d083c658", "5957be18", "9ab1b2ba", "9ab1b2ba"]
    card = cards.load("experiments", "small_sets")
    stated = Experiment.from_card(card)
    assert (stated.digest(), tuned_settings.stated_digest(stated, card.tuning)) == ("a4dddca9", "e8cbd058f8855b96")


def test_configuration_files_equal_those_of_earlier_versions():
    assert to_toml(RunSpec(**GIVEN | {"cut_padding": True, "imbalance": 4.0})) == (
        'dataset = "digits"\nmodel = "mlp"\nselector = "loss_ema"\nbatch_size = 32\noptimizer = "adam"\n'
        'learning_rate = 0.001\nschedule = "linear"\nbudget = "20 passes"\ntarget = "accuracy>=0.9"\nseed = 0\n'
        'evaluations = 40\nevaluate_every = 0.0\nrun_on = false\ncompile = "auto"\ndeterministic = false\n'
        "mixed_precision = false\ncut_padding = true\nimbalance = 4.0\n"
    )
    assert all(each.default is not MISSING for each in SETTINGS[len(GIVEN) :])


CARD = """
name = "mine"
question = "Does it help?"
story = "A test."
datasets = ["iris"]
seeds = 1
controls = []

[settings]
budget = "2 passes"
target = "accuracy>=0.5"
evaluations = 4

[arms.small]
selector = "loss_ema"
batch_size = 8

[arms.large]
selector = "loss_ema"
batch_size = 16
"""


def test_option_overrides_the_card_in_a_folder_of_its_own(command, tmp_path):
    (tmp_path / "mine.toml").write_text(CARD)
    plain = command("experiment", "mine.toml", "--plan")
    assert "evaluations = 4" in plain.out
    changed = command("experiment", "mine.toml", "--plan", "--evaluations", "2", "--deterministic")
    assert "evaluations = 2" in changed.out
    assert "deterministic = True" in changed.out
    done = command("experiment", "mine.toml", "--evaluations", "2", "--json")
    assert done.code == 0, done.err
    (folder,) = (path.name for path in (tmp_path / "mine").iterdir())
    assert folder.startswith("changed-evaluations-")
    assert len((tmp_path / "mine" / folder / "records.jsonl").read_text().splitlines()) == 3
    shown = command("experiment", "mine.toml", "--plan").out
    assert f"of which 0 are recorded in {tmp_path}/mine (--out names another folder)" in shown


def test_option_that_the_card_compares_or_tunes_is_refused(command, tmp_path):
    (tmp_path / "mine.toml").write_text(CARD)
    card = cards.load_file("experiments", tmp_path / "mine.toml")
    with pytest.raises(UsageError, match="'small' and 'large' of the card mine would be the same"):
        override_settings(card, {"batch_size": 4})
    (tmp_path / "mine.toml").write_text(CARD + "\n[tuning.grid]\nlearning_rate = [0.1, 0.01]\n")
    refused = command("experiment", "mine.toml", "--learning-rate", "0.1")
    assert refused.code == 2
    assert "the card mine tunes learning_rate. Leave --learning-rate out." in refused.err


def test_option_that_is_also_tuned_is_refused(command, tmp_path):
    words = ["--dataset", "iris", "--selector", "smart"]
    tuned = command("tune", *words, "--grid", "batch_size=8,16", "--batch-size", "4")
    assert (tuned.code, "batch_size is in the grid. Leave --batch-size out." in tuned.err) == (2, True)
    on = command("tune", *words, "--grid", "batch_size=8,16", "--run-on")
    assert (on.code, "a trial ends at its target. Leave --run-on out." in on.err) == (2, True)
    (tmp_path / "tuned.toml").write_text("[iris.smart]\nbatch_size = 8\n")
    compared = command("compare", *words, "--tuned", "tuned.toml", "--batch-size", "4")
    assert (compared.code, "tuned.toml holds a tuned batch_size for each arm" in compared.err) == (2, True)
