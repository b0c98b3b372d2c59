"""Methods in the wrong place, results that are lost, and attributes that change: told before training."""

from dataclasses import dataclass

import pytest
import tensorflow as tf
from sound_selector import Sound, assert_one_sentence, start

from batchsel import UserError
from batchsel.selectors import resolve


class Within(Sound):
    def init(self, n):  # noqa: RET503
        return super().init(n)

        def loss_weights(self, state, losses, valid, context):
            return losses


class LostUpdate(Sound):
    def update(self, state, stats, context):
        tf.tensor_scatter_nd_update(state["losses"], stats.indices[:, None], stats.loss)
        return state


class ShowsItsLoss(Sound):
    def update(self, state, stats, context):
        tf.print(tf.reduce_mean(stats.loss), output_stream="file:///dev/null")
        return state


class KeepsItsState(Sound):
    def update(self, state, stats, context):
        return state


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (Within, "Within has no loss_weights: loss_weights(self, state, losses, valid, context) is written within ano"),
        (LostUpdate, "update() of lost_update returns the state that it received, and what it computes is lost."),
    ],
)
def test_what_is_written_in_the_wrong_place_or_lost_is_refused(slip, words):
    with pytest.raises(UserError) as caught:
        start(slip())
    assert_one_sentence(caught.value, words)


@pytest.mark.parametrize("sound", [ShowsItsLoss, KeepsItsState])
def test_an_update_that_keeps_the_state_on_purpose_is_fine(sound):
    assert start(sound()).loop.plan_steps == 2


OUTSIDE = """
from batchsel.selectors import Random

class Mine(Random):
    scores_excluded = True

def rescore(self, state, stats, context):
    return state

class Other(Random):
    update = UPDATE

def update(self, state, stats, context):
    return state
"""


def test_a_method_outside_of_its_class_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OUTSIDE.replace("UPDATE", "None"))
    with pytest.raises(UserError) as caught:
        start(resolve("./mine.py:Mine"))
    words = (
        "Mine has no update: update(self, state, stats, context) is written outside of the class, where nothing calls"
    )
    assert_one_sentence(caught.value, words)


def test_a_function_that_another_class_takes_as_its_method_is_none_of_this_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, _, last = OUTSIDE.partition("class Other")
    code = last.partition("def update")
    (tmp_path / "mine.py").write_text(f"def update{code[2]}\n{first}class Other{code[0].replace('UPDATE', 'update')}")
    with pytest.raises(UserError, match="Mine has no rescore: "):
        start(resolve("./mine.py:Mine"))
    text = (tmp_path / "mine.py").read_text().replace("def rescore", "def helper")
    (tmp_path / "mine.py").write_text(text)
    assert start(resolve("./mine.py:Mine")).loop.plan_steps > 1


# Attributes.


@dataclass(frozen=True, repr=False)
class Assigns(Sound):
    def update(self, state, stats, context):
        self.last = stats.loss
        return state


class SharedList(Sound):
    seen = []  # noqa: RUF012

    def plan(self, state, context):
        self.seen.append(1)
        return super().plan(state, context)


@dataclass(frozen=True, repr=False)
class AssignsWhenMade(Sound):
    share: float = 0.5

    def __post_init__(self):
        self.double = 2 * self.share


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (Assigns(), "`self.last = stats.loss`) changes an attribute of its object. Keep what changes in the state"),
        (SharedList(), "plan() of shared_list changes self.seen, which is neither saved nor reset"),
        (
            AssignsWhenMade,
            "cannot build AssignsWhenMade: FrozenInstanceError: cannot assign to field 'double'. A frozen",
        ),
    ],
    ids=["assigns", "shared", "made"],
)
def test_attributes_that_change_are_refused_with_a_remedy(slip, words):
    with pytest.raises(UserError) as caught:
        start(slip)
    assert_one_sentence(caught.value, words)


@pytest.mark.parametrize(
    ("method", "base"), [("plan", "Selector"), ("score", "Score"), ("modify", "Modifier"), ("draw", "Draw")]
)
def test_a_class_without_its_base_is_told_which(method, base):
    kind = type("Mine", (), {method: lambda self, *arguments: None})
    for given in (kind, kind()):
        with pytest.raises(UserError, match=rf"derive it, class Mine\(batchsel\.selectors\.{base}\)\."):
            resolve(given)
