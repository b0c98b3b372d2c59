"""Subwords of texts for classification: any script, padded and cut, learned on the training split, read back."""

import json

import keras
import numpy as np
import pytest

from batchsel import models
from batchsel.data.convert import convert
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder, learn_padded_subwords
from batchsel.data.encoding.subwords import SubwordEncoder
from batchsel.data.user.references import load_by_name
from batchsel.errors import UsageError

CHINESE = ["我爱这部电影", "太好看了", "真的很棒", "不好看", "很糟糕", "浪费时间"]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{''.join(rng.choice(CHINESE[:3] if i % 2 else CHINESE[3:], 6))},{'ng'[i % 2]}" for i in range(200)]
    (tmp_path / "mine.csv").write_text("\n".join(["review,mood", *rows]) + "\n", "utf-8")
    return f"{tmp_path}/mine.csv"


def test_texts_are_the_subwords_of_the_tokenizer_cut_and_padded():
    texts = ["low lower lowest", "new", "", "ไทย 日本 мир " * 40]
    encoder = learn_padded_subwords(texts, 300, 9)
    plain = SubwordEncoder(encoder.serialize())
    for row, text in zip(encoder.encode(texts), texts, strict=True):
        numbers = plain.encode([text])[0][:9].tolist()
        assert row.tolist() == numbers + [0] * (9 - len(numbers))
        assert 0 not in numbers
    assert encoder.encode([]).shape == (0, 9)
    assert encoder.size == len(encoder.vocabulary) <= 300


def test_long_texts_are_cut_before_they_are_encoded():
    encoder = learn_padded_subwords(["ab " * 50], 300, 4)
    seen = []
    encode = SubwordEncoder.encode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SubwordEncoder, "encode", lambda self, texts: seen.extend(texts) or encode(self, texts))
        found = encoder.encode(["ab " * 100_000])
    assert max(map(len, seen)) == 400
    assert found.tolist() == encoder.encode(["ab ab ab ab"]).tolist()


def test_a_column_of_texts_is_encoded_by_subwords_where_asked(table, tmp_path):
    said = []
    dataset = load_by_name(f"{table}:text=review:subwords=400:mood", 0, say=said.append)
    assert isinstance(dataset.encoder, PaddedSubwordEncoder)
    assert said[0].startswith(f"review: text, {dataset.encoder.size} subwords, ")
    assert (dataset.train.x > 0).sum(axis=1).max() > 1  # by words, each text is one or so
    np.testing.assert_array_equal(dataset.test.x, dataset.encoder.encode(dataset.raw_inputs("test").tolist()))
    for wrong in ("20", "²", "-400", "9" * 5000):
        with pytest.raises(UsageError, match="subwords of .* must be a whole number from 257"):
            load_by_name(f"{table}:text=review:subwords={wrong}:mood", 0)
    (tmp_path / "other.csv").write_text("size,mood\n" + "1,a\n2,b\n" * 20)
    with pytest.raises(UsageError, match="subwords are for texts. Name their column, as in '.*text=size:mood'"):
        load_by_name(f"{tmp_path}/other.csv:subwords=400:mood", 0)


def test_npz_files_with_subwords_are_read_back(table, tmp_path):
    dataset = load_by_name(f"{table}:text=review:subwords=400:mood", 0)
    (path,) = convert(dataset, "npz", tmp_path / "out", print)
    again = load_by_name(str(path), 0)
    assert again.encoder == dataset.encoder
    np.testing.assert_array_equal(again.test.x, dataset.test.x)


@pytest.mark.parametrize(("texts", "noted"), [("one", True), ("two words", False)])
def test_texts_of_a_single_word_are_noted(tmp_path, capfd, texts, noted):
    rows = "".join(f"{texts}{i % 150},{'ab'[i % 2]}\n" if i % 5 else f"a few more words{i},a\n" for i in range(200))
    (tmp_path / "mine.csv").write_text("review,mood\n" + rows)
    load_by_name(f"{tmp_path}/mine.csv:text=review:mood", 0)
    said = capfd.readouterr().err
    assert ("% of the texts are a single word" in said) == noted
    if noted:
        assert int(said.partition("note: ")[2].partition("%")[0]) == pytest.approx(80, abs=6)


def test_a_model_has_room_for_the_words_of_the_data(tmp_path):
    texts = {"lstm(width=4)": 20_000, "lstm(vocabulary=50, width=4)": 50, "lstm(50, width=4)": 50, "text_cnn": 20_000}
    for text, default in texts.items():
        for words in (37, 20_037):
            model = models.build(text, (5,), 2, words)
            (embedding,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
            # Fewer words leave the model as it was recorded under the same digest.
            assert embedding.input_dim == (max(words, default) if default > 50 else 50)
    assert models.build("mlp", (5,), 2, vocabulary=37).output_shape == (None, 2)
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "def build(input_shape, outputs, vocabulary):\n"
        "    layers = [keras.Input(input_shape), keras.layers.Embedding(vocabulary, 3), keras.layers.Flatten()]\n"
        "    return keras.Sequential([*layers, keras.layers.Dense(outputs)])\n"
    )
    assert models.build(f"{tmp_path}/mine.py:build", (5,), 2, vocabulary=37).layers[0].input_dim == 37


@pytest.mark.slow
def test_a_run_on_subwords_predicts_texts(table, tmp_path, command):
    done = command(
        "run", "--dataset", "./mine.csv", "--label", "mood", "--text", "review", "--subwords", "400", "--json",
        "--model", "text_cnn(width=16, filters=16)", "--target", "accuracy>=0.9", "--budget", "30 passes",
    )  # fmt: skip
    assert done.code == 0, done.err
    (folder,) = (path.parent for path in (tmp_path / "runs").glob("*/config.toml"))
    found = command("predict", str(folder), "太好看了真的很棒", "很糟糕浪费时间", "--json")
    assert [one["predicted"] for one in json.loads(found.out)["predictions"]] == ["g", "n"]
