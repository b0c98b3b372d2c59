"""Files of each split: what `convert` writes is read back as it was, and other files as people have them."""

import numpy as np
import pytest

from batchsel import cards, data
from batchsel.data.convert import convert, official_arrays
from batchsel.data.dataset import Dataset, Split
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.user.split_files import add_option, is_split_files, load_split_files
from batchsel.errors import UserError


def made(shape, dtype, validation=True, classes=3, n=(60, 20, 30)):
    """Return a data set of made-up samples whose splits all have files of their own, or the validation split has none."""
    generator = np.random.default_rng(0)
    parts = []
    for count in n:
        x = generator.integers(0, 256, (count, *shape)).astype(dtype)
        parts.append(Split(x, np.arange(count, dtype=np.int32) % classes))
    rows = None
    if not validation:
        order = np.random.default_rng(1).permutation(n[0] + n[1])
        rows = data.splits.SplitRows(np.sort(order[: n[0]]), np.sort(order[n[0] :]), np.arange(n[2]))
    return Dataset("made", "classification", *parts, class_names=tuple("abc"[:classes]), rows=rows)


def joined(dataset, names):
    x = np.concatenate([dataset.splits[name].x for name in names])
    y = np.concatenate([dataset.splits[name].y for name in names])
    return x, y


def official(dataset):
    """Return training and test part, each in the order of the files, as one."""
    return {split: official_arrays(dataset, split) for split in ("train", "test")}


@pytest.mark.parametrize("form", ["csv", "npz"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (6, 6, 3)])
@pytest.mark.parametrize("validation", [True, False])
def test_images_come_back_with_equal_pixels_labels_and_parts(tmp_path, form, shape, validation):
    written = made(shape, np.uint8, validation)
    convert(written, form, tmp_path / "out")
    found = load_split_files(str(tmp_path / "out" / ("made.npz" if form == "npz" else "")))
    assert found.input_shape == shape
    if validation:
        for split in ("train", "validation", "test"):
            np.testing.assert_array_equal(found.splits[split].x, written.splits[split].x)
            np.testing.assert_array_equal(found.splits[split].y, written.splits[split].y)
    else:
        for split, (x, y) in official(written).items():
            np.testing.assert_array_equal(official_arrays(found, split)[0], x)
            np.testing.assert_array_equal(official_arrays(found, split)[1], y)


@pytest.mark.parametrize("name", ["iris", "wine", "boston_housing"])
def test_tables_come_back_with_the_same_features(tmp_path, name):
    try:
        written = data.load(cards.load("datasets", name), offline=True)
    except UserError:
        pytest.skip(f"{name} is not on this machine")
    convert(written, "csv", tmp_path / "out")
    found = load_split_files(str(tmp_path / "out"))
    assert found.task == written.task
    assert sorted(found.class_names) == sorted(written.class_names)
    assert len(found.test) == len(written.test)
    np.testing.assert_allclose(found.test.x.std(0) > 0, written.test.x.std(0) > 0)
    # Standardized by other training rows, features differ by a shift and a factor each.
    for column in range(written.test.x.shape[1]):
        correlation = np.corrcoef(found.test.x[:, column], written.test.x[:, column])[0, 1]
        assert correlation == pytest.approx(1, abs=1e-5)


def texts(count, seed):
    generator = np.random.default_rng(seed)
    words = np.array(["good", "bad", "film", "play", "a", "the", "not", "very"])
    return [" ".join(generator.choice(words, 5)) + f" {seed}{place}" for place in range(count)]


def test_texts_are_read_with_a_vocabulary_of_the_training_split(tmp_path):
    for split, count, seed in (("train", 50, 1), ("valid", 10, 2), ("test", 20, 3)):
        lines = [f'{"yes" if place % 2 else "no"},"{text}, end"' for place, text in enumerate(texts(count, seed))]
        (tmp_path / f"{split}.csv").write_text("label,text\n" + "\n".join(lines) + "\n")
    said = []
    found = load_split_files(str(tmp_path), say=said.append)
    assert said == ["3 parts (50 train, 10 validation, 20 test): texts"]
    assert found.class_names == ("no", "yes")
    assert [len(part) for part in found.splits.values()] == [50, 10, 20]
    assert "230" not in found.encoder.vocabulary
    np.testing.assert_array_equal(found.test.x, found.encoder.encode([f"{text}, end" for text in texts(20, 3)]))


def test_a_folder_without_a_validation_file_has_one_drawn(tmp_path):
    rows = "".join(f"{place % 2},{place}\n" for place in range(50))
    (tmp_path / "train.csv").write_text("label,size\n" + rows)
    (tmp_path / "test.csv").write_text("label,size\n0,7\n1,8\n")
    first, again, other = (load_split_files(str(tmp_path), seed) for seed in (0, 0, 1))
    assert [len(part) for part in first.splits.values()] == [45, 5, 2]
    np.testing.assert_array_equal(first.validation.x, again.validation.x)
    assert first.split_fingerprint != other.split_fingerprint


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.csv": "a,b\n1,2\n"}, "which column of .* holds the label"),
        ({"train.csv": "label,a\n1,2\n0,3\n", "test.csv": "label,b\n1,2\n"}, "has other columns than"),
        ({"train.csv": "label,a\n1,2\n0,3\n", "train.tsv": "label\ta\n1\t2\n"}, "for one split"),
        ({"train.csv": "label,pixel0,pixel1\n1,2,3\n0,2,3\n"}, "2 pixels, which make no square"),
        ({"train.csv": "label,pixel0\n1,2\n0,300\n"}, "Each pixel is a number from 0 to 255"),
        ({"train.csv": "label,pixel0\n1,2\n0,x\n"}, "not a table of pixels"),
        ({"train.csv": "label,pixel0\n1,2\n0,\n"}, "pixel"),
        ({"train.csv": "label,pixel0\n1,2\n0,3\n" * 1, "test.csv": "label,pixel0\n5,1\n"}, "occurs in none of"),
        ({"train.csv": "label,pixel0\n1,2\n1,3\n"}, "have one label"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        load_split_files(str(tmp_path))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros([4, 2])}, "has no x_train; it has x"),
        ({"x_train": np.zeros([4, 2]), "y_train": np.zeros(3, int)}, "a label for each sample"),
        ({"x_train": np.array(["a"] * 4), "y_train": np.zeros(4, int)}, "a label for each sample"),
        (
            {
                "x_train": np.zeros([40, 2]),
                "y_train": np.arange(40) % 2,
                "x_test": np.zeros([4, 3]),
                "y_test": np.zeros(4, int),
            },
            "another shape",
        ),
    ],
)
def test_archives_that_do_not_fit_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=said):
        load_split_files(str(tmp_path / "a.npz"))


def test_only_paths_are_files_of_splits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "train.csv").write_text("label,a\n")
    assert [is_split_files(name) for name in ("iris", "./iris", "./iris:label", "./nowhere")] == [
        False,
        True,
        True,
        False,
    ]


def test_samples_on_disk_are_written_in_the_order_of_the_files(tmp_path):
    resident = made((5, 5, 1), np.uint8, validation=False)
    sources = {
        split: data.sources.ArraySource(resident.splits[split].x, resident.splits[split].y) for split in resident.splits
    }
    streamed = Dataset("made", "classification", *sources.values(), class_names=("a", "b", "c"), rows=resident.rows)
    convert(resident, "csv", tmp_path / "a")
    convert(streamed, "csv", tmp_path / "b")
    for name in ("train.csv", "test.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_model_that_knows_fewer_words_than_the_data_is_refused(tmp_path):
    from batchsel.experiments.run.build_run import build_model
    from batchsel.experiments.spec.dataset_lookup import find_card
    from batchsel.experiments.spec.resolve import resolve

    lines = [f'{place % 2},"{text}"' for place, text in enumerate(texts(40, 1))]
    (tmp_path / "train.csv").write_text("label,text\n" + "\n".join(lines) + "\n")
    name = f"{tmp_path}/"
    card = find_card(name)
    assert card.defaults.model == "text_cnn"
    dataset = data.load(name)
    for model in ("lstm(vocabulary=20)", "text_cnn(vocabulary=20)", "transformer_classifier(vocabulary=20)"):
        spec = resolve({"dataset": name, "model": model, "target": "accuracy>=0.9"}, {}, card)
        with pytest.raises(UserError, match=f"knows 20 words, and the data have {len(dataset.encoder.vocabulary) + 2}"):
            build_model(spec, dataset)


def test_other_delimiters_are_found_out(tmp_path):
    rows = "".join(f"{place % 2};{place / 4}".replace(".", ",") + "\n" for place in range(40))
    (tmp_path / "train.csv").write_text("label;size\n" + rows)
    (tmp_path / "test.csv").write_text("label;size\n0;0,5\n1;1,5\n")
    for name in (f"{tmp_path}/", f"{tmp_path}/:label"):
        dataset = load_split_files(name)
        assert (dataset.feature_names, len(dataset.test)) == (("size",), 2)


def test_texts_that_come_split_are_encoded_by_subwords_where_asked(tmp_path):
    for split, count in (("train", 60), ("test", 20)):
        rows = [f'{place},"{text}",{"yes" if place % 2 else "no"}' for place, text in enumerate(texts(count, 1))]
        (tmp_path / f"{split}.csv").write_text("id,review,mood\n" + "\n".join(rows) + "\n")
    name = add_option(add_option(f"{tmp_path}:mood", "text", "review"), "subwords", 300)
    found = load_split_files(name)
    assert name.endswith(":text=review:subwords=300:mood")
    assert isinstance(found.encoder, PaddedSubwordEncoder)
    assert 257 < found.encoder.size <= 300
    assert [len(part) for part in found.splits.values()] == [54, 6, 20]
    np.testing.assert_array_equal(found.test.x, found.encoder.encode(texts(20, 1)))
    for wrong, said in {
        f"{tmp_path}:subwords=300:mood": "subwords are for texts, and .* has a table",
        f"{tmp_path}:text=remark:mood": "has no column 'remark' for the texts. Its columns: id, review",
        f"{tmp_path}:text=review:subwords=3:mood": "must be a whole number from 257",
    }.items():
        with pytest.raises(UserError, match=said):
            load_split_files(wrong)


def test_an_archive_of_one_part_is_split(tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 4))
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(100) % 2)
    found = load_split_files(str(tmp_path / "a.npz"))
    assert [len(part) for part in found.splits.values()] == [70, 10, 20]
    rows = {tuple(row) for part in found.splits.values() for row in part.x.tolist()}
    assert rows == {tuple(row) for row in x.astype(np.float32).tolist()}
    with pytest.raises(UserError, match="holds numbers, without columns. Leave the rest of"):
        load_split_files(f"{tmp_path}/a.npz:label")
