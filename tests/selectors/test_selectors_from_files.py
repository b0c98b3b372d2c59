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
        ("./mine.py", "cannot read"),
        ("./mine.py:number", "selector must be a name"),
        ("./mine.py:hardest | mix", "has no scores"),
        ("loss_ema | ./mine.py:hardest", "is neither a modifier nor a draw"),
        ("./broken.py:Mine", "broken.py"),
    ],
)
def test_mistakes_in_a_user_file_are_named(mine, text, words):
    mine.with_name("broken.py").write_text("import (")
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
