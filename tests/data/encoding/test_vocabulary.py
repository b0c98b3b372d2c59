"""Texts: the vocabulary comes from the training split, and every official form loads the same data."""

import dataclasses
import gzip
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from batchsel import cards, data
from batchsel.data.encoding.vocabulary import PADDING, UNKNOWN, WordEncoder, learn_word_encoder
from batchsel.data.encoding.words import normalize
from batchsel.data.verification import verify
from batchsel.errors import UserError

WORDS = ["bad", "awful", "poor", "sad", "good", "great", "fine", "glad"]


def tweets(n, seed=0):
    """Return alternating labels 0 and 4, and short texts with matching words."""
    generator = np.random.default_rng(seed)
    for row in range(n):
        words = [WORDS[4 * (row % 2) + generator.integers(4)] for _ in range(generator.integers(1, 6))]
        yield ("04"[row % 2], f'{" ".join(words)}, "really" no. {row}')


def quoted(*values):
    return ",".join('"' + value.replace('"', '""') + '"' for value in values)


@pytest.fixture
def card():
    sizes = dataclasses.replace(cards.load("datasets", "sentiment140_sample").sizes, train=80, validation=20, test=10)
    return dataclasses.replace(cards.load("datasets", "sentiment140_sample"), sizes=sizes, content={})


def write(folder, form):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("sentiment140_random", list(tweets(100))), ("sentiment140_test", list(tweets(10, seed=1)))):
        text = "\n".join(["target,text", *(quoted(*row) for row in rows), quoted("2", "so so")]) + "\n"
        if form == "gzip":
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name}.csv").write_text(text, "utf-8")


@pytest.mark.parametrize("form", ["gzip", "plain"])
def test_labeled_texts_in_a_table_load(card, tmp_path, form):
    write(tmp_path / "sentiment140", form)
    dataset = data.load(card, folder=tmp_path)
    assert [len(split) for split in dataset.splits.values()] == [80, 20, 10]
    assert dataset.train.x.dtype == np.int32
    assert dataset.train.x.shape == (80, 40)
    assert (np.bincount(dataset.validation.y) == 10).all()
    assert data.find(card, folder=tmp_path).startswith("sentiment140_random.csv")
    # The words of the text, in their order, stand in front; each row number occurs once, so it is known in training.
    row = list(tweets(10, seed=1))[3][1]
    expected = [word.strip('",.').lower() for word in row.replace('"', "").split()]
    numbers = {word: place + 2 for place, word in enumerate(dataset.encoder.vocabulary)}
    assert dataset.test.x[3][: len(expected)].tolist() == [numbers.get(word, UNKNOWN) for word in expected]
    assert (dataset.test.x[3][len(expected) :] == PADDING).all()


def test_vocabulary_is_learned_on_the_training_split_only(card, tmp_path):
    write(tmp_path / "sentiment140", "plain")
    first, second = (data.load(card, seed, folder=tmp_path) for seed in (0, 1))
    for dataset in (first, second):
        seen = {int(word) for word in dataset.encoder.vocabulary if word.isdigit()}
        assert len(seen) == 80  # every tweet has a number of its own
    assert set(first.encoder.vocabulary) != set(second.encoder.vocabulary)


def test_frequent_words_come_first_and_others_are_unknown():
    encoder = learn_word_encoder(["b a b", "b A! c"], words=4, length=4)
    assert encoder.vocabulary == ("b", "a")
    assert encoder.encode(["a, c B", ""]).tolist() == [[3, 1, 2, 0], [0, 0, 0, 0]]
    assert WordEncoder(("b", "a"), 2).encode(["a b c"]).tolist() == [[3, 2]]
    with pytest.raises(UserError, match="there is no word in any of the texts"):
        learn_word_encoder(["", "..."], words=4, length=4)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (quoted("3", "what"), "the label '3' in row 0 is not one of 0, 4"),
        (quoted("0", "  "), "1 texts are empty, the first in row 0"),
        (quoted("0", "a", "b"), "line 2: 3 values"),
    ],
)
def test_errors_in_a_file_are_named(card, tmp_path, line, said):
    write(tmp_path / "sentiment140", "plain")
    path = tmp_path / "sentiment140" / "sentiment140_random.csv"
    path.write_text("target,text\n" + line + "\n" + path.read_text("utf-8").partition("\n")[2], "utf-8")
    with pytest.raises(UserError, match=said):
        data.load(card, folder=tmp_path)


def test_missing_files_are_named(card, tmp_path):
    with pytest.raises(
        UserError, match=r"sentiment140_sample is not in .* or sentiment140_random\.csv \(or \.csv\.gz\)"
    ):
        data.load(card, folder=tmp_path, offline=True)
    assert data.find(card, folder=tmp_path) is None
    write(tmp_path / "sentiment140", "plain")
    with pytest.raises(
        UserError, match=r"sentiment140_random\.csv is another data set, a sample .*: sentiment140_sample"
    ):
        data.load("sentiment140", folder=tmp_path, offline=True)


def official_files(folder, rows):
    """Write the two tables of Sentiment140 in their official form; rows repeat in the training table."""
    folder.mkdir(exist_ok=True)
    names = {"training.1600000.processed.noemoticon.csv": rows + rows[:50], "testdata.manual.2009.06.14.csv": rows[:10]}
    for name, held in names.items():
        lines = [quoted(label, "17", "a day", "NO_QUERY", "who", text) for label, text in held]
        (folder / name).write_text("\n".join(lines) + "\n", "latin-1")


def test_a_sample_is_drawn_from_the_official_files_each_text_once(card, tmp_path):
    rows = list(tweets(300))
    official_files(tmp_path / "sentiment140", rows)
    first, second = (data.load(card, seed, folder=tmp_path, offline=True) for seed in (0, 1))
    assert [len(split) for split in first.splits.values()] == [80, 20, 10]
    drawn = [np.concatenate([each.raw_inputs(split) for split in ("train", "validation")]) for each in (first, second)]
    assert sorted(drawn[0]) == sorted(drawn[1])  # the seed chooses the validation part alone
    assert len(set(drawn[0])) == 100
    assert set(drawn[0]) < {text for _, text in rows}
    assert set(drawn[0]) != {text for _, text in rows[:100]}
    assert np.bincount(np.concatenate([first.train.y, first.validation.y])).tolist() == [50, 50]
    assert verify(card, folder=tmp_path).compared == []
    assert "training.1600000" in data.find(card, folder=tmp_path)
    write(tmp_path / "sentiment140", "plain")  # the sample at hand comes first
    assert data.find(card, folder=tmp_path).startswith("sentiment140_random.csv")
    few = dataclasses.replace(card, sizes=dataclasses.replace(card.sizes, train=290))
    (tmp_path / "sentiment140" / "sentiment140_test.csv").unlink()
    with pytest.raises(UserError, match="draws 310 texts, but the files hold 300 different ones"):
        data.load(few, folder=tmp_path, offline=True)


def test_official_archive_and_its_files_load(tmp_path):
    full = cards.load("datasets", "sentiment140")
    sizes = dataclasses.replace(full.sizes, train=80, validation=20, test=10)
    full = dataclasses.replace(full, sizes=sizes, content={})
    folder = tmp_path / "sentiment140"
    folder.mkdir()
    rows = {"training.1600000.processed.noemoticon.csv": tweets(100), "testdata.manual.2009.06.14.csv": tweets(10, 1)}
    texts = {
        name: "\n".join(quoted(label, "17", "a day", "NO_QUERY", "who", text + " caf\xe9") for label, text in held)
        + "\n"
        for name, held in rows.items()
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("latin-1"))
    loose = data.load(full, folder=tmp_path)
    for name in texts:
        os.remove(folder / name)
    with zipfile.ZipFile(folder / "trainingandtestdata.zip", "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text.encode("latin-1"))
    packed = data.load(full, folder=tmp_path)
    assert "café" in packed.encoder.vocabulary
    np.testing.assert_array_equal(loose.train.x, packed.train.x)
    assert data.find(full, folder=tmp_path) == "trainingandtestdata.zip"


def test_a_test_part_is_drawn_where_there_is_only_the_training_file(tmp_path, capfd):
    """As Kaggle serves Sentiment140: sorted by label."""
    full = cards.load("datasets", "sentiment140")
    sizes = dataclasses.replace(full.sizes, train=80, validation=20, test=10)
    full = dataclasses.replace(full, sizes=sizes, content={}, options={**full.options, "drawn_test": 30})
    folder = tmp_path / "sentiment140"
    folder.mkdir()
    lines = [quoted(label, str(row), "a day", "NO_QUERY", "who", text) for row, (label, text) in enumerate(tweets(100))]
    (folder / "training.1600000.processed.noemoticon.csv").write_text("\n".join(sorted(lines)) + "\n", "latin-1")
    first, second = (data.load(full, seed, folder=tmp_path) for seed in (0, 1))
    assert "sentiment140 has no test file here; 30 of its training rows are the test part" in capfd.readouterr().err
    assert [len(split) for split in first.splits.values()] == [50, 20, 30]
    assert np.bincount(first.test.y).tolist() == [15, 15]
    assert first.raw_inputs("test").tolist() == second.raw_inputs("test").tolist()
    parts = np.concatenate([first.raw_inputs(split) for split in first.splits])
    assert sorted(parts) == sorted(text for _, text in tweets(100))
    assert verify(full, folder=tmp_path).compared == []
    whole = dataclasses.replace(full, sizes=dataclasses.replace(sizes, train=90))
    with pytest.raises(UserError, match="50 train samples instead of 60"):
        verify(whole, folder=tmp_path)
    table = folder / "training.1600000.processed.noemoticon.csv"
    content = table.read_bytes()
    table.unlink()
    for name in ("archive.zip", "sentiment140.zip", f"{table.name}.zip"):  # Kaggle's page, its client, a file of it
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(table.name, content)
        assert data.load(full, 0, folder=tmp_path).raw_inputs("test").tolist() == first.raw_inputs("test").tolist()
        (folder / name).unlink()


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("BATCHSEL_DATA"), reason="BATCHSEL_DATA is not set")
def test_real_sample_loads():
    dataset = data.load(cards.load("datasets", "sentiment140_sample"), offline=True)
    assert [len(split) for split in dataset.splits.values()] == [60_839, 5_000, 359]
    assert np.bincount(dataset.test.y).tolist() == [177, 182]
    known = (dataset.test.x > UNKNOWN).sum() / (dataset.test.x > PADDING).sum()
    assert known > 0.9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Мир, мир! Über ÜBER", "мир мир über über"),
        ("work.I do; I&amp;you &quot;yes&quot; &#39;no&#39;", "work i do i you yes no"),
        ("don't DON’T snake_case 3.5 a-b", "dont dont snake case 3 5 a b"),
        ("我爱你。abc你", "我 爱 你 abc 你"),
        ("こんにちは", "こ ん に ち は"),
        ("สวัสดี", "ส วั ส ดี"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("한국어 문장", "한국어 문장"),
        ("Cafe\u0301 CAF\u00c9", "café café"),
        ("  \t\n ", ""),
        ("👍 good 👍🏽", "good"),
    ],
)
def test_words_of_all_scripts(text, words):
    assert normalize(text) == words


def test_words_of_version_two_have_the_numbers_of_their_normal_form():
    encoder = learn_word_encoder(["Мир и МИР", "Über, über: мир"], words=10, length=4, version=2)
    assert encoder.vocabulary == ("мир", "über", "и")
    assert encoder.encode(["ÜBER мир! Что?"]).tolist() == [[3, 2, 1, 0]]


def test_one_long_text_takes_no_more_memory_than_its_length():
    code = (
        "import resource, numpy as np, tensorflow as tf\n"
        "from batchsel.data.encoding.vocabulary import learn_word_encoder\n"
        "learn_word_encoder(['a b'], 10, 5).encode(['a'])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "texts = [f'some words number {place % 50}' for place in range(20_000)] + ['word ' * 100_000]\n"
        "encoded = learn_word_encoder(texts, 1000, 40).encode(texts)\n"
        "assert encoded.shape == (20_001, 40)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300  # MB; arrays of fixed width took 40 GB
