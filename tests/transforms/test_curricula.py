"""Curricula: text form, order, and checks of their effect on a batch."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import CommandLine

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.transforms.curricula import Blur, Curricula, Curriculum, Resolution, resolve
from batchsel.transforms.curricula.registry import REGISTRY

RNG = Rng(tf.constant(0), tf.constant(0))
START = Timestamp.from_progress(0.0)


@dataclasses.dataclass(frozen=True, repr=False)
class Dawn(Curriculum):
    name = "dawn"
    first: float = 0.5

    def __call__(self, x, rng, timestamp):
        return x * self.logged_values(timestamp)["light"]

    def logged_values(self, timestamp):
        return {"light": self.first + (1 - self.first) * timestamp.progress}


@dataclasses.dataclass(frozen=True, repr=False)
class Scopes(Curriculum):
    name = "scopes"

    def __call__(self, x, rng, timestamp):
        return x + rng.uniform([len(x)], "same")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blur", Curricula((Blur(),))),
        (" blur(2.0, until='20 passes', form='sigma') ", Curricula((Blur(2.0, "20 passes", "sigma"),))),
        ("blur(1, .1, 'chance', .5, 7)|resolution(0.25)", Blur(1, 0.1, "chance", 0.5, 7) | Resolution(0.25)),
        ("resolution(start=.5, delay=0, finish=1, method='area')", Curricula((Resolution(0.5, 0, 1, method="area"),))),
    ],
)
def test_the_text_form_round_trips(text, expected):
    assert resolve(text) == expected
    assert resolve(repr(expected)) == expected
    assert resolve(repr(expected.parts[0])).parts == expected.parts[:1]
    REGISTRY.check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blurr(1.0)", "unknown curriculum 'blurr'. Did you mean 'blur'?"),
        ("blur | ", "cannot read ' '"),
        ("blur(sigm=1.0)", "unknown parameter of blur 'sigm'. Did you mean 'sigma'?"),
        ("blur(-1)", "blur: sigma must be a number in (0, 20], got -1"),
        ("resolution | blur", "after 'resolution' the size of images is known only when the step runs"),
        ("./no/such.py:f", "there is no file 'no/such.py' to load 'f' from"),
    ],
)
def test_errors_name_the_problem(text, words):
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert words in str(caught.value)


def test_resolve_accepts_texts_objects_classes_and_lists():
    assert resolve(None) is resolve("") is resolve(" ") is resolve([]) is resolve(["", None]) is None
    both = Blur() | Resolution()
    for given in (both, ["blur", Resolution()], (Blur, "resolution"), [both.parts[0], [Resolution]]):
        assert resolve(given) == both
    assert Dawn() | both == Curricula((Dawn(), *both.parts))
    for wrong in (3, b"blur", {"blur"}, lambda x: x):
        with pytest.raises(UsageError, match=r"curriculum must be a text such as 'blur\(sigma=1.0, until=0.2\)'"):
            resolve(wrong)


def test_objects_are_loaded_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses\n"
        "from batchsel.transforms.curricula import Curriculum\n"
        "@dataclasses.dataclass(frozen=True, repr=False)\n"
        "class Add(Curriculum):\n"
        "    name = 'add'\n    amount: float = 1.0\n"
        "    def __call__(self, x, rng, moment):\n        return x + self.amount * moment.progress\n"
        "twice = Add(2.0)\n"
    )
    text = f"{path}:Add | {path}:Add(0.5) | {path}:twice"
    found = resolve(text)(tf.zeros([2, 3]), RNG, Timestamp.from_progress(0.5))
    assert found.numpy().tolist() == [[1.75] * 3] * 2
    assert len(REGISTRY.parse(text)) == 3
    assert resolve(text).logged_values(START) == {}


def test_parts_are_applied_in_order_with_separate_random_numbers():
    x = tf.ones([2])
    assert Curricula((Dawn(0.5), Dawn(0.1)))(x, RNG, START).numpy() == pytest.approx([0.05, 0.05])
    once = Curricula((Scopes(),))(x, RNG, START) - x
    twice = Curricula((Scopes(), Scopes()))(x, RNG, START) - x
    assert (np.abs(twice - 2 * once) > 1e-3).all()
    assert (once.numpy() != np.asarray(Scopes()(x, RNG, START) - x)).all()


def test_logged_values_of_parts_are_combined():
    shown = (Dawn(0.5) | Blur(2.0) | Dawn(0.1)).logged_values(START)
    assert {name: round(float(value), 6) for name, value in shown.items()} == {
        "light": 0.5, "blur sigma": 2.0, "blur chance": 1.0, "light 3": 0.1,
    }  # fmt: skip


def test_a_chain_supports_xla_if_all_parts_do():
    assert Curricula((Blur(), Dawn())).supports_jit
    assert Curricula((Blur(), Dawn())).suits_xla
    mixed = Blur() | Resolution()
    assert not mixed.supports_jit
    assert not mixed.suits_xla
    assert mixed.resizes
    assert not Curricula((Blur(),)).resizes


def test_check_traces_once_and_rejects_other_shapes():
    calls = []

    @dataclasses.dataclass(frozen=True, repr=False)
    class Cut(Curriculum):
        name = "cut"

        def __call__(self, x, rng, timestamp):
            calls.append(x.shape.as_list())
            return x[:, 1:]

    Curricula((Blur(), Dawn())).check(tf.zeros([1, 6, 6, 1]), 4)
    with pytest.raises(UserError, match=r"of the shape \[4, 6, 6, 1\] into \[4, 5, 6, 1\]. Samples must keep"):
        Curricula((Cut(),)).check(tf.zeros([1, 6, 6, 1]), 4)
    assert calls == [[4, 6, 6, 1]]
    with pytest.raises(UserError, match="is for images"):
        resolve("blur").check(tf.zeros([1, 6]), 4)
    with pytest.raises(
        UserError, match="is for models with one array of inputs, this one has 2. Leave it out, or write"
    ):
        resolve("blur").check({"a": tf.zeros([1, 6, 6, 1]), "b": tf.zeros([1])}, 4)


def test_curricula_are_listed_and_shown(monkeypatch, capfd):
    command = CommandLine(monkeypatch, capfd)
    rows = json.loads(command("curricula", "list", "--json").out)["curricula"]
    assert {row["name"] for row in rows} == set(REGISTRY.entries())
    assert all(row["summary"].endswith(".") for row in rows)
    assert "--curriculum 'blur(until=0.2) | resolution(0.5)'" in command("curricula", "list").out
    shown = json.loads(command("curricula", "show", "blur", "--json").out)
    assert set(shown["parameters"]) == {"sigma", "until", "form", "chance", "size"}
    assert "Curriculum by Smoothing" in shown["source"]
    assert "Touvron" in command("curricula", "show", "resolution").out
    assert command("curricula", "show", "blurr").code == 2


def test_every_docstring_cites_its_source():
    for name in REGISTRY.entries():
        assert all(word in REGISTRY.doc(name) for word in ("Formula:", "Cost:", "Source:", "https://", "Example:"))


def test_the_old_method_name_shown_still_works():
    class Dusk(Curriculum):
        name = "dusk"

        def __call__(self, x, rng, moment):
            return x * (1 - moment.progress)

        def shown(self, moment):
            return {"light": 1 - moment.progress}

    curricula = Curricula((Dusk(),))
    assert float(curricula.logged_values(Timestamp.from_progress(0.25))["light"]) == 0.75
    assert float(curricula(tf.ones([]), RNG, Timestamp.from_progress(0.25))) == 0.75
