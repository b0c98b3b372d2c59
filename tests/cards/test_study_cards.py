"""Cards of studies: factors make arms, levels append to pipes, scaled forms override keys, runs record them."""

import json
import math
import pickle
from concurrent.futures import Future

import pytest
from command_line import CommandLine

from batchsel import cards
from batchsel.cards.experiment_cards import read_experiment_card
from batchsel.errors import UsageError, UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.run import records
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.tuning.run_card import run_card

STUDY = """
name = "mine"
question = "Does it help?"
story = "A test."
datasets = ["iris"]
seeds = 5
controls = []
measure = ["end", "snr"]

[analysis]
kind = "factorial"
metric = "accuracy"
factors = ["warmup", "rate"]

[settings]
budget = "3 passes"
target = "accuracy>=0.5"
evaluations = 6
schedule = "cosine"

[factors.warmup]
off = {}
on = { "schedule+" = "warmup(0.2)" }

[factors.rate]
plain = {}
cut = { "schedule+" = "exponential(0.5)" }

[scaled]
story = "One seed of five, and fewer evaluations."
seeds = 1
settings = { evaluations = 3 }
measure = ["end"]
"""


@pytest.fixture
def read(tmp_path):
    def of(text, *changes):
        for change in changes:
            assert change[0] in text
            text = text.replace(*change)
        (tmp_path / "mine.toml").write_text(text)
        return cards.load_file("experiments", tmp_path / "mine.toml")

    return of


def by_arm(card):
    return {job.arm.name: job for job in Experiment.from_card(card, 1).jobs()}


def test_every_combination_of_levels_is_an_arm_and_the_first_levels_are_the_baseline(read):
    card = read(STUDY)
    jobs = by_arm(card)
    schedules = {name: job.spec.schedule for name, job in jobs.items()}
    assert schedules == {
        "warmup off, rate plain": "cosine",
        "warmup off, rate cut": "cosine | exponential(0.5)",
        "warmup on, rate plain": "cosine | warmup(0.2)",
        "warmup on, rate cut": "cosine | warmup(0.2) | exponential(0.5)",
    }
    baseline = jobs.pop("warmup off, rate plain").arm
    assert (baseline.role, baseline.against, baseline.levels) == ("baseline", "", {"warmup": "off", "rate": "plain"})
    assert {(job.arm.role, job.arm.against, job.spec.selector) for job in jobs.values()} == {
        ("arm", "warmup off, rate plain", "random")
    }
    assert jobs["warmup on, rate cut"].arm.values()["levels"] == {"warmup": "on", "rate": "cut"}
    assert card.controls == ()


def test_arms_of_a_seed_are_interleaved_and_the_repeated_baseline_is_not_a_cell(read):
    jobs = Experiment.from_card(read(STUDY, ("controls = []", 'controls = ["again"]')), 8).jobs()
    blocks = [[job.arm.name for job in jobs if job.spec.seed == seed] for seed in range(8)]
    assert [job.spec.seed for job in jobs] == [seed for seed in range(8) for _ in range(5)]
    assert len(set(map(tuple, blocks))) > 4
    again = next(job for job in jobs if job.arm.name == "warmup off, rate plain again")
    assert (again.arm.role, again.arm.against, again.arm.levels) == ("control", "warmup off, rate plain", {})
    assert again.spec.schedule == "cosine"


def test_a_list_is_a_factor_and_combinations_can_be_left_out(read):
    card = read(
        STUDY,
        ("[factors.rate]", "[[without]]\nbatch_size = [30, 45]\nwarmup = 'on'\n[factors]\nbatch_size = [15, 30, 45]"),
        ("plain = {}\n", ""), ('cut = { "schedule+" = "exponential(0.5)" }\n', ""),
        ('["warmup", "rate"]', '["warmup"]'),
    )  # fmt: skip
    found = {job.arm.levels["batch_size"]: [] for job in by_arm(card).values()}
    for job in by_arm(card).values():
        assert job.arm.levels["batch_size"] == str(job.spec.batch_size)
        found[str(job.spec.batch_size)].append(job.arm.levels["warmup"])
    assert {size: sorted(of) for size, of in found.items()} == {"15": ["off", "on"], "30": ["off"], "45": ["off"]}


def test_levels_append_to_another_level_to_the_card_of_the_data_set_and_to_nothing(read):
    plain = read(STUDY, ("plain = {}", 'plain = { schedule = "linear" }'))
    assert by_arm(plain)["warmup on, rate plain"].spec.schedule == "linear | warmup(0.2)"
    unstated = read(STUDY, ('schedule = "cosine"', ""))
    assert by_arm(unstated)["warmup on, rate plain"].spec.schedule == "linear | warmup(0.2)"
    nothing = read(STUDY, ('"schedule+" = "warmup(0.2)"', '"augment+" = "jitter"'))
    assert by_arm(nothing)["warmup on, rate plain"].spec.augment == "jitter"


def test_a_scaled_form_overrides_only_the_keys_it_has(read):
    card = read(STUDY)
    small = card.scaled
    assert (card.form, small.form, small.scaled) == ("full", "scaled", None)
    assert (small.seeds, small.measure, card.measure) == (1, ("end",), ("end", "snr"))
    assert small.settings == card.settings | {"evaluations": 3}
    assert small.story == "A test. One seed of five, and fewer evaluations."
    assert (small.arms, small.analysis, small.question) == (card.arms, card.analysis, card.question)
    smaller = read(
        STUDY, ("seeds = 1\n", "seeds = 1\nfactors = { rate = { plain = {}, fast = { learning_rate = 0.1 } } }\n")
    )
    assert {name.rpartition("rate ")[2] for name in smaller.scaled.arms} == {"plain", "fast"}
    assert {name.rpartition("rate ")[2] for name in smaller.arms} == {"plain", "cut"}


ARMS = {
    "name": "mine", "question": "?", "story": "A test.", "datasets": ["iris"], "baseline": "full",
    "arms": {"full": {"selector": "random"}, "short": {"selector": "random", "budget": "2 passes"}},
}  # fmt: skip


def test_a_card_of_arms_may_name_its_baseline():
    card = read_experiment_card(ARMS | {"controls": ["again"]}, "mine", "mine.toml")
    arms = {job.arm.name: job.arm for job in Experiment.from_card(card, 1).jobs()}
    assert {name: (arm.role, arm.against) for name, arm in arms.items()} == {
        "full": ("baseline", ""), "short": ("arm", "full"), "full again": ("control", "full"),
    }  # fmt: skip
    with pytest.raises(UserError, match="baseline: 'whole' is not one of the arms full, short"):
        read_experiment_card(ARMS | {"baseline": "whole"}, "mine", "mine.toml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("plain = {}", 'plain = { schedule = "linear" }\n"b" = 3'), "factors.rate: expected a table of settings for each"),
        (("plain = {}\n", ""), "factors.rate: a factor has at least two levels, got 1"),
        (("[factors.rate]", "[factors.rate]\nslow = { 'rate+' = 'x' }"), "'rate+' appends to a setting that is not a pipe"),
        (('"exponential(0.5)"', "3"), "factors.rate.cut: 'schedule+' must be a text"),
        (
            ('"schedule+" = "exponential(0.5)" }', 'schedule = "linear" }\n[factors.end]\na = {}\nb = { schedule = "cosine" }'),
            "factors: rate cut and end b both set schedule, to 'linear' and to 'cosine'. Only one of them may; append",
        ),
        (("[settings]", "[settings]\n'augment+' = 'jitter'"), "only a level or an arm can append; set 'augment' here"),
        (("[settings]", "[arms.a]\nselector = 'smart'\n[settings]"), "arms: not allowed with [factors]"),
        (("[settings]", "[[without]]\nrate = 'fast'\n[settings]"), "without[0].rate: 'fast' is not one of its levels"),
        (("[settings]", "[[without]]\nrate = 'plain'\n[settings]"), "the baseline, cannot be left out"),
        (("[settings]", "[[without]]\nrat = 'plain'\n[settings]"), "without[0].rat: unknown key. Did you mean 'rate'?"),
        (('"end", "snr"', '"end", "noise"'), "measure: unknown name 'noise'; known: end, noise_scale, snr."),
        (('kind = "factorial"', 'kind = "factors"'), "analysis.kind: expected 'factorial' or 'batch_sizes'"),
        (('"end", "snr"', '"snr"'), "measure: an [analysis] needs results at the end of the budget; add 'end'."),
        (('measure = ["end"]', "measure = []"), "scaled.measure: an [analysis] needs results at the end of the budget"),
        (("[settings]", "points = 0.5\n[settings]"), "analysis.points: unknown key. Known: kind, metric, within, factors."),
        (('metric = "accuracy"', 'metric = "acuracy"'), "analysis.metric: unknown metric 'acuracy'. Did you mean 'accuracy'"),
        (('["warmup", "rate"]', '["warmup", "rat"]'), "analysis.factors: unknown factor 'rat'. Did you mean 'rate'?"),
        (('["warmup", "rate"]', '"warmup"'), "analysis.factors: expected a list of texts, got 'warmup'"),
        (("[settings]", "within = 'rate'\n[settings]"), "analysis.within: expected a list of texts, got 'rate'"),
        (
            ("plain = {}", "plain = {}\nfast = { learning_rate = 0.1 }"),
            "analysis.factors: a factorial compares two levels of a factor; rate has 3, plain, fast, cut. Leave it out",
        ),
        (("seeds = 1", "seeds = 0"), "scaled.seeds: expected a whole number of at least 1, got 0"),
        (("seeds = 1", "sedes = 1"), "scaled.sedes: unknown key. Did you mean 'seeds'?"),
        (('story = "One seed of five, and fewer evaluations."', ""), "scaled.story: missing key"),
    ],
)  # fmt: skip
def test_problems_of_a_study_are_reported_once(change, words, read):
    with pytest.raises(UserError) as caught:
        read(STUDY, change)
    told = str(caught.value)
    assert words in told
    assert "has 1 problem:" in told


def kinds(**analysis):
    """A card of batch sizes or of arms that are judged by their budgets."""
    if analysis["kind"] == "budgets":
        return ARMS | {"measure": ["end"], "analysis": analysis}
    factors = {"batch_size": [2, 4, 8], "rate": {"base": {}, "scaled": {"learning_rate": 0.1}}}
    of_factors = {key: of for key, of in ARMS.items() if key not in ("arms", "baseline")}
    return of_factors | {"measure": ["end"], "factors": factors, "analysis": analysis}


SIZES = {"kind": "batch_sizes", "batch": "batch_size", "mode": "rate", "base": "base", "small": 4, "points": 1}
BUDGETS = {"kind": "budgets", "pruned": "full", "points": 0.5}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (SIZES, None),
        (SIZES | {"points": "one"}, "analysis.points: expected a number of at least 0, got 'one'"),
        (SIZES | {"points": math.nan}, "analysis.points: expected a number of at least 0, got nan"),
        (SIZES | {"small": 4.5}, "analysis.small: expected a whole number of at least 1, got 4.5"),
        (SIZES | {"smal": 4}, "analysis.smal: unknown key. Did you mean 'small'?"),
        (SIZES | {"batch": "batch size"}, "analysis.batch: unknown factor 'batch size'. Did you mean 'batch_size'?"),
        (SIZES | {"mode": "rates"}, "analysis.mode: unknown factor 'rates'. Did you mean 'rate'?"),
        (SIZES | {"base": "scale"}, "analysis.base: unknown level of rate 'scale'. Did you mean 'scaled'?"),
        ({key: of for key, of in SIZES.items() if key != "mode"}, "analysis.base: a level of the factor that mode"),
        (BUDGETS, None),
        (BUDGETS | {"pruned": "infobatch"}, "analysis.pruned: unknown arm 'infobatch'. Known: full, short."),
        (BUDGETS | {"factor": "size"}, "analysis.factor: unknown factor 'size'. Known: arm."),
        ({"kind": "budgets"}, "analysis.pruned: unknown arm 'pruned'. Known: full, short."),
        (BUDGETS | {"points": True}, "analysis.points: expected a number of at least 0, got True"),
    ],
)  # fmt: skip
def test_parameters_of_an_analysis_are_checked_by_its_kind(changes, words):
    values = kinds(**changes)
    if words is None:
        assert read_experiment_card(values, "mine", "mine.toml").analysis == changes
        return
    with pytest.raises(UserError) as caught:
        read_experiment_card(values, "mine", "mine.toml")
    assert words in str(caught.value)
    assert "has 1 problem:" in str(caught.value)


def test_unknown_settings_are_reported_before_any_run(read, tmp_path):
    card = read(STUDY, ("evaluations = 6", "evaluation = 6"))
    with pytest.raises(UsageError, match=r"unknown setting 'evaluation'. Did you mean 'evaluations'"):
        run_card(card, RunContext(tmp_path / "out", checkpoints=False))
    assert not (tmp_path / "out").exists()


class Elsewhere:
    """An executor whose jobs come out of their pickles, as in a fresh process, and are not done."""

    def __init__(self):
        self.came = []

    def submit(self, function, *arguments):
        self.came.append(pickle.loads(pickle.dumps(arguments)))
        future = Future()
        future.set_exception(RuntimeError("not done"))
        return future


def test_a_fresh_process_knows_what_to_measure(read, tmp_path):
    elsewhere = Elsewhere()
    run_card(read(STUDY), RunContext(tmp_path, checkpoints=False), elsewhere, seeds=1)
    assert {context.diagnostics for _, context in elsewhere.came} == {("end", "snr")}
    assert {context.about["form"] for _, context in elsewhere.came} == {"full"}
    levels = {job.arm.name: job.arm.levels for job, _ in elsewhere.came}
    assert levels["warmup on, rate cut"] == {"warmup": "on", "rate": "cut"}
    assert len(levels) == 4


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)


def test_a_plan_lists_runs_and_runs_nothing(command, read, tmp_path):
    read(STUDY, ("controls = []", 'controls = ["again", "horizon"]'))
    told = command("experiment", "mine.toml", "--plan", "--seeds", "3").out
    assert "full form: 4 arms and the baseline once more on 3 seeds of 1 data set: 15 runs, of which 0 are" in told
    assert "controls that depend on the arms: horizon" in told
    assert "warmup on, rate plain   schedule = cosine | warmup(0.2)\n" in told
    found = json.loads(command("experiment", "mine.toml", "--scaled", "--dry-run", "--json").out)
    assert (found["form"], found["runs"], found["measure"]) == ("scaled", 5, ["end"])
    assert found["settings"]["iris"]["warmup off, rate plain"]["evaluations"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml"]


def test_records_of_a_study_name_it_and_are_stored_by_form(command, read, tmp_path):
    two = ("[settings]", "[[without]]\nwarmup = 'on'\n\n[settings]"), ('["warmup", "rate"]', '["rate"]')
    read(STUDY, *two)
    done = command("experiment", "mine.toml", "--scaled", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["report"] == "mine/scaled/report.html"
    assert not (tmp_path / "mine" / "report.html").exists()
    found = records.read(tmp_path / "mine" / "scaled")
    assert (len(found.runs), found.problems, found.failures) == (2, [], [])
    assert sorted(record["arm"]["levels"]["rate"] for record in found.runs) == ["cut", "plain"]
    about = found.runs[0]["about"]
    assert (about["form"], about["question"]) == ("scaled", "Does it help?")
    assert about["story"] == "A test. One seed of five, and fewer evaluations."
    assert about["command"] == "batchsel experiment mine.toml --scaled --json"
    assert about["experiment"] == "mine"
    assert about["analysis"] == {"kind": "factorial", "metric": "accuracy", "factors": ["rate"]}
    # What is measured besides makes no other run of it.
    read(STUDY, *two, ('measure = ["end"]', 'measure = ["end", "noise_scale"]'))
    assert "2 runs, of which 2 are recorded" in command("experiment", "mine.toml", "--scaled", "--plan").out


def test_a_card_without_a_scaled_form_says_so(command, read):
    read(STUDY.split("[scaled]")[0])
    done = command("experiment", "mine.toml", "--scaled")
    assert done.code == 2
    assert "the card mine has no scaled form; a table [scaled] in it would state one." in done.err
