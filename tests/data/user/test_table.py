"""User tables: columns are detected, validation and test do not leak, and the command line accepts them."""

import gzip
import json
import zipfile

import numpy as np
import pytest
from command_line import CommandLine

from batchsel.data.user.references import load_by_name
from batchsel.data.user.table import load_table
from batchsel.errors import UsageError, UserError

N = 60


def rows():
    """Yield size: numbers, some missing; kind: three kinds; note: all different; same: constant; grade: the label."""
    generator = np.random.default_rng(0)
    for row in range(N):
        size = "" if row % 10 == 3 else f"{generator.normal(5, 2):.3f}"
        yield (size, "xyz"[row % 3], f"note {row}" if row < 55 else "", "1", "ab"[row % 2])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text("\n".join(map(",".join, [("size", "kind", "note", "same", "grade"), *rows()])) + "\n")
    return path


def test_every_column_is_detected_and_reported(table):
    dataset, found = load_table(f"{table}:grade")
    assert [column.text for column in found] == [
        "size: number, 6 missing",
        "kind: category of 3 kinds",
        "note: left out: text of 56 kinds, 5 missing",
        "same: left out: constant",
        "grade: label, 2 classes",
    ]
    assert dataset.class_names == ("a", "b")
    assert dataset.train.x.shape == (36, 4)
    assert [len(split) for split in dataset.splits.values()] == [36, 12, 12]
    every = np.concatenate([split.x for split in dataset.splits.values()])
    assert set(np.unique(every[:, 1:])) == {0.0, 1.0}
    assert (every[:, 1:].sum(axis=1) == 1).all()
    assert (every[:, 0] == 0).sum() == 6


def test_scaling_uses_the_training_split_only(table):
    dataset, _ = load_table(f"{table}:grade")
    size = dataset.train.x[:, 0][dataset.train.x[:, 0] != 0]
    assert size.mean() == pytest.approx(0, abs=1e-6)
    assert size.std() == pytest.approx(1, abs=1e-6)


def test_numbers_make_a_regression_and_few_whole_numbers_classes(tmp_path):
    path = tmp_path / "my.tsv"
    lines = [f"{row}\t{row * 0.37:.4f}\t{row % 4}" for row in range(N)]
    path.write_text("\n".join(["size\tvalue\tgrade", *lines]) + "\n")
    regression, _ = load_table(f"{path}:value")
    classes, _ = load_table(f"{path}:grade")
    assert (regression.task, regression.train.y.dtype) == ("regression", np.float32)
    assert (classes.task, classes.class_names) == ("classification", ("0", "1", "2", "3"))


def test_seed_changes_the_validation_split_only(table):
    first, second = (load_table(f"{table}:grade", seed)[0] for seed in (0, 1))
    assert first.split_fingerprint != second.split_fingerprint
    np.testing.assert_array_equal(first.test.y, second.test.y)


@pytest.mark.parametrize(
    ("text", "label", "said"),
    [
        ("a,b\n" + "1,x\n" * 9, "c", "has no column 'c' for the label. Its columns: a, b"),
        ("a,b\n" + "1,x\n" * 9, "b", "all labels are 'x'"),
        ("a,b\n1,\n2,x\n3,y\n", "b", "1 labels are missing, the first in row 0"),
        ("a,b\n" + "".join(f"{i},name{i}\n" for i in range(9)), "b", "9 classes in 9 rows; is this the column"),
        ("a,b\n" + "".join(f"1,{'xy'[i % 2]}\n" for i in range(9)), "b", "no feature is left: a: left out: constant"),
    ],
)
def test_unusable_tables_raise(tmp_path, text, label, said):
    path = tmp_path / "my.csv"
    path.write_text(text)
    with pytest.raises((UserError, UsageError), match=said):
        load_table(f"{path}:{label}")


def write_table(path, header, lines, delimiter=","):
    path.write_text("\n".join([delimiter.join(header), *(delimiter.join(line) for line in lines)]) + "\n")
    return path


def test_infinite_cells_do_not_hide_a_column(tmp_path):
    generator = np.random.default_rng(0)
    values = generator.normal(size=N)
    lines = [(f"{value:.4f}", "ab"[int(value > 0)]) for value in values]
    for row, word in ((3, "Infinity"), (20, "-inf"), (41, "1e400"), (50, "")):
        lines[row] = (word, lines[row][1])
    dataset, found = load_table(f"{write_table(tmp_path / 'my.csv', ('size', 'sign'), lines)}:sign")
    assert found[0].text == "size: number, 1 missing, 3 infinite, taken as missing"
    every = np.concatenate([split.x[:, 0] for split in dataset.splits.values()])
    assert (every == 0).sum() == 4
    assert 0.9 < dataset.train.x.std() < 1.1
    path = write_table(
        tmp_path / "y.csv", ("size", "sign"), [(f"{i}", "inf" if i == 7 else f"{i / 7}") for i in range(N)]
    )
    with pytest.raises(UserError, match="1 labels are infinite, the first in row 7"):
        load_table(f"{path}:sign")


def test_classes_may_be_called_like_missing_values(tmp_path):
    lines = [(f"{row % 7}", ("None", "NA", "mild")[row % 3]) for row in range(N)]
    path = write_table(tmp_path / "my.csv", ("size", "state"), lines)
    with pytest.raises(
        UserError, match=r"40 labels are missing.*If 'NA' and 'None' is a class.*my\.csv:missing=:state'"
    ):
        load_table(f"{path}:state")
    dataset, found = load_table(f"{path}:missing=:state")
    assert dataset.class_names == ("NA", "None", "mild")
    assert found[0].text == "size: number"
    lines = [("-999" if row == 4 else f"{row % 7}", line[1]) for row, line in enumerate(lines)]
    path = write_table(tmp_path / "my.csv", ("size", "state"), lines)
    dataset, found = load_table(f"{path}:missing=-999|unknown:state")
    assert (len(dataset.class_names), found[0].text) == (3, "size: number, 1 missing")


def test_tables_with_semicolons_and_decimal_commas_are_those_with_points(tmp_path):
    generator = np.random.default_rng(1)
    values = [(f"{generator.normal():.3f}", f"{1000 * generator.random():.2f}", "ab"[row % 2]) for row in range(N)]
    header = ("size", "cost", "grade")
    commas = [tuple(value.replace(".", ",") for value in line) for line in values]
    expected, _ = load_table(f"{write_table(tmp_path / 'a.csv', header, values)}:grade")
    for options in ("", ":delimiter=;", ":decimal=,", ":delimiter=;:decimal=,"):
        dataset, found = load_table(f"{write_table(tmp_path / 'b.csv', header, commas, ';')}{options}:grade")
        np.testing.assert_array_equal(dataset.train.x, expected.train.x)
        assert found[0].text == "size: number with a decimal comma"
    by_tab = f"{write_table(tmp_path / 'c.csv', header, commas, chr(9))}:delimiter=tab:grade"
    np.testing.assert_array_equal(load_table(by_tab)[0].train.x, expected.train.x)
    regression, _ = load_table(f"{tmp_path / 'b.csv'}:cost")
    assert regression.task == "regression"


@pytest.mark.parametrize("options", [":delimiter=", ":delimiter=ab", ":decimal=x"])
def test_options_without_meaning_are_refused(table, options):
    with pytest.raises(UsageError, match="must be"):
        load_table(f"{table}{options}:grade")


def test_parquet_table_loads(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "my.parquet"
    columns = {
        "size": [float(row) for row in range(N)],
        "kind": ["x", None] * (N // 2),
        "good": [True, False] * (N // 2),
    }
    parquet.write_table(pyarrow.table(columns), path)
    dataset, found = load_table(f"{path}:good")
    assert [column.text for column in found][:2] == ["size: number", "kind: category of 2 kinds, 30 missing"]
    assert dataset.class_names == ("False", "True")


def test_run_on_a_user_table(table, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    settings = ("--budget", "2", "--target", "accuracy>=0.01", "--json", "--progress", "off")
    done = command("run", "--dataset", "my.csv", "--label", "grade", *settings)
    assert done.code == 0, done.err
    assert json.loads(done.out)["spec"]["dataset"] == "my.csv:grade"
    for line in ("size: number, 6 missing", "note: left out: text of 56 kinds"):
        assert line in done.err
    done = command("run", "--dataset", "my.csv", *settings)
    assert done.code == 2
    assert "which column of my.csv holds the label?" in done.err


def test_a_column_for_each_pixel_makes_images(tmp_path):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (40, 16))
    lines = [",".join(map(str, [row % 2, *pixels[row]])) for row in range(40)]
    header = ",".join(["label", *(f"pixel{place}" for place in range(16))])
    (tmp_path / "a.csv").write_text("\n".join([header, *lines]) + "\n")
    text = (tmp_path / "a.csv").read_bytes()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "tabs.csv").write_bytes(text.replace(b",", b"\t"))
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.write(tmp_path / "a.csv", "a.csv")
    for name in ("a.csv.gz", "tabs.csv", "a.csv.zip"):
        np.testing.assert_array_equal(
            load_table(f"{tmp_path / name}:label")[0].train.x, load_table(f"{tmp_path / 'a.csv'}:label")[0].train.x
        )
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"label,pixel0\n" + b"1,0\n" * (1 << 23)))
    with pytest.raises(UserError, match="looks like a file made to fill the memory"):
        load_table(f"{tmp_path / 'bomb.csv.gz'}:label")
    dataset, found = load_table(f"{tmp_path / 'a.csv'}:label")
    assert dataset.input_shape == (4, 4, 1)
    assert [column.text for column in found] == ["pixel0, ...: images, 4×4×1", "label: label, 2 classes"]
    held = np.concatenate([part.x for part in dataset.splits.values()]).reshape(40, 16)
    assert sorted(map(tuple, held)) == sorted(map(tuple, pixels))


def reviews(count=40):
    words = np.array(["good", "bad", "film", "a", "the", "not", "very"])
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(words, 6)) + f" number{place}" for place in range(count)]


def test_sentences_beside_a_label_are_read_as_text(tmp_path):
    lines = [f"{'yes' if place % 2 else 'no'},{place % 7},{text}" for place, text in enumerate(reviews())]
    (tmp_path / "both.csv").write_text("good,stars,review\n" + "\n".join(lines) + "\n")
    (tmp_path / "alone.csv").write_text(
        "good,review\n"
        + "\n".join(line.replace(",", "|", 1).split("|")[0] + "," + line.split(",")[2] for line in lines)
        + "\n"
    )
    for name in ("alone.csv:good", "both.csv:text=review:good"):
        dataset, found = load_table(f"{tmp_path}/{name}")
        assert dataset.class_names == ("no", "yes")
        assert dataset.train.x.shape == (24, 7)
        assert found[0].text == f"review: text, {len(dataset.encoder.vocabulary)} words, 7 of each text"
        held_out = {word for text in dataset.raw_inputs("test") for word in text.split() if word.startswith("number")}
        assert not held_out & set(dataset.encoder.vocabulary)
    assert found[-1].text == "stars: left out: beside a column of texts"
    dataset, found = load_table(f"{tmp_path}/both.csv:good")
    assert dataset.encoder is None
    with pytest.raises(UsageError, match="no column 'words' for the texts"):
        load_table(f"{tmp_path}/both.csv:text=words:good")


def test_many_columns_are_described_in_one_short_line(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"f{number}" for number in range(60)]
    rows = [
        [f"{value:.2f}" for value in rng.random(60)] + ["ab"[row % 2], "x", "yn"[row % 3 == 0]] for row in range(30)
    ]
    rows[3][0] = ""
    text = "\n".join(",".join(row) for row in [[*names, "colour", "same", "label"], *rows])
    (tmp_path / "mine.csv").write_text(text)
    said = []
    load_by_name(f"{tmp_path}/mine.csv:label", 0, say=said.append)
    assert said == [
        "63 columns: label (label, 2 classes), 60 × number, 1 × category (colour), 1 × left out: constant (same);"
        " 1 missing values"
    ]


def test_an_unknown_column_is_answered_with_the_nearest_and_not_with_all(tmp_path):
    names = [f"feature{number}" for number in range(500)]
    (tmp_path / "mine.csv").write_text(",".join([*names, "species"]) + "\n" + (",".join(["1"] * 501) + "\n") * 9)
    with pytest.raises(UsageError) as error:
        load_table(f"{tmp_path}/mine.csv:spezies")
    assert "has no column 'spezies' for the label. Did you mean 'species'? Its columns: feature0, " in str(error.value)
    assert str(error.value).endswith("feature11 and 489 more.")
