"""`batchsel spirals`: the same points in CSV, npz and picture, and no half-written file."""

import csv
import io

import numpy as np
import pytest
from click.testing import CliRunner
from data_files import full_disk, read_only_folder
from PIL import Image

from batchsel.cli.commands.spirals import spirals
from batchsel.data.sets.spirals import difficulty, make_spirals
from batchsel.data.user.references import load_by_name
from batchsel.errors import UsageError, UserError

FEW = ["--samples", "90", "--arms", "3", "--turns", "1.5", "--noise", "0.05", "--seed", "4"]
X, Y = make_spirals(90, arms=3, turns=1.5, noise=0.05, seed=4)
DIFFICULTY = difficulty(X, Y, arms=3, turns=1.5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(spirals, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_csv_has_points_and_labels(folder):
    assert run(*FEW, "--out", "spirals.csv").stdout == "spirals.csv: 90 points on 3 arms\n"
    text = (folder / "spirals.csv").read_text()
    assert text.startswith("x1,x2,label\n")
    table = np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1)
    np.testing.assert_array_equal(table[:, :2].astype(np.float32), X)  # to the last bit
    np.testing.assert_array_equal(table[:, 2], Y)


def test_npz_with_difficulty(folder):
    run(*FEW, "--out", "spirals.npz", "--difficulty")
    with np.load(folder / "spirals.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["difficulty", "x", "y"]
        np.testing.assert_array_equal(arrays["x"], X)
        np.testing.assert_array_equal(arrays["y"], Y)
        np.testing.assert_allclose(arrays["difficulty"], DIFFICULTY)
    run(*FEW, "--out", "spirals.npz")
    with np.load(folder / "spirals.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["x", "y"]


def test_without_files_the_table_goes_to_standard_output(folder):
    rows = list(csv.DictReader(io.StringIO(run(*FEW, "--difficulty").stdout)))
    assert list(rows[0]) == ["x1", "x2", "label", "difficulty"]
    np.testing.assert_allclose([float(row["difficulty"]) for row in rows], DIFFICULTY, rtol=1e-7)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("extra", [[], ["--difficulty"]])
def test_plot_shows_the_points(folder, extra):
    line = run("--plot", "spirals.png", *extra).stdout
    assert line == "spirals.png: 2 arms, 2 turns, noise 0.02, n = 2000, seed 0\n"
    with Image.open(folder / "spirals.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert min(pixels.shape[:2]) >= 1000
    colorful = np.ptp(pixels, axis=2) > 60
    assert 0.02 < colorful.mean() < 0.4, "neither empty nor one blot"
    hues = {tuple(pixel // 64) for pixel in pixels[colorful]}
    assert len(hues) >= (6 if extra else 2)


def test_plot_on_given_axes():
    from matplotlib.figure import Figure

    from batchsel.analysis.plots.spirals import plot_spirals

    axes = Figure().add_subplot()
    plot_spirals(axes, X, Y)
    drawn = np.concatenate([points.get_offsets() for points in axes.collections])
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(X, axis=0))
    assert axes.get_aspect() == 1
    assert axes.get_xlim() == axes.get_ylim()
    colors = {tuple(points.get_facecolor()[0]) for points in axes.collections}
    assert len(colors) == 3


def test_plot_can_be_svg(folder):
    run(*FEW, "--plot", "spirals.svg")
    assert "<svg" in (folder / "spirals.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--samples", "3", "--arms", "4"], "samples must be at least one for each of the 4 arms, got 3"),
        (["--noise", "-1"], "noise must be a number of 0 or more, got -1.0"),
        (["--turns", "0"], "turns must be a number above 0"),
        (["--arms", "1"], "arms must be 2 or more, got 1"),
        (["--out", "spirals.txt"], r"--out writes \.csv or \.npz, got 'spirals\.txt'"),
        (["--plot", "spirals"], r"--plot writes \.png, \.svg or \.pdf"),
    ],
)
def test_wrong_usage_leaves_no_file(folder, arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        run("--out", "a.csv", "--plot", "a.png", *arguments)
    assert list(folder.iterdir()) == []


def test_word_instead_of_a_number_is_a_usage_error(folder):
    result = CliRunner().invoke(spirals, ["--arms", "two"])
    assert result.exit_code == 2
    assert "'two' is not a valid integer" in result.stderr


@pytest.mark.parametrize("option", ["--out=missing/a.csv", "--plot=missing/a.png"])
def test_missing_folder_is_an_error(folder, option):
    with pytest.raises(UserError, match=r"cannot write missing/a\.\w+: No such file or directory"):
        run(*FEW, option)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.npz", "a.png"])
def test_full_disk_leaves_the_old_file(folder, name):
    old = folder / name
    old.write_text("old")
    option = "--plot" if name == "a.png" else "--out"
    with full_disk(2_000), pytest.raises(UserError, match=r"cannot write .*File too large.*unharmed"):
        run("--samples", "3000", option, name)
    assert old.read_text() == "old"
    assert list(folder.iterdir()) == [old]


def test_read_only_folder_is_an_error():
    with read_only_folder() as folder, pytest.raises(UserError, match=r"cannot write .*Permission denied"):
        run(*FEW, "--out", str(folder / "a.csv"))


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_has_an_example(option):
    text = run(option).stdout
    assert "batchsel spirals --arms 3 --out spirals.csv" in text
    assert "[default: 2000]" in text


@pytest.mark.parametrize("name", ["a.csv:label", "a.npz"])
def test_files_are_read_back_without_what_was_made_from_the_label(folder, name):
    run("--samples", "300", "--difficulty", "--out", name.partition(":")[0])
    said = []
    dataset = load_by_name(name if name.endswith("label") else f"./{name}", 0, say=said.append)
    assert dataset.input_shape == (2,)
    assert (dataset.task, sum(map(len, dataset.splits.values()))) == ("classification", 300)
    assert ("difficulty: left out: made from the label" in said) == (name == "a.csv:label")
