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
