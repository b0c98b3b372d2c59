"""Data maps: numbers against plain NumPy, wrong labels found, table and plot written."""

import csv
import dataclasses

import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf
from command_line import CommandLine
from PIL import Image
from scipy import stats

from batchsel import Trainer, data
from batchsel.experiments.inspect import dataset_map
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.spec import dataset_lookup
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.selectors import resolve
from batchsel.testing.fixtures import example_context, example_stats

N = 30


def test_statistics_of_a_sample_equal_those_of_numpy():
    selector, generator = resolve("mapping(early=0.5)"), np.random.default_rng(0)
    state, rows = selector.init(N), [[] for _ in range(N)]
    for step in range(12):
        indices = generator.choice(N, 10, replace=False)
        batch = example_stats(indices, np.ones(10), selector.signals, seed=step)
        state = selector.update(state, batch, example_context(N, 10, step=step, progress=step / 12))
        for place, i in enumerate(indices):
            rows[i].append([float(value[place]) for value in (batch.probability, batch.correct)])
    state = tf.nest.map_structure(lambda leaf: leaf.numpy(), state)
    for i, history in enumerate(rows):
        table = np.array(history).reshape(-1, 2)
        assert state.times[i] == len(table)
        if not len(table):
            continue
        probability, right = table.T
        assert state.confidence[i] == pytest.approx(probability.mean(), abs=1e-5)
        assert np.sqrt(state.squares[i] / len(table)) == pytest.approx(probability.std(), abs=1e-4)
        assert state.right[i] == right.sum()
        assert state.forgotten[i] == np.sum((right[:-1] == 1) & (right[1:] == 0))


def test_wrong_labels_are_found(monkeypatch):
    digits = dataset_lookup.load("digits")
    wrong = np.random.default_rng(1).choice(len(digits.train), 60, replace=False)
    labels = digits.train.y.copy()
    labels[wrong] = (labels[wrong] + 1 + np.arange(60) % 9) % 10

    run_cache = RunCache()
    corrupted = data.Dataset(
        "digits",
        "classification",
        data.Split(digits.train.x, labels),
        digits.validation,
        digits.test,
        digits.class_names,
    )
    monkeypatch.setattr(run_cache, "dataset", lambda spec: corrupted)
    spec = RunSpec("digits", "mlp", "mapping", 32, "adam", 0.005, "linear", "12 passes", "accuracy>=0.9")
    found = dataset_map.draw_map(spec, run_cache)
    suspects = set(found.suspects()[:60])
    assert len(suspects & set(wrong)) >= 54  # nine in ten
    assert found.el2n[wrong].mean() > 2 * np.delete(found.el2n, wrong).mean()
    assert found.times.min() == 12


def test_several_models_are_averaged():
    run_cache = RunCache()
    spec = RunSpec("digits", "mlp", "mapping", 32, "adam", 0.005, "linear", "2 passes", "accuracy>=0.9", seed=3)
    both = dataset_map.draw_map(spec, run_cache, models=2)
    first, second = (dataset_map.draw_map(dataclasses.replace(spec, seed=seed), run_cache) for seed in (3, 4))
    assert (first.el2n != second.el2n).any()
    np.testing.assert_allclose(both.el2n, (first.el2n + second.el2n) / 2)
    np.testing.assert_allclose(both.confidence, (first.confidence + second.confidence) / 2)
    np.testing.assert_array_equal(both.times, first.times + second.times)
    np.testing.assert_array_equal(both.forgotten, first.forgotten + second.forgotten)


def test_el2n_of_two_models_agrees_after_five_passes():
    run_cache = RunCache()
    spec = RunSpec("digits", "mlp", "mapping", 32, "adam", 0.005, "linear", "5 passes", "accuracy>=0.9")
    maps = [dataset_map.draw_map(dataclasses.replace(spec, seed=seed), run_cache) for seed in (0, 1)]
    assert stats.spearmanr(maps[0].el2n, maps[1].el2n).statistic > 0.55
    for found in maps:
        never = found.correctness == 0
        assert (found.forgotten[never] == found.times[never]).all()
        assert found.forgotten[~never].max() <= 2  # of five presentations


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)


def test_the_command_writes_a_table_and_a_plot(command, tmp_path):
    done = command("map", "--dataset", "digits", "--budget", "2", "--plot", "map.png")
    assert done.code == 0, done.err
    with open(tmp_path / "map.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    digits = dataset_lookup.load("digits")
    assert len(rows) == len(digits.train)
    assert list(rows[0]) == [
        "sample", "label", "times", "confidence", "variability", "correctness", "forgotten", "el2n", "loss", "class",
        "row",
    ]  # fmt: skip
    official = sklearn.datasets.load_digits().target
    assert [row["class"] for row in rows] == [str(official[int(row["row"])]) for row in rows]
    assert [int(row["label"]) for row in rows] == digits.train.y.tolist()
    assert {row["times"] for row in rows} == {"2"}
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    with Image.open(tmp_path / "map.png") as plot:
        assert plot.size[0] > 800


def test_the_map_of_texts_holds_the_texts(command, tmp_path):
    rows = [f'"a {word}, quoted ""text"" {i}",{label}' for i in range(20) for word, label in (("good", 1), ("bad", 0))]
    (tmp_path / "mine.csv").write_text("\n".join(["review,mood", *rows]) + "\n")
    done = command(
        "map", "--dataset", "./mine.csv", "--label", "mood", "--text", "review", "--budget", "1",
        "--model", "text_cnn(width=4)",
    )  # fmt: skip
    assert done.code == 0, done.err
    with open(tmp_path / "map.csv", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    texts = dataset_lookup.load("./mine.csv:text=review:mood").raw_inputs("train").tolist()
    assert [row["text"] for row in found] == texts
    assert all(("good" in row["text"]) == (row["label"] == "1") for row in found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--dataset", "digist"), "Did you mean 'digits'"),
        (("--dataset", "iris", "--plot", "map.gif"), "--plot writes .png or .svg"),
        (("--dataset", "./mine.py:load"), "a map needs classes"),
    ],
)
def test_data_without_classes_and_wrong_usage_are_refused(words, said, command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom batchsel.data import Dataset, Split\n"
        "def load(seed=0):\n"
        "    part = Split(np.random.default_rng(0).normal(size=(40, 3)).astype('float32'), np.ones(40, 'float32'))\n"
        "    return Dataset('mine', 'regression', part, part, part)\n"
    )
    done = command("map", *words)
    assert done.code in (1, 2)
    assert said in done.err
    assert not (tmp_path / "map.csv").exists()


def test_mapping_trains_like_shuffling():
    """It is plain shuffling: each pass holds every sample once."""
    from problems import classes, mlp

    trainer = Trainer(mlp(), "mapping", batch_size=8)
    trainer.fit(*classes(50), epochs=3, verbose=0)
    assert (trainer.visits == 3).all()
    assert tf.reduce_all(trainer.loop.state.state.times == 3)
