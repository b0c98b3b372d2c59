"""Selectors from a user file, in the text form."""

import pytest

from batchsel.errors import UsageError
from batchsel.selectors import Function, resolve

MINE = """
import dataclasses
import tensorflow as tf
from batchsel.selectors import Modifier, Plan, Selector

@dataclasses.dataclass(frozen=True, repr=False)
class Mine(Selector):
    name = "mine"
    share: float = 0.5

@dataclasses.dataclass(frozen=True, repr=False)
class Twice(Modifier):
    name = "twice"
    def modify(self, scores, context):
        return 2 * scores

def hardest(losses, batch_size, rng):
    return tf.math.top_k(losses, batch_size).indices

number = 3
"""


FIELDS = "from dataclasses import *; from batchsel.selectors import *\n@dataclass(frozen=True, repr=False)\nclass Mine(Selector):\n"
OTHERS = {
    "broken": "import (",
    "empty": "number = 3\ndef helper(a, b):\n    return a\n",
    "baseless": "class Mine:\n    def plan(self, state, context):\n        return state\n",
    "fields": f"{FIELDS}    sizes: list = []\n",
    "bare": f"{FIELDS}    rate = 0.1\n",
}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


def test_selectors_are_loaded_from_a_user_file(mine):
    assert repr(resolve("./mine.py:Mine")) == "mine(share=0.5)"
    assert resolve("./mine.py:Mine(0.25)").share == 0.25
    assert resolve(f"{mine}:Mine(share=1)").share == 1
    assert isinstance(resolve("./mine.py:hardest"), Function)
    assert len(resolve("loss_ema | ./mine.py:Twice | mix").modifiers) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./mine.py:Mien", "unknown name in mine.py 'Mien'. Did you mean 'Mine'?"),
        ("./mine.py:Mine(shar=1)", "unknown parameter of Mine 'shar'. Did you mean 'share'?"),
        ("./mine.py:", "cannot read"),
        ("./mine.py", "mine.py has several selectors: Mine, Twice, hardest. Name one: ./mine.py:Mine."),
        ("./empty.py", "empty.py has no selector: neither a class derived from batchsel.selectors.Selector nor"),
        ("./baseless.py", "Mine has a method plan and is no selector: derive it, class Mine(batchsel.selectors.Select"),
        ("./fields.py", "fields.py cannot be run, line 2: ValueError: mutable default <class 'list'> for field sizes"),
        ("./fields.py", "is not allowed. Use a tuple, as in sizes: tuple = (1, 2)."),
        (
            "./bare.py:Mine(rate=0.5)",
            "Mine.rate is not a parameter, since it has no annotation. Write rate: float = 0.1",
        ),
        ("./mine.py:number", "selector must be a name"),
        ("./mine.py:hardest | mix", "has no scores"),
        ("loss_ema | ./mine.py:hardest", "is neither a modifier nor a draw"),
        ("./broken.py:Mine", "broken.py"),
    ],
)
def test_mistakes_in_a_user_file_are_named(mine, text, words):
    for name, code in OTHERS.items():
        mine.with_name(f"{name}.py").write_text(code)
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert words in str(caught.value)


MORE = """
import functools
import tensorflow as tf
from batchsel.selectors import Random, Selector

def powers(losses, batch_size, rng, *, progress, power=1.0):
    return tf.math.top_k(losses**power, batch_size).indices

def make(share=0.5):
    return Random()

squares = functools.partial(powers, power=2.0)

class Plain(Selector):
    def __init__(self, share=0.5):
        self.share = share
    def steps_per_plan(self, n, batch_size):
        return 1
    def plan(self, state, context):
        return state

class Named(Plain):
    name = "other"
"""


@pytest.fixture
def more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.py").write_text(MORE)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("./more.py:powers", "function(powers, every=1)"),
        ("./more.py:powers(power=3, every=4)", "function(powers(power=3), every=4)"),
        ("./more.py:squares", "function(powers(power=2.0), every=1)"),
        ("./more.py:make", "random"),
        ("./more.py:make(0.3)", "random"),
        ("./more.py:Plain", "plain(share=0.5)"),
        ("./more.py:Plain(0.25)", "plain(share=0.25)"),
        ("./more.py:Named(share=1)", "other(share=1)"),
    ],
)
def test_functions_factories_and_plain_classes_have_a_text_form(more, text, form):
    assert repr(resolve(text)) == form


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./more.py:powers(powerr=2)", "unknown option of powers 'powerr'. Did you mean 'power'? Known: every, power."),
        ("./more.py:powers(progress=1)", "unknown option of powers 'progress'"),
        ("./more.py:powers(3)", "give options of a function by name, of power, every"),
        ("./more.py:functools | mix", "is no part of a pipe"),
        ("loss_ema | ./more.py:functools", "is no part of a pipe"),
    ],
)
def test_mistakes_in_options_are_named(more, text, words):
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert words in str(caught.value)


def test_an_entry_point_may_be_a_function(more, monkeypatch):
    target = resolve("./more.py:powers").function
    monkeypatch.setattr("batchsel.core.registry.Registry.load", lambda self, name: target)
    assert repr(resolve("powers")) == "function(powers, every=1)"
    assert resolve("powers(every=2)").every == 2


def test_a_file_with_one_selector_needs_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    helper = "def helper(a, b):\n    return a\n"
    (tmp_path / "one.py").write_text(
        f"from batchsel.selectors import LossEMA, Selector\n{helper}class One(Selector):\n    pass\n"
    )
    assert repr(resolve("./one.py")) == "one"
    (tmp_path / "one.py").write_text(f"{helper}def hardest(losses, size, generator):\n    return losses\n")
    assert repr(resolve("./one.py")) == "function(hardest, every=1)"


def test_code_counts_by_its_content_also_without_a_name(tmp_path, monkeypatch):
    from batchsel.experiments.spec.user_code import code_hashes

    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text("x = 1\n")
    assert code_hashes({"selector": "./one.py"}) == code_hashes({"selector": "./one.py:x"}) != ""
