"""User text for language models, in every form: documents at markers, in lines, in tables, and one long text."""

import json
from pathlib import Path

import numpy as np
import pytest

from batchsel.data.builders import language_model
from batchsel.data.encoding.subwords import END
from batchsel.data.formats.documents import read_documents
from batchsel.data.user.references import source_paths
from batchsel.data.user.text import TextReference, is_text_file, load_text_file
from batchsel.errors import UserError

TEXTS = [f"{number:04d} " + " ".join(f"w{(7 * number + i) % 90}" for i in range(40)) for number in range(120)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def found_documents(dataset):
    texts = [dataset.encoder.decode(np.append(part.x.ravel(), part.y[-1, -1])) for part in dataset.splits.values()]
    return [document for text in texts for document in text.split(END) if document]


def write(folder, name, text):
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


FORMS = {
    "empty lines": ("a.txt", "\n\n".join(TEXTS), ""),
    "lines": ("a.txt", "\n".join(TEXTS), ":by=line"),
    "marker with blanks": ("a.txt", "".join(f"{text}\n <|endoftext|> \n" for text in TEXTS), ""),
    "marker twice": ("a.txt", "".join(f"{text}\n<|endoftext|>\n\n<|endoftext|>\n" for text in TEXTS), ""),
    "marker first": ("a.txt", "".join(f"<|endoftext|>\n{text}\n" for text in TEXTS), ""),
    "marker with a colon": ("a.txt", "".join(f"{text}\nEND: a:b\n" for text in TEXTS), ":END: a:b"),
    "marker at ends of lines": ("a.txt", "".join(f"{text}<|endoftext|> \n" for text in TEXTS), ""),
    "marker between words": ("a.txt", "<|endoftext|>".join(TEXTS), ""),
    "a marker of one's own within lines": ("a.txt", "@@".join(TEXTS), ":@@"),
    "any key": ("a.jsonl", "".join(json.dumps({"n": 1, "body": text}) + "\n" for text in TEXTS), ""),
    "a key": ("a.jsonl", "".join(json.dumps({"text": "no", "body": text}) + "\n" for text in TEXTS), ":body"),
    "a key as for tables": ("a.jsonl", "".join(json.dumps({"text": "no", "b": t}) + "\n" for t in TEXTS), ":text=b"),
    "table": ("a.csv", "id,body\n" + "".join(f"{i},{text}\n" for i, text in enumerate(TEXTS)), ":text=body"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_documents(tmp_path, form):
    name, text, option = FORMS[form]
    path = write(tmp_path, name, text)
    said = []
    dataset = load_text_file(path + option, say=said.append)
    whole = [document for document in found_documents(dataset) if document in TEXTS]
    assert len(set(whole)) >= 114  # what is left over at the end of a split is dropped
    assert said == ["120 documents: 108 train, 6 validation, 6 test"]
    assert is_text_file(path + option)
    assert [str(found) for found in source_paths(path + option)] == [path]


@pytest.mark.parametrize(("option", "joint"), [("", " "), (":by=position", "\n\n")])
def test_one_long_text_is_split_by_position(tmp_path, option, joint):
    path = write(tmp_path, "book.txt", joint.join(TEXTS))
    said = []
    first, second = (load_text_file(path + option, seed, said.append) for seed in (0, 1))
    np.testing.assert_array_equal(first.train.x, second.train.x)
    starts = [first.encoder.decode(part.x[0]).removeprefix(END) for part in first.splits.values()]
    places = [joint.join(TEXTS).index(start[:60].strip()) / len(joint.join(TEXTS)) for start in starts]
    assert places == pytest.approx([0, 0.9, 0.95], abs=0.01)
    assert said[0].startswith("one text of ")
    sizes = [len(part) for part in first.splits.values()]
    assert sizes[0] / sum(sizes) == pytest.approx(0.9, abs=0.05)


def test_the_separator_is_none_where_a_text_holds_its_characters(tmp_path):
    texts = [f"{text} {END} and on" for text in TEXTS]
    dataset = load_text_file(write(tmp_path, "a.txt", "\n\n".join(texts)))
    ends = sum(int((part.x == 0).sum()) for part in dataset.splits.values())
    assert ends <= len(texts)
    assert dataset.encoder.decode(dataset.encoder.encode([texts[0]])[0]) == texts[0]
    assert (dataset.encoder.encode([texts[0]])[0] > 0).all()


def test_sentences_that_speak_of_a_marker_are_not_cut(tmp_path):
    texts = [f"{text} and <|endoftext|> ends it" for text in TEXTS]
    assert read_documents(Path(write(tmp_path, "a.txt", "\n\n".join(texts)))) == texts


def test_an_encoding_of_earlier_versions_is_not_taken_from_the_cache():
    assert language_model._CACHE != "subwords"


@pytest.mark.parametrize(
    ("name", "text", "option", "message"),
    [
        ("a.txt", "One.", ":---", "no line is the marker '---'"),
        ("a.txt", "O\0n\0e\0", "", "holds zero bytes: it is not text, or not UTF-8"),
        ("a.txt", "One.", "", "subwords are fewer than a sequence of 128 needs"),
        (
            "a.jsonl",
            '{"a": "x", "b": "y"}\n',
            "",
            r"has no key 'text' of texts. Name it, as in '.*a.jsonl:a'. It has a, b.",
        ),
        ("a.jsonl", '{"a": 1}\n', "", "It has none."),
        ("a.jsonl", "[1]\n", "", "does not begin with a JSON object"),
        ("a.csv", "id,body\n1,One\n", ":text=boby", r"has no column 'boby' of texts. Name it, as in '.*a.csv:text=id'"),
    ],
)
def test_wrong_files_and_names_are_explained(tmp_path, name, text, option, message):
    with pytest.raises(UserError, match=message):
        load_text_file(write(tmp_path, name, text) + option)


@pytest.mark.parametrize(
    "name", ["./a.csv", "./a.csv:label", "./a.csv:text=b:label", "./a.py:load", "iris", "./a.txts"]
)
def test_other_names_are_no_texts(name):
    assert TextReference.parse(name) is None


def test_blank_documents_of_a_text_are_left_out(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("One.\n<|endoftext|>\n \n<|endoftext|>\nTwo.")
    assert read_documents(path) == ["One.", "Two."]
