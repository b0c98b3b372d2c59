"""Experiment cards: the built-in ones are valid, problems are reported at once, and a card runs as stated."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import CommandLine

from batchsel import cards
from batchsel.core.parameters.ranges import Range
from batchsel.errors import UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.run import records
from batchsel.experiments.run.arms import record_key
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.spec.resolve import check_names
from batchsel.experiments.tuning import tuned_settings
from batchsel.experiments.tuning.run_card import run_card
from batchsel.schedules.registry import REGISTRY

FOLDER = Path(__file__).parents[2] / "experiments"
OURS = sorted(path.stem for path in FOLDER.glob("*.toml"))

GOOD = """
name = "mine"
question = "Does it help?"
story = "A test."
datasets = ["iris"]
seeds = 2

[settings]
budget = "3 passes"
target = "accuracy>=0.5"
evaluations = 6

[arms.loss_ema]
selector = "loss_ema"
"""
RANGE = '[tuning.grid]\nbatch_size = "8..64"\n'
TUNED = """
[tuning]
seeds = 1

[tuning.grid]
batch_size = [15, 30]
"""


@pytest.mark.parametrize("name", OURS)
def test_every_built_in_card_states_valid_runs(name):
    card = cards.load("experiments", name)
    for form in (card, card.scaled) if card.scaled else (card,):
        for job in Experiment.from_card(form, 1).jobs():
            check_names(job.spec)
    assert card.seeds >= (3 if "not a claim" in card.story else 5 if card.analysis else 10)
    assert card.question.endswith("?")


@pytest.mark.parametrize("form", ["full", "scaled"])
@pytest.mark.parametrize("name", OURS)
def test_recorded_results_are_complete(name, form):
    folder = FOLDER / name / ("" if form == "full" else form)
    if not (folder / records.FILE).is_file():
        pytest.skip("not recorded")
    found = records.read(folder)
    assert not found.problems
    assert not found.failures
    card = cards.load("experiments", name)
    card = card if form == "full" else card.scaled
    stated = {(dataset, arm) for dataset in card.datasets for arm in [*card.arms, card.baseline]}
    for dataset, arm in stated:
        specs = [r["spec"] for r in found.runs if (r["spec"]["dataset"], r["arm"]["name"]) == (dataset, arm)]
        # Those from before a method's plans changed stay; the newest are to be complete.
        newest = max(spec.get("plan_version", "") for spec in specs)
        seeds = [spec["seed"] for spec in specs if spec.get("plan_version", "") == newest]
        assert sorted(seeds) == list(range(card.seeds))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("question", "qestion"), ["question: missing key", "qestion: unknown key. Did you mean 'question'"]),
        (('selector = "loss_ema"', "selector = 3"), ["arms.loss_ema: expected a table with a selector"]),
        (("seeds = 2", "seeds = 0"), ["seeds: expected a whole number of at least 1, got 0"]),
        (
            ("seeds = 2", 'controls = ["agian"]'),
            ["controls: unknown name 'agian'; known: again, horizon, rs2, schedule."],
        ),
        (('name = "mine"', 'name = "yours"'), ["name: expected 'mine', as its file is named"]),
        (("[settings]", "[tuning]\ngrid = 3\n[settings]"), ["tuning.grid: expected lists of values by setting"]),
        (
            ("[settings]", "[tuning]\nscore = 'last'\n[settings]"),
            ["tuning.score: expected 'target' or 'end', got 'last'"],
        ),
        (
            ("[settings]", RANGE + "[settings]"),
            ["tuning.grid.batch_size: a range can be searched only with trials = N"],
        ),
        (("[settings]", RANGE.replace("8..", "..") + "[settings]"), ["tuning.grid.batch_size: cannot read the range"]),
    ],
)
def test_problems_of_a_card_are_reported(change, words, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(UserError) as caught:
        cards.load_file("experiments", path)
    for word in words:
        assert word in str(caught.value)


def test_a_card_may_state_a_search(tmp_path):
    stated = RANGE + "[tuning]\ntrials = 12\n"
    (tmp_path / "mine.toml").write_text(GOOD.replace("[settings]", stated + "[settings]"))
    tuning = cards.load_file("experiments", tmp_path / "mine.toml").tuning
    assert (tuning.trials, tuning.grid) == (12, {"batch_size": Range(8, 64)})


def test_a_card_is_tuned_once_run_and_resumed(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD + TUNED)
    card, told = cards.load_file("experiments", tmp_path / "mine.toml"), []
    context = RunContext(tmp_path / "mine", checkpoints=False)
    first = run_card(card, context, on_progress=told.append)
    ran = len(told)
    assert len(records.read(tmp_path / "mine" / "tuning").runs) == 4
    assert {record["arm"]["name"] for record in first.records} >= {"random", "loss_ema", "random again"}
    again = run_card(card, context, on_progress=told.append)
    assert len(told) == ran
    assert again.records == first.records
    # Settings that were the best of others are not taken over; a file that does not say what it is of is, as of old.
    (tmp_path / "mine.toml").write_text(GOOD + TUNED.replace("[15, 30]", "[15, 30, 45]"))
    wider = cards.load_file("experiments", tmp_path / "mine.toml")
    with pytest.raises(UserError, match=r"tuned.toml was tuned for other data sets, arms, settings or another grid"):
        run_card(wider, context, on_progress=told.append)
    file = tmp_path / "mine" / tuned_settings.FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    assert run_card(wider, context, on_progress=told.append).records == first.records
    assert len(told) == ran


def test_tuning_goals_are_told_apart(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD + TUNED)
    card = cards.load_file("experiments", tmp_path / "mine.toml")

    def digest(of=card, **tuning):
        return tuned_settings.stated_digest(Experiment.from_card(of), replace(card.tuning, **tuning))

    others = [digest(grid={"batch_size": (15,)}), digest(seeds=2), digest(trials=3), digest(score="end")]
    others += [digest(replace(card, arms={"smart": {"selector": "smart"}})), digest(replace(card, settings={}))]
    assert len({digest(), *others}) == 7
    same = replace(card, question="Why?", seeds=9, controls=())
    assert digest(same) == digest()


@pytest.mark.parametrize("name", OURS)
def test_recorded_runs_are_those_of_their_cards(name):
    card = cards.load("experiments", name)
    for form, folder in ((card, FOLDER / name), (card.scaled, FOLDER / name / "scaled")):
        if form is None or not (folder / records.FILE).is_file():
            continue
        file = folder / tuned_settings.FILE
        experiment = Experiment.from_card(form)
        if file.is_file():
            digest = tuned_settings.stated_digest(experiment, form.tuning)
            experiment = replace(experiment, tuned=tuned_settings.read(file, digest))
        runs = records.read(folder).runs
        keys = {record_key(record) for record in runs}
        # Plans of some methods have changed since: their runs are known by all other settings.
        known = {(record["arm"]["name"], _without_version(record["spec"])) for record in runs}
        jobs = experiment.jobs()
        missing = [
            job.key
            for job in jobs
            if job.key not in keys
            and not (job.spec.plan_version and (job.arm.name, _without_version(job.spec.values())) in known)
        ]
        assert missing == []


def _without_version(values):
    return json.dumps({key: value for key, value in values.items() if key != "plan_version"}, sort_keys=True)


def test_shards_join_to_the_whole(tmp_path):
    experiment = Experiment(
        "test", "?", ("iris",), {"loss_ema": {"selector": "loss_ema"}}, range(3),
        {"budget": "3 passes", "target": "accuracy>=0.5", "evaluations": 6}, ("again",),
    )  # fmt: skip
    told = []
    for part in range(2):
        result = run_experiment(
            experiment, RunContext(tmp_path / str(part), checkpoints=False), None, told.append, (part, 2)
        )
        assert all(record["spec"]["seed"] % 2 == part for record in result.records)
    assert any("left to other shards" in line for line in told)
    (tmp_path / "all").mkdir()
    joined = b"".join((tmp_path / str(part) / records.FILE).read_bytes() for part in range(2))
    (tmp_path / "all" / records.FILE).write_bytes(joined)
    told.clear()
    whole = run_experiment(experiment, RunContext(tmp_path / "all", checkpoints=False), None, told.append, (0, 1))
    assert told == []
    assert len(whole.records) == 9


def test_the_command_runs_a_card_and_lists_built_in_ones(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    (tmp_path / "mine.toml").write_text(GOOD.replace("seeds = 2", 'seeds = 1\ncontrols = ["again"]'))
    done = command("experiment", "mine.toml", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["report"] == "mine/report.html"
    assert "Does it help?" in (tmp_path / "mine" / "report.html").read_text()
    wrong = command("experiment", "yours.toml")
    assert wrong.code == 1
    assert "there is no card yours.toml" in wrong.err
    assert all(name in command("experiment").out for name in OURS)


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("lerac_")])
def test_lerac_goes_on_after_the_warm_up_of_the_common_rate(name):
    card = cards.load("experiments", name)
    for form in (card, card.scaled):
        for job in Experiment.from_card(form, 1).jobs():
            given = {pipe.name: pipe for pipe in REGISTRY.parse(job.spec.schedule)}
            if job.arm.levels["lerac"] == "on":
                assert given["lerac"].k >= 3 * given["warmup"].share


@pytest.mark.parametrize("name", OURS)
def test_arms_judged_at_the_end_are_tuned_for_the_end(name):
    card = cards.load("experiments", name)
    for form in (card, card.scaled) if card.scaled else (card,):
        if form.tuning is not None:
            assert form.tuning.score == ("end" if form.analysis else "target")


def test_settings_of_jobs_are_read_and_a_scaled_form_overrides_single_ones(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + '[slurm]\ntime = "8h"\ngpus = 1\n[scaled]\nstory = "Less."\n[scaled.slurm]\ntime = 30\n')
    card = cards.load_file("experiments", path)
    assert card.slurm == {"time": "8h", "gpus": "1"}
    assert card.scaled.slurm == {"time": "30", "gpus": "1"}
