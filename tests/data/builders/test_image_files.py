"""Image folders: listed in the same order everywhere, decoded once, read row by row, with errors for broken files."""

import dataclasses
import zipfile

import numpy as np
import pytest
from command_line import CommandLine
from PIL import Image

from batchsel import Trainer, cards, data
from batchsel.data.builders.decoded_images import decode_images
from batchsel.data.builders.image_files import ImageFiles, decode_image_file
from batchsel.data.builders.image_folders import list_images
from batchsel.data.user.image_folder import is_image_folder, load_image_folder
from batchsel.data.verification import count_duplicates
from batchsel.errors import UsageError, UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(folder, classes, count, size=(8, 8), ending="png", mode="RGB", first=0):
    """Write images whose mean grows with their number, so that they can be identified."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            value = (40 * label + 3 * (first + number)) % 256
            Image.new(mode, size, value if mode == "L" else (value, 255 - value, 7)).save(
                folder / name / f"{first + number:04d}.{ending}"
            )


def test_folder_of_class_folders_is_split_by_share(tmp_path):
    write(tmp_path / "pets", ["cats", "dogs"], 40)
    dataset, lines = load_image_folder(str(tmp_path / "pets"))
    assert {split: len(held) for split, held in dataset.splits.items()} == {"train": 56, "validation": 8, "test": 16}
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.train.x.shape == (56, 8, 8, 3)
    for split in dataset.splits.values():
        assert (np.bincount(split.y) == len(split) // 2).all()
    values = [split.x[:, 0, 0, 0] for split in dataset.splits.values()]
    assert sorted(np.concatenate(values)) == sorted([3 * i for i in range(40)] + [40 + 3 * i for i in range(40)])
    assert lines == ["2 classes: cats, dogs", "8 by 8 pixels, color; 56 train, 8 validation, 16 test"]
    assert load_image_folder(str(tmp_path / "pets"))[0].split_fingerprint == dataset.split_fingerprint
    other = load_image_folder(str(tmp_path / "pets"), seed=1)[0]
    np.testing.assert_array_equal(other.test.x, dataset.test.x)
    assert other.split_fingerprint != dataset.split_fingerprint


@pytest.mark.parametrize(("second", "third"), [("val", None), ("test", None), ("valid", "test")])
def test_folders_of_splits_are_kept(tmp_path, second, third):
    for number, split in enumerate(filter(None, ("train", second, third))):
        write(tmp_path / "pets" / split, ["cats", "dogs"], 20, first=20 * number)
    dataset = load_image_folder(str(tmp_path / "pets"))[0]
    means = {split: sorted(set(held.x[:, 0, 0, 0] // 3)) for split, held in dataset.splits.items()}
    expected = range(40, 60) if third else range(20, 40)
    assert set(expected) <= set(means["test"])
    assert len(dataset.test) == 40
    assert len(dataset.validation) == (40 if third else 4)


def test_gray_images_of_several_sizes_are_scaled(tmp_path):
    write(tmp_path / "a", ["x", "y"], 5, (80, 100), "jpg", "L")
    write(tmp_path / "a", ["x", "y"], 5, (30, 20), "png", "L", first=5)
    assert load_image_folder(str(tmp_path / "a"))[0].input_shape == (64, 64, 1)
    assert load_image_folder(f"{tmp_path / 'a'}:size=16")[0].input_shape == (16, 16, 1)


def test_image_is_cropped_to_its_center(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (decode_image_file(tmp_path / "a.png", (10, 10, 3)) == 200).all()


def broken_among(folder, count=1000):
    write(folder, ["a", "b"], count // 2, (4, 4), "jpg")
    path = folder / "b" / "0017.jpg"
    path.write_bytes(path.read_bytes()[:100])
    return path


def test_broken_jpeg_is_named_and_skipped_only_on_request(tmp_path):
    path = broken_among(tmp_path / "a")
    for _ in range(2):
        with pytest.raises(UserError, match=rf"1 of 1,000 images cannot be decoded: {path}\. Download them again"):
            load_image_folder(str(tmp_path / "a"))
    dataset, lines = load_image_folder(f"{tmp_path / 'a'}:skip_broken")
    assert sum(map(len, dataset.splits.values())) == 999
    assert lines[-1] == "left out: 1 broken images"
    write(tmp_path / "a", ["a", "b"], 18, (4, 4), "jpg")  # mended
    assert sum(map(len, load_image_folder(str(tmp_path / "a"))[0].splits.values())) == 1000


def test_images_are_decoded_once(tmp_path, monkeypatch):
    write(tmp_path / "a", ["x", "y"], 20)
    first = load_image_folder(str(tmp_path / "a"))[0]
    monkeypatch.setattr("batchsel.data.builders.decoded_images.decode_image_file", None)
    np.testing.assert_array_equal(load_image_folder(str(tmp_path / "a"))[0].train.x, first.train.x)


def test_interrupted_decoding_leaves_nothing_behind(tmp_path, monkeypatch):
    write(tmp_path / "a", ["x", "y"], 20)

    def interrupted(path, shape):
        raise KeyboardInterrupt

    monkeypatch.setattr("batchsel.data.builders.decoded_images.decode_image_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_image_folder(str(tmp_path / "a"))
    assert list((tmp_path / "cache" / "batchsel" / "pictures").iterdir()) == []


@pytest.mark.parametrize("why", ["no space", "no folder", "damaged rows", "no list"])
def test_images_are_decoded_on_access_if_rows_cannot_be_written(tmp_path, monkeypatch, why):
    write(tmp_path / "a", ["x", "y"], 20)
    expected = load_image_folder(str(tmp_path / "a"))[0]
    cache = tmp_path / "cache" / "batchsel" / "pictures"
    if why == "damaged rows":
        (rows,) = cache.glob("*.npy")
        rows.write_bytes(rows.read_bytes()[:200])
    elif why == "no list":
        next(cache.glob("*.txt")).unlink()
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    if why == "no space":
        monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100})())
    elif why == "no folder":
        (tmp_path / "other").write_text("a file")
    found = load_image_folder(str(tmp_path / "a"))[0]
    for split in expected.splits:
        np.testing.assert_array_equal(found.splits[split].x, expected.splits[split].x)
    if why == "no space":
        with pytest.raises(UserError, match="cannot be written: .* needs 7.7 kB in .* where 100 B are free"):
            load_image_folder(f"{tmp_path / 'a'}:skip_broken")


def test_sixteen_bits_are_scaled_and_photographs_turned_upright(tmp_path):
    deep = np.full((8, 8), 0x8000, np.uint16)
    deep[:4] = 0x1000
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert decode_image_file(tmp_path / "deep.png", (8, 8, 1))[[0, 7], 0, 0].tolist() == [0x10, 0x80]
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, 8:] = 250
    turned = Image.Exif()
    turned[274] = 6
    Image.fromarray(pixels).save(tmp_path / "held.png", exif=turned)
    upright = decode_image_file(tmp_path / "held.png", (16, 16, 3))
    assert upright[[0, 15], :, 0].mean(axis=1).tolist() == [0, 250]


def test_dangling_link_is_a_broken_image(tmp_path):
    write(tmp_path / "a", ["x", "y"], 20)
    (tmp_path / "a" / "x" / "zz.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"1 of 41 images cannot be decoded: .*zz.png"):
        load_image_folder(str(tmp_path / "a"))
    assert sum(map(len, load_image_folder(f"{tmp_path / 'a'}:skip_broken")[0].splits.values())) == 40


def test_test_split_may_lack_classes_but_not_add_any(tmp_path):
    write(tmp_path / "a" / "train", ["x", "y"], 20)
    write(tmp_path / "a" / "test", ["x"], 5)
    assert np.bincount(load_image_folder(str(tmp_path / "a"))[0].test.y).tolist() == [5]
    write(tmp_path / "a" / "test", ["owls"], 5)
    with pytest.raises(UserError, match="has the classes owls, which the training split lacks"):
        load_image_folder(str(tmp_path / "a"))


def test_class_may_have_the_name_of_a_split(tmp_path):
    write(tmp_path / "a", ["car", "plane", "train"], 10)
    assert load_image_folder(str(tmp_path / "a"))[0].class_names == ("car", "plane", "train")


def test_large_set_stays_on_disk_and_matches_one_in_memory(tmp_path, monkeypatch):
    write(tmp_path / "a", ["x", "y"], 60)
    for number in range(80):
        Image.new("RGB", (8, 8), "red").save(tmp_path / "a" / "x" / f"red{number}.png")
    resident = load_image_folder(str(tmp_path / "a"))[0]
    monkeypatch.setattr("batchsel.data.dataset.MEMORY_LIMIT", 1000)
    streamed = load_image_folder(str(tmp_path / "a"))[0]
    assert not isinstance(streamed.train, data.Split)
    x, y = streamed.train.take(np.arange(len(streamed.train)))
    np.testing.assert_array_equal(x, resident.train.x)
    np.testing.assert_array_equal(y, resident.train.y)
    assert streamed.input_shape == resident.input_shape
    assert streamed.split_fingerprint == resident.split_fingerprint
    assert count_duplicates(streamed) == count_duplicates(resident)
    assert count_duplicates(resident)["test"] > 0


def test_image_files_are_a_source(tmp_path):
    write(tmp_path, ["x", "y"], 20)
    listed = list_images(tmp_path, ["x", "y"])
    source = ImageFiles(*listed, (8, 8, 3))
    rows, sound = decode_images(source, "mine")
    x, y = source.take(np.array([5, 39, 5]))
    np.testing.assert_array_equal(x, rows.take(np.array([5, 39, 5]))[0])
    assert y.tolist() == [0, 1, 0]
    assert len(sound) == 40
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trainer = Trainer(model, batch_size=8)
    trainer.fit(source, epochs=2, verbose=0)
    assert trainer.counts["samples"] == 80


@pytest.mark.parametrize(
    ("classes", "message"),
    [([], "holds no folders"), (["x"], "holds 1 folder. Expected one for each class"), (["x", "y"], "no images")],
)
def test_folders_without_classes_raise(tmp_path, classes, message):
    for name in classes:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=message):
        load_image_folder(str(tmp_path))


def test_names_of_image_folders_are_parsed(tmp_path):
    assert is_image_folder(f"{tmp_path}:size=32:skip_broken")
    assert is_image_folder(f"{tmp_path}:skip_broken:size=32")
    assert not is_image_folder(f"{tmp_path}:size=0")
    assert not is_image_folder(f"{tmp_path}\n")
    assert not is_image_folder("./nowhere/at/all")
    with pytest.raises(UsageError, match="there is no folder"):
        load_image_folder("./nowhere/at/all")


@pytest.fixture
def cinic():
    card = cards.load("datasets", "cinic10")
    sizes = dataclasses.replace(card.sizes, train=20, validation=20, test=20)
    return dataclasses.replace(card, sizes=sizes, files=())


def write_cinic(folder, ending="png"):
    for number, split in enumerate(("train", "valid", "test")):
        write(folder / split, cards.load("datasets", "cinic10").class_names, 2, (32, 32), ending, first=2 * number)


def test_cinic_loads_from_its_archive_and_unpacked(cinic, tmp_path):
    write_cinic(tmp_path / "made" / "CINIC-10")
    (tmp_path / "data" / "cinic10").mkdir(parents=True)
    import tarfile

    with tarfile.open(tmp_path / "data" / "cinic10" / "CINIC-10.tar.gz", "w:gz") as archive:
        for split in ("train", "valid", "test"):
            archive.add(tmp_path / "made" / "CINIC-10" / split, f"./{split}")
    packed = data.load(cinic, folder=tmp_path / "data", offline=True)
    assert data.find(cinic, folder=tmp_path / "data") == "folders of classes"
    assert packed.validation.x[0, 0, 0, 0] == 3 * 2
    (tmp_path / "other").mkdir()
    (tmp_path / "made" / "CINIC-10").rename(tmp_path / "other" / "cinic10")
    unpacked = data.load(cinic, folder=tmp_path / "other", offline=True)
    for split in packed.splits:
        np.testing.assert_array_equal(packed.splits[split].x, unpacked.splits[split].x)
    next((tmp_path / "other" / "cinic10" / "test" / "cat").iterdir()).unlink()
    with pytest.raises(UserError, match="the folders hold 19 in test instead of 20 images"):
        data.load(cinic, folder=tmp_path / "other", offline=True)


def test_archive_with_names_outside_leaves_nothing_behind(cinic, tmp_path):
    (tmp_path / "cinic10").mkdir()
    card = dataclasses.replace(cinic, options={**cinic.options, "archive": "CINIC-10.zip"})
    with zipfile.ZipFile(tmp_path / "cinic10" / "CINIC-10.zip", "w") as archive:
        archive.writestr("../../climbed.txt", "out")
    with pytest.raises(UserError, match="climbed"):
        data.load(card, folder=tmp_path, offline=True)
    assert not (tmp_path.parent / "climbed.txt").exists()
    assert [path.name for path in (tmp_path / "cinic10").iterdir() if path.is_dir()] == []


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capfd)


def test_run_on_user_images(command, tmp_path, monkeypatch):
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(60):
            Image.new("L", (8, 8), 150 * label + number).save(tmp_path / "pictures" / name / f"{number}.png")
    words = [
        "run",
        "--dataset",
        "images",
        "--file",
        "pictures",
        "--model",
        "mlp",
        "--budget",
        "20",
        "--target",
        "accuracy>=0.9",
        "--progress",
        "off",
    ]
    result = command(*words)
    assert result.code == 0, result.err
    assert "2 classes: dark, light" in result.err
    assert "8 by 8 pixels, gray; 84 train, 12 validation, 24 test" in result.err
    monkeypatch.setattr("batchsel.data.dataset.MEMORY_LIMIT", 10)
    assert command(*words, "--selector", "loss_ema", "--out", "streamed").code == 0
    assert "which images? Give --file a folder" in command("run", "--dataset", "images").err
    assert "expected a folder of images" in command("run", "--dataset", "images", "--file", "nowhere").err
