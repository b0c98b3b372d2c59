"""Text for language models: documents, subwords of the training split, sequences, and bad files."""

import dataclasses
import gzip
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from batchsel import cards, data
from batchsel.data.encoding.subwords import END, SubwordEncoder, learn_subword_encoder
from batchsel.data.formats.documents import read_documents
from batchsel.data.user.text import is_text_file, load_text_file
from batchsel.errors import UserError

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "an", "owl", "in", "its", "tree", "by", "night"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def documents(n, seed=0, first=0):
    generator = np.random.default_rng(seed)
    return [f"{first + i:05d} {' '.join(generator.choice(WORDS, 30))}." for i in range(n)]


@pytest.fixture
def card():
    sizes = dataclasses.replace(cards.load("datasets", "lm_text").sizes, train=80, validation=10, test=10)
    options = {**cards.load("datasets", "lm_text").options, "subwords": 400}
    changes = {"sizes": sizes, "content": {}, "options": options, "input_shape": (16,)}
    return dataclasses.replace(cards.load("datasets", "lm_text"), **changes)


def write(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{text}\n<|endofexample|>\n" for text in texts)
    (folder / "lm_corpus.txt.gz").write_bytes(gzip.compress(text.encode()))


def words_of(dataset, split):
    held = dataset.splits[split]
    return dataset.encoder.decode(np.append(held.x.ravel(), held.y[-1, -1]))


def test_sequences_hold_the_documents_of_their_split_in_order(card, tmp_path):
    texts = documents(100)
    write(tmp_path / "lm_corpus", texts)
    dataset = data.load(card, folder=tmp_path)
    assert dataset.train.x.shape[1] == 16
    assert dataset.outputs == len(dataset.encoder.vocabulary) <= 400
    splits = {split: words_of(dataset, split) for split in dataset.splits}
    for split, size in (("train", 80), ("validation", 10), ("test", 10)):
        found = [text for text in splits[split].split(END) if text]
        assert found == [text for text in texts if text in found] + found[-1:] * (found[-1] not in texts)
        # What is left over at the end may hold some documents more.
        assert size - 2 <= len(found) <= size
        assert splits[split].startswith(END)
    assert sum(text in splits["train"] for text in texts) + 20 >= 98


def test_targets_are_the_inputs_shifted_by_one(card, tmp_path):
    write(tmp_path / "lm_corpus", documents(100))
    train = data.load(card, folder=tmp_path).train
    np.testing.assert_array_equal(train.x.ravel()[1:], train.y.ravel()[:-1])
    assert train.x.dtype == train.y.dtype == np.int32


def test_split_is_by_document_and_keeps_the_test_split(card, tmp_path):
    write(tmp_path / "lm_corpus", documents(100))
    first, second = (data.load(card, seed, folder=tmp_path) for seed in (0, 1))
    assert words_of(first, "test").split(END)[:-1] == words_of(second, "test").split(END)[:-1]
    assert words_of(first, "validation") != words_of(second, "validation")
    assert first.split_fingerprint != second.split_fingerprint


def test_subwords_are_learned_on_the_training_split_only(card, tmp_path):
    texts = documents(100)
    write(tmp_path / "lm_corpus", texts)
    dataset = data.load(card, folder=tmp_path)
    held_out = words_of(dataset, "test")[len(END) :].split(END)[0]
    others = [text.replace(held_out[:5], "zebra") if text == held_out else text for text in texts]
    write(tmp_path / "lm_corpus", others)
    assert data.load(card, folder=tmp_path).encoder == dataset.encoder
    trained = words_of(dataset, "train")[len(END) :].split(END)[0]
    write(tmp_path / "lm_corpus", [text * 9 if text == trained else text for text in texts])
    assert data.load(card, folder=tmp_path).encoder != dataset.encoder


def test_encoded_documents_are_cached(card, tmp_path, monkeypatch):
    write(tmp_path / "lm_corpus", documents(100))
    first = data.load(card, folder=tmp_path)
    monkeypatch.setattr("batchsel.data.builders.language_model.learn_subword_encoder", None)
    again = data.load(card, folder=tmp_path)
    np.testing.assert_array_equal(again.train.x, first.train.x)
    (kept,) = (tmp_path / "cache" / "batchsel" / "subwords-2").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.testing.assert_array_equal(data.load(card, folder=tmp_path).train.x, first.train.x)


def test_decoding_restores_every_text():
    subwords = learn_subword_encoder(documents(20), 300)
    assert len(subwords.vocabulary) == 300
    for text in ("the owl", "Ünïcödé 猫 🦉", "tabs\tand\nlines", ""):
        assert subwords.decode(subwords.encode([text])[0]) == text
    assert (
        SubwordEncoder(subwords.serialize()).encode(["the owl"])[0].tolist() == subwords.encode(["the owl"])[0].tolist()
    )
    assert subwords.vocabulary[0] == END


@pytest.mark.parametrize(
    ("texts", "size", "message"), [(["a"], 256, "257"), (["", ""], 300, "no text"), ([], 300, "no text")]
)
def test_learning_subwords_without_text_or_room_raises(texts, size, message):
    with pytest.raises(UserError, match=message):
        learn_subword_encoder(texts, size)


def test_a_vocabulary_whose_numbers_are_no_rows_is_refused():
    description = json.loads(learn_subword_encoder(["low lower"], 260).serialize())
    word, _ = description["model"]["vocab"].popitem()
    description["model"]["vocab"][word] = 2**31
    description["model"]["merges"] = []
    with pytest.raises(UserError, match=r"numbers \d+ subwords up to 2,147,483,648. Learn it again"):
        SubwordEncoder(json.dumps(description)).encode(["low"])


def test_invalid_vocabulary_raises():
    with pytest.raises(UserError, match="this is not a vocabulary of subwords"):
        SubwordEncoder("{}").encode(["a"])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "One.\n\n\nTwo,\nlonger.\n", ["One.", "Two,\nlonger."]),
        ("a.txt", "One.\r\n\r\nTwo.\r\n", ["One.", "Two."]),
        ("a.txt", "One.\n\nStill.\n<|endoftext|>\nTwo.\n<|endoftext|>\n", ["One.\n\nStill.", "Two."]),
        ("a.md", "\ufeffOne.", ["One."]),
        ("a.jsonl", '{"text": "One."}\n{"text": "Two."}\n', ["One.", "Two."]),
        ("a.csv", 'id,text\n1,"One, two"\n2,Three\n', ["One, two", "Three"]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_documents_of_every_format_are_read(tmp_path, name, content, expected, packed):
    path = tmp_path / (f"{name}.gz" if packed and not name.endswith(".md") else name)
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert read_documents(path) == expected


def test_columns_of_a_parquet_file_are_joined(tmp_path):
    table = pyarrow.table({"mr": ["name[X]", "name[Y]"], "ref": ["X is good.", "Y is bad."]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read_documents(tmp_path / "a.parquet", columns=("mr", "ref")) == [
        "name[X]\nX is good.",
        "name[Y]\nY is bad.",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"caf\xe9\n\nbar", "is not utf-8 text: byte 0xe9"),
        ("a.jsonl", b'{"text": "One."}\n{"text": " "}\n', "1 of 2 documents are empty, the first is number 1"),
        ("a.txt", b" \n\n", "holds no text"),
        ("a.txt.gz", gzip.compress("\n\n".join(documents(50)).encode(), mtime=0)[:400], "damaged or truncated"),
        ("a.jsonl", b'{"text": "One."}\n{"txt": "Two."}\n', "line 2: expected a JSON object with the texts text"),
        ("a.jsonl", b'{"text": "One."}\n{"text": \n', "line 2: expected a JSON object with the texts text"),
        ("a.jsonl", b'{"text": "One."}\n\n{"text": null}\n', "line 3: expected a JSON object with the texts text"),
        ("a.jsonl", b'{"text": "One \\ud83d"}\n', "line 1: expected a JSON object with the texts text"),
        ("a.csv", b"id,body\n1,One\n", "there is no column 'text'"),
        ("a.parquet", b"PAR1nonsense", "a.parquet cannot be read as Parquet"),
    ],
    ids=[
        "Latin-1",
        "empty document",
        "blank",
        "truncated",
        "no key",
        "no JSON",
        "no text",
        "half a character",
        "no column",
        "no Parquet",
    ],
)
def test_bad_files_have_clear_errors(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_documents(tmp_path / name)


def test_marker_can_be_given(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("".join(f"{text}\n* * *\n" for text in documents(200)))
    assert is_text_file(f"{path}:* * *")
    dataset = load_text_file(f"{path}:* * *")
    assert dataset.train.x.shape[1] == 128
    with pytest.raises(UserError, match="no line is the marker '---'"):
        load_text_file(f"{path}:---")
    assert load_text_file(str(path)).split_fingerprint == ""  # without the marker it is one text, split by position


def test_short_text_raises(tmp_path):
    (tmp_path / "a.txt").write_text("One.\n\nTwo.\n\nThree.\n\nFour.")
    with pytest.raises(UserError, match="subwords are fewer than a sequence of 128 needs"):
        load_text_file(str(tmp_path / "a.txt"))


def test_fewer_documents_than_on_the_card_raise(card, tmp_path):
    write(tmp_path / "lm_corpus", documents(99))
    with pytest.raises(UserError, match="holds 99 documents .* the card says 100"):
        data.load(card, folder=tmp_path)
    assert data.find(card, folder=tmp_path) == "lm_corpus.txt.gz"


def test_first_documents_of_several_files_are_read(card, tmp_path):
    refined = cards.load("datasets", "refinedweb")
    options = {**refined.options, "subwords": 400}
    changed = dataclasses.replace(refined, sizes=card.sizes, options=options, input_shape=(16,))
    folder = tmp_path / "refinedweb"
    folder.mkdir()
    for number, texts in enumerate((documents(70), documents(70, first=70), documents(5, first=140))):
        pyarrow.parquet.write_table(pyarrow.table({"content": texts}), folder / f"part-{number}.parquet")
    dataset = data.load(changed, folder=tmp_path)
    everything = "".join(words_of(dataset, split) for split in dataset.splits)
    assert "00000 " in everything
    assert "00095 " in everything
    assert "00100 " not in everything


def test_official_splits_are_kept(card, tmp_path):
    e2e = cards.load("datasets", "e2e")
    options = {**e2e.options, "subwords": 300}
    changed = dataclasses.replace(e2e, sizes=card.sizes, options=options, input_shape=(16,))
    folder = tmp_path / "e2e"
    folder.mkdir()
    first = 0
    for split, count in (("trainset", 80), ("devset", 10), ("testset_w_refs", 10)):
        rows = [f'"name[{text[:5]}], food[fish]","{text}"' for text in documents(count, first=first)]
        (folder / f"{split}.csv").write_text("\n".join(["mr,ref", *rows]))
        first += 100
    dataset = data.load(changed, folder=tmp_path)
    assert words_of(dataset, "validation").startswith(f"{END}name[00100], food[fish]\n00100 ")
    (folder / "devset.csv").unlink()
    with pytest.raises(UserError, match=r"Expected trainset.csv, devset.csv, testset_w_refs.csv\. Put it there"):
        data.load(changed, folder=tmp_path, offline=True)


def test_labels_of_a_language_model_are_subwords(card, tmp_path):
    write(tmp_path / "lm_corpus", documents(100))
    dataset = data.load(card, folder=tmp_path)
    y = dataset.train.y.copy()
    y[3, 5] = dataset.outputs
    with pytest.raises(UserError, match="outside the classes"):
        dataclasses.replace(dataset, train=data.Split(dataset.train.x, y)).check()


def test_sizes_on_the_card_count_documents():
    card = cards.load("datasets", "lm_text")
    assert (card.task, card.sizes.total, card.class_names) == ("language_model", 5000, ())
