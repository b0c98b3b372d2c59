"""The same samples in every form that users have them in are the same data set; what would be misread is refused."""

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batchsel.data.user.references import has_no_card, load_by_name
from batchsel.data.user.table_reference import is_table
from batchsel.errors import UserError

GENERATOR = np.random.default_rng(0)
FEATURES = np.round(GENERATOR.normal(size=(60, 3)), 3)
KINDS = GENERATOR.integers(0, 3, 60)
NAMES = ["length", "width", "depth", "species"]
ROWS = [[*map(str, row), f"kind {kind}"] for row, kind in zip(FEATURES, KINDS, strict=True)]
WORDS = ("good", "bad", "film", "gut", "schlecht", "Фильм", "très")
TEXTS = [" ".join(GENERATOR.choice(WORDS, 5)) + f" {number}" for number in range(60)]
PIXELS = GENERATOR.integers(0, 256, (40, 64), dtype=np.uint8)


def delimited(delimiter=",", header=True):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([NAMES, *ROWS] if header else ROWS)
    return out.getvalue()


def objects():
    return [
        {**dict(zip(NAMES, row.tolist(), strict=False)), "species": f"kind {kind}"}
        for row, kind in zip(FEATURES, KINDS, strict=True)
    ]


FORMS = {
    "a.csv": (delimited().encode(), ":species"),
    "mark.csv": (delimited().encode("utf-8-sig"), ":species"),
    "excel.csv": (("sep=;\n" + delimited(";")).encode(), ":species"),
    "unicode.csv": (delimited("\t").encode("utf-16"), ":species"),
    "blanks.csv": (delimited().replace("width", " width").replace("species", " species").encode(), ":species"),
    "space.csv": (delimited(" ").encode(), ":delimiter=space:species"),
    "headless.csv": (delimited(header=False).encode(), ":header=no:4"),
    "headless.tsv.gz": (gzip.compress(delimited("\t", header=False).encode()), ":header=no:4"),
    "a.jsonl": ("".join(json.dumps(row) + "\n" for row in objects()).encode(), ":label=species"),
    "a.ndjson.gz": (gzip.compress("\n".join(map(json.dumps, objects())).encode()), ":label=species"),
    "a.json": (json.dumps(objects(), indent=1).encode(), ":species"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_table_is_the_same_in_every_form(name, tmp_path):
    content, ending = FORMS[name]
    (tmp_path / name).write_bytes(content)
    found = load_by_name(f"{tmp_path / name}{ending}", 0)
    assert found.class_names == ("kind 0", "kind 1", "kind 2")
    x, y = (np.concatenate([getattr(part, axis) for part in found.splits.values()]) for axis in "xy")
    train = FEATURES[order(found)][: len(found.train)]
    np.testing.assert_allclose(
        x, (FEATURES[order(found)] - train.mean(axis=0)) / train.std(axis=0), rtol=1e-4, atol=1e-5
    )
    assert y.tolist() == KINDS[order(found)].tolist()


def order(found):
    """Rows of the file in the order of the splits, found by the standardized features, which keep their order."""
    x = np.concatenate([part.x for part in found.splits.values()])
    rows = np.empty(len(x), np.int64)
    rows[np.argsort(x[:, 0], kind="stable")] = np.argsort(FEATURES[:, 0], kind="stable")
    return rows


def test_a_column_that_numbers_the_rows_is_no_feature(tmp_path):
    numbered = [["", *NAMES], *([str(number), *row] for number, row in enumerate(ROWS))]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, numbered)))
    assert load_by_name(f"{tmp_path}/a.csv:species", 0).input_shape == (3,)
    shuffled = [numbered[0], *numbered[:0:-1]]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, shuffled)))
    assert load_by_name(f"{tmp_path}/a.csv:species", 0).input_shape == (4,)


def test_a_first_line_that_is_a_sample_is_pointed_out(tmp_path):
    (tmp_path / "a.csv").write_text(delimited(header=False))
    with pytest.raises(UserError, match="If the first line is a sample, .* as in .*a.csv:header=no:4'"):
        load_by_name(f"{tmp_path}/a.csv:species", 0)
    (tmp_path / "b.csv").write_text("1,1,2\n1,1,2\n")
    with pytest.raises(UserError, match="several columns are named '1'.* say header=no"):
        load_by_name(f"{tmp_path}/b.csv:1", 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n[1]\n', "line 2: expected a JSON object"),
        ('{"a": 1}\n{"a"\n', "line 2: not JSON"),
        ('[{"a": 1}, 2]', "object 1: expected a JSON object"),
        ('{"a": {"b": 1}}\n', "line 1, 'a' is an object"),
        ("{}\n", "holds no rows"),
        ("\n", "holds no rows"),
    ],
)
def test_json_that_is_no_table_is_refused(content, message, tmp_path):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=message):
        load_by_name(f"{tmp_path}/a.json:a", 0)


def test_json_lines_are_a_table_with_a_label_and_else_texts():
    assert is_table("./a.jsonl:label=stars")
    assert is_table("./a.jsonl:text=review:stars")
    assert not is_table("./a.jsonl:text=review")
    assert not is_table("./a.jsonl:review")
    assert not is_table("./a.jsonl")


def write_splits(folder: Path, form: str) -> str:
    """Write texts of which the last 20 are the test part, and return the name of the data set."""
    labels = [str(number % 2) for number in range(60)]
    for split, rows in (("train", range(40)), ("test", range(40, 60))):
        table = [["text", "stars"], *([TEXTS[row], labels[row]] for row in rows)]
        lines = "\n".join(map(",".join, table)) + "\n"
        if form == "csv":
            (folder / f"{split}.csv").write_text(lines)
        elif form == "front":
            (folder / f"reviews_{split}.csv").write_text(lines)
        elif form == "zip":
            with zipfile.ZipFile(folder / f"{split}.csv.zip", "w") as archive:
                archive.writestr(f"{split}.csv", lines)
        elif form == "jsonl":
            found = [json.dumps({"stars": int(label), "text": text}) for text, label in table[1:]]
            (folder / f"{split}.jsonl").write_text("\n".join(found))
        elif form == "shards":
            import pyarrow as pa
            import pyarrow.parquet as pq

            for shard in range(2):
                texts, stars = zip(*table[1 + shard * len(rows) // 2 : 1 + (shard + 1) * len(rows) // 2], strict=True)
                pq.write_table(
                    pa.table({"text": texts, "stars": stars}), folder / f"{split}-0000{shard}-of-00002.parquet"
                )
        else:
            for row in rows:
                path = folder / split / labels[row] / f"{row:05}{'.txt' if form == 'folders' else ''}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(TEXTS[row])
    return str(folder)


@pytest.mark.parametrize("form", ["csv", "front", "zip", "jsonl", "shards", "folders", "news groups"])
def test_texts_with_a_file_or_folder_for_each_split_are_the_same_in_every_form(form, tmp_path):
    name, said = write_splits(tmp_path, form), []
    assert has_no_card(name)
    found = load_by_name(name, 0, say=said.append)
    assert said[0].startswith("2 parts (40 train, 20 test): texts")
    assert found.class_names == ("0", "1")
    assert sorted(found.raw_inputs("test").tolist()) == sorted(TEXTS[40:])
    train = dict(zip(found.raw_inputs("train").tolist(), found.train.y.tolist(), strict=True))
    assert train | dict(zip(found.raw_inputs("validation").tolist(), found.validation.y.tolist(), strict=True)) == {
        text: number % 2 for number, text in enumerate(TEXTS[:40])
    }


def test_texts_without_labels_among_class_folders_are_said_and_not_read(tmp_path):
    write_splits(tmp_path, "folders")
    (tmp_path / "train" / "unsup").mkdir()
    (tmp_path / "train" / "unsup" / "1.txt").write_text("unknown")
    said = []
    assert load_by_name(f"{tmp_path}:subwords=300", 0, say=said.append).class_names == ("0", "1")
    assert said[0].endswith("2 classes by folder; not read: unsup")


def test_missing_shards_are_refused(tmp_path):
    write_splits(tmp_path, "shards")
    (tmp_path / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(UserError, match="1 of the 2 shards"):
        load_by_name(str(tmp_path), 0)


@pytest.mark.parametrize("label", ["", ":target"])
def test_a_test_file_without_labels_is_said_and_a_test_part_drawn(label, tmp_path):
    lines = [f"{number},{text},{number % 2}" for number, text in enumerate(TEXTS)]
    (tmp_path / "train.csv").write_text("id,text,target\n" + "\n".join(lines[:40]))
    (tmp_path / "test.csv").write_text("id,text\n" + "\n".join(line.rpartition(",")[0] for line in lines[40:]))
    said = []
    found = load_by_name(f"{tmp_path}{label}", 0, say=said.append)
    assert said[0] == f"the test file of {tmp_path} has no column 'target' and is not read"
    assert [len(part) for part in found.splits.values()] == [28, 4, 8]
    assert found.encoder is not None


def test_pixels_without_names_are_images(tmp_path):
    for split, rows in (("train", slice(0, 30)), ("test", slice(30, 40))):
        table = np.column_stack([np.arange(40) % 2, PIXELS])[rows]
        np.savetxt(tmp_path / f"mnist_{split}.csv", table, "%d", ",")
    found = load_by_name(f"{tmp_path}:header=no:1", 0)
    np.testing.assert_array_equal(found.test.x, PIXELS[30:].reshape(-1, 8, 8, 1))
    assert found.test.y.tolist() == [0, 1] * 5
    assert load_by_name(f"{tmp_path}/mnist_train.csv:header=no:1", 0).input_shape == (8, 8, 1)


IMAGES = PIXELS.reshape(-1, 8, 8)
CLASSES = np.arange(40) % 4


@pytest.mark.parametrize(
    "arrays",
    [
        {"x_train": IMAGES[:30], "y_train": CLASSES[:30], "x_test": IMAGES[30:], "y_test": CLASSES[30:]},
        {"X_train": IMAGES[:30], "Y_train": CLASSES[:30, None], "X_test": IMAGES[30:], "Y_test": CLASSES[30:, None]},
        {
            "train_images": IMAGES[:30],
            "train_labels": CLASSES[:30],
            "test_images": IMAGES[30:],
            "test_labels": CLASSES[30:],
        },
        {
            "x_train": IMAGES[:30, None],
            "y_train": np.eye(4)[CLASSES[:30]],
            "x_test": IMAGES[30:, None],
            "y_test": np.eye(4)[CLASSES[30:]],
        },
        {
            "xtrain": IMAGES[:30, ..., None],
            "ytrain": CLASSES[:30].astype(float),
            "xtest": IMAGES[30:, ..., None],
            "ytest": CLASSES[30:].astype(float),
        },
    ],
)
def test_arrays_are_found_by_the_names_that_libraries_give_them(arrays, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    found = load_by_name(f"{tmp_path}/a.npz", 0)
    np.testing.assert_array_equal(found.test.x, IMAGES[30:, ..., None])
    assert found.test.y.tolist() == CLASSES[30:].tolist()
    assert found.class_names == ("0", "1", "2", "3")


@pytest.mark.parametrize("images", [IMAGES / 255, IMAGES.astype(np.int64), np.stack([IMAGES] * 3, axis=1)])
def test_images_of_any_type_have_a_channel_at_the_end(images, tmp_path):
    np.savez(tmp_path / "a.npz", x=images, y=CLASSES)
    found = load_by_name(f"{tmp_path}/a.npz", 0)
    x = np.concatenate([part.x for part in found.splits.values()])
    expected = images.astype(np.float32)[:, None] if images.dtype == float else IMAGES[:, None]
    expected = np.moveaxis(np.broadcast_to(expected, (40, x.shape[-1], 8, 8)), 1, -1)
    assert sorted(x.reshape(40, -1).tolist()) == sorted(expected.reshape(40, -1).tolist())
    assert x.dtype == expected.dtype


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.where(CLASSES > 1, 1, -1), ("-1", "1")),
        (np.array(["cat", "dog"])[CLASSES % 2], ("cat", "dog")),
        (CLASSES * 1000 + np.arange(40), ()),
        (CLASSES + 0.5, ()),
        (CLASSES > 1, ("0", "1")),
    ],
)
def test_labels_of_arrays_are_classes_or_values_by_the_rule_of_tables(y, classes, tmp_path):
    np.savez(tmp_path / "a.npz", data=FEATURES[:40], target=y)
    said = []
    found = load_by_name(f"{tmp_path}/a.npz", 0, say=said.append)
    assert found.class_names == classes
    assert said[0].endswith(f"; {len(classes)} classes" if classes else "; a number to predict")
    chosen = np.concatenate([part.y for part in found.splits.values()])
    rows = [
        np.flatnonzero((FEATURES[:40].astype(np.float32) == x).all(axis=1))[0]
        for part in found.splits.values()
        for x in part.x
    ]
    expected = (
        y[rows]
        if not classes
        else [list(classes).index(str(int(one)) if y.dtype == bool else str(one)) for one in y[rows]]
    )
    np.testing.assert_allclose(chosen, expected)


def test_two_arrays_for_one_part_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=FEATURES, X=FEATURES, y=KINDS)
    with pytest.raises(UserError, match="has x and X for one part"):
        load_by_name(f"{tmp_path}/a.npz", 0)


def test_images_that_are_not_read_are_said_before_any_is_decoded(tmp_path):
    top, tmp_path = tmp_path, tmp_path / "animals"
    for name in ("cats/1", "cats/2", "cats/deep/3", "dogs/1", "dogs/2", "4"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[0]).save(path)
    said = []
    found = load_by_name(str(tmp_path), 0, say=said.append)
    assert sum(map(len, found.splits.values())) == 5
    assert said[0].endswith(f"; not read: images in {tmp_path.name} itself")
    with pytest.raises(UserError, match=r"holds 1 folder\. .* Name the folder one level down: .*"):
        load_by_name(str(top), 0)
