"""`batchsel predict`: the model of a run as the run left it, for texts and for the test part."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from data_files import card_values, write_card
from PIL import Image

from batchsel.experiments.inspect.prediction import load_run, take_evenly
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.runner import RunContext, run
from batchsel.experiments.spec import dataset_lookup
from batchsel.experiments.spec.resolve import resolve

DIGITS = {"target": "accuracy>=0.9", "run_on": True, "budget": "6 passes"}
IRIS = {"target": "loss<=0.0001", "budget": "3 passes"}
PLANE = {"target": "mae<=0.3", "budget": "40 passes", "learning_rate": 0.02, "batch_size": 16}
WORDS = {"bad": ["awful", "poor", "sad"], "good": ["great", "fine", "glad"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with small data sets."""
    folder = tmp_path_factory.mktemp("predict")
    generator = np.random.default_rng(0)
    rows = [
        f"{name},{' '.join(generator.choice(WORDS[name], generator.integers(1, 4)))}"
        for name in ("bad", "good")
        for _ in range(60)
    ]
    (folder / "data" / "moods").mkdir(parents=True)
    for part, lines in (("train", rows), ("test", rows[50:70])):
        (folder / "data" / "moods" / f"{part}.csv").write_text("\n".join(["mood,text", *lines]) + "\n")
    options = {"train": ["train.csv"], "test": ["test.csv"], "label": "mood", "text": "text"}
    write_card(
        folder,
        card_values(
            "moods", loader="labelled_texts", input_shape=[4], class_names=["bad", "good"],
            sizes={"train": 100, "validation": 20, "test": 20},
            options={**options, "labels": ["bad", "good"], "words": 20},
        ),
    )  # fmt: skip
    x = generator.normal(size=(80, 2))
    lines = [f"{a:.4f},{b:.4f},{3 * a - b:.4f}" for a, b in x]
    (folder / "plane.csv").write_text("\n".join(["a,b,height", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(place):
    """A function that runs each data set once and returns its folder and record."""
    runs = {}

    def train(name, **settings):
        key = (name, *settings.items())
        if key not in runs:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(place)
                patch.setenv("BATCHSEL_DATA", str(place / "data"))
                spec = resolve({"dataset": name, **settings}, {}, dataset_lookup.find_card(name))
                runs[key] = Path("runs", spec.identity()), run(spec, RunContext(Path("runs"), alone=False))
        return runs[key]

    return train


@pytest.fixture
def command(monkeypatch, capfd, place):
    monkeypatch.chdir(place)
    monkeypatch.setenv("BATCHSEL_DATA", str(place / "data"))
    return CommandLine(monkeypatch, capfd)


def moods(trained):
    settings = {"model": "lstm(units=8, width=8)", "budget": "12 passes", "learning_rate": 0.02, "batch_size": 20}
    return trained("moods", target="accuracy>=0.95", **settings)


def as_json(done):
    assert done.code == 0, done.err
    values = json.loads(done.out)
    assert values["schema"] == 1
    return values


def test_wrong_predictions_are_those_that_the_run_counted(command, trained, place):
    folder, record = trained("digits", **DIGITS)
    before = (place / folder / "checkpoint.npz").read_bytes()
    found = as_json(command("predict", str(folder), "--wrong", "--count", "300", "--json"))
    assert (found["weights"], found["samples"]) == ("target", record["crossing"]["samples"])
    assert found["samples"] < record["counts"]["samples"]
    assert found["test"] == 300
    assert 1 - found["wrong"] / 300 == pytest.approx(record["test"]["accuracy"], abs=1e-6)
    assert len(found["predictions"]) == found["wrong"]
    for one in found["predictions"]:
        assert one["predicted"] != one["true"]
        assert one["predicted"] == max(one["probabilities"], key=one["probabilities"].get)
        assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert (place / folder / "checkpoint.npz").read_bytes() == before


def test_last_weights_are_used_without_a_target(command, trained):
    folder, record = trained("iris", **IRIS)
    done = command("predict", str(folder), "--count", "30")
    assert done.code == 0
    assert f"the last, after {record['counts']['samples']} samples" in done.out
    assert "(target loss<=0.0001, which was not reached)" in done.out
    header, *lines = done.out[done.out.index("SAMPLE") :].splitlines()
    assert header.split() == ["SAMPLE", "TRUE", "PREDICTED", "PROBABILITY", "NEXT"]
    assert len(lines) == 30
    wrong = sum(" wrong " in line for line in lines)
    assert 1 - wrong / 30 == pytest.approx(record["test"]["accuracy"], abs=1e-6)
    for line in lines:
        sample, true, predicted = line.split()[:3]
        assert (true != predicted) == (" wrong " in line), sample


@pytest.mark.parametrize("name", ["digits", "iris"])
def test_model_is_the_one_that_the_run_tested(trained, place, monkeypatch, name):
    monkeypatch.chdir(place)
    settings = {"digits": DIGITS, "iris": IRIS}[name]
    folder, record = trained(name, **settings)
    loaded = load_run(folder, RunCache())
    assert loaded.at_target == record["reached"] == (name == "digits")
    found = loaded.predict_test(np.arange(len(loaded.dataset.test)))
    losses = [-np.log(one.probabilities[one.true]) for one in found]
    assert np.mean(losses) == pytest.approx(record["test"]["loss"], rel=1e-4)


@pytest.mark.parametrize("name", ["grid.png", "grid.svg"])
def test_plot_shows_images_in_a_grid(command, trained, place, name):
    folder, _ = trained("digits", **DIGITS)
    done = command("predict", str(folder), "--plot", name)
    assert done.code == 0, done.err
    assert f"figure: {name}" in done.err
    assert len(done.out[done.out.index("SAMPLE") :].splitlines()) == 26
    if name.endswith("png"):
        with Image.open(place / name) as plot:
            assert plot.size[1] > plot.size[0] > 800
            assert len(plot.convert("RGB").getcolors(1 << 20)) > 17
    else:
        assert (place / name).read_text().lstrip().startswith("<?xml")


def test_texts_are_classified(command, trained):
    folder, record = moods(trained)
    assert record["reached"]
    done = command("predict", str(folder), "great, glad!", "poor sad", "entirely unknown")
    assert done.code == 0, done.err
    assert re.search(r"^good +0\.\d+ +bad 0\.\d+ +great, glad!$", done.out, re.MULTILINE)
    assert re.search(r"^bad +0\.\d+ +good 0\.\d+ +poor sad$", done.out, re.MULTILINE)
    assert "the run knows no word of 'entirely unknown'" in done.err
    found = as_json(command("predict", str(folder), "Great, glad", "--json"))
    (one,) = found["predictions"]
    assert (one["predicted"], one["known_words"], one["text"]) == ("good", 2, "Great, glad")
    assert "true" not in one


def test_texts_come_from_standard_input(command, trained, monkeypatch):
    folder, _ = moods(trained)
    # A byte-order mark belongs to no word.
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfglad glad\n\n  sad\n")))
    found = as_json(command("predict", str(folder), "fine", "-", "--json"))["predictions"]
    assert [(one["text"], one["predicted"]) for one in found] == [
        ("fine", "good"),
        ("glad glad", "good"),
        ("sad", "bad"),
    ]
    assert [one["known_words"] for one in found] == [1, 2, 1]
    # Line breaks alone end a text, and UTF-16 is read where a byte-order mark says so.
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("glad\u2028glad\r\nsad\n".encode("utf-16"))))
    found = as_json(command("predict", str(folder), "-", "--json"))["predictions"]
    assert [one["text"] for one in found] == ["glad\u2028glad", "sad"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    done = command("predict", str(folder), "-")
    assert (done.code, done.out) == (2, "")
    assert "there is no text on standard input" in done.err


def test_texts_of_the_test_part_are_shown_as_written(command, trained, place):
    folder, _ = moods(trained)
    lines = (place / "data" / "moods" / "test.csv").read_text().splitlines()[1:]
    found = as_json(command("predict", str(folder), "--count", "5", "--json"))["predictions"]
    assert [one["sample"] for one in found] == [0, 5, 10, 14, 19]
    assert [f"{one['true']},{one['text']}" for one in found] == [lines[one["sample"]] for one in found]


def test_regression_predicts_values(command, trained):
    folder, record = trained("./plane.csv:height", **PLANE)
    found = as_json(command("predict", str(folder), "--count", "100", "--json"))["predictions"]
    errors = [abs(one["predicted"] - one["true"]) for one in found]
    assert len(errors) == record["sizes"]["test"]
    assert np.mean(errors) == pytest.approx(record["test"]["mae"], rel=1e-4)
    done = command("predict", str(folder), "--wrong")
    assert done.code == 2
    assert "is a regression: its predictions are neither right nor wrong" in done.err
    header = command("predict", str(folder)).out.splitlines()[3]
    assert header.split() == ["SAMPLE", "TRUE", "PREDICTED"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs"], "runs holds no run: there is no config.toml and no checkpoint.npz. Runs in it: "),
        (["data"], "Expected a folder that `batchsel run` created, as in runs/NAME."),
        (["IRIS", "hello"], "iris has no texts: predictions are made for samples of its test part"),
        (["IRIS", "--plot", "a.png"], "--plot is for images, and iris has none"),
        (["IRIS", "--plot", "a.gif"], "--plot writes .png or .svg"),
        (["IRIS", "hello", "--wrong"], "are for samples of the test part; leave them or the texts out"),
        (["IRIS", "--count", "0"], "0 is not in the range x>=1"),
        (["MOODS", "?!"], "text 1, '?!', holds no word"),
    ],
)
def test_wrong_usage_is_one_clear_error(command, trained, words, said):
    iris, _ = trained("iris", **IRIS)
    known = {"IRIS": str(iris)} | ({"MOODS": str(moods(trained)[0])} if "MOODS" in words else {})
    done = command("predict", *(known.get(word, word) for word in words))
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_run_with_missing_or_changed_files_is_refused(command, trained, place):
    plane, words = trained("./plane.csv:height", **PLANE)[0], moods(trained)[0]
    table, text = place / "plane.csv", (place / "plane.csv").read_text()

    def refused(folder, said):
        done = command("predict", str(folder))
        assert done.code in (1, 2)
        assert done.out == ""
        assert said in done.err
        assert "Traceback" not in done.err

    table.write_text("\n".join(text.splitlines()[:-10]) + "\n")
    refused(plane, "./plane.csv:height has changed since")
    table.unlink()
    refused(plane, "cannot read plane.csv")
    table.write_text(text)
    shutil.copytree(words, "corrupted")
    known = Path("corrupted", "vocabulary.txt").read_text()
    Path("corrupted", "vocabulary.txt").write_text(known.replace("glad", "gladly"))
    refused("corrupted", "the vocabulary of the run in corrupted differs from the present one of moods")
    Path("corrupted", "vocabulary.txt").unlink()
    refused("corrupted", "cannot read corrupted/vocabulary.txt")
    Path("corrupted", "vocabulary.txt").write_text(known)
    Path("corrupted", "checkpoint.npz").write_bytes(b"PK nothing")
    refused("corrupted", "is not a checkpoint, or a damaged one")
    Path("corrupted", "checkpoint.npz").unlink()
    refused("corrupted", "corrupted holds no run: there is no checkpoint.npz")
    shutil.copy(words / "checkpoint.npz", "corrupted")
    Path("corrupted", "config.toml").write_text('dataset = "moods"\n')
    refused("corrupted", "config.toml lacks the setting")


def test_rows_are_taken_evenly():
    assert take_evenly(5, np.arange(3)).tolist() == [0, 1, 2]
    assert take_evenly(3, np.array([], int)).tolist() == []
    assert take_evenly(1, np.arange(9)).tolist() == [0]
