"""`batchsel run` with models, selectors and data of the user."""

import json

import numpy as np
import pytest

from batchsel.experiments.run import records


def test_model_and_selector_can_come_from_a_users_file(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras, tensorflow as tf\n"
        "def build(input_shape, outputs, units=4):\n"
        "    layers = [keras.Input(input_shape), keras.layers.Dense(units), keras.layers.Dense(outputs)]\n"
        "    return keras.Sequential(layers)\n"
        "def hardest(losses, batch_size, rng):\n"
        "    return tf.math.top_k(losses, batch_size).indices\n"
    )
    result = command(
        "run", "--dataset", "iris", "--model", "./mine.py:build(units=5)", "--selector", "./mine.py:hardest",
        "--target", "accuracy>=0.7", "--json",
    )  # fmt: skip
    record = json.loads(result.out)
    assert record["parameters"] == 4 * 5 + 5 + 5 * 3 + 3
    assert record["counts"]["plans"] == record["counts"]["steps"]


def test_a_model_of_the_user_may_have_a_train_step_of_its_own(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "class Own(keras.Sequential):\n"
        "    def train_step(self, data):\n"
        "        return super().train_step(data)\n"
        "def build(input_shape, outputs):\n"
        "    return Own([keras.Input(input_shape), keras.layers.Dense(outputs)])\n"
    )
    options = ("run", "--dataset", "iris", "--model", "./mine.py:build", "--budget", "20 passes", "--compile", "graph")
    found = json.loads(command(*options, "--json").out)
    assert found["counts"]["steps"] == found["updates"]
    assert found["evaluations"][-1]["accuracy"] > 0.5
    refused = command(*options, "--selector", "loss_ema")
    assert refused.code == 1
    assert "Own overrides train_step(), so the loss of a single sample is unknown" in refused.err


def test_data_can_come_from_a_users_file(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "from batchsel.data import Dataset, Split\n"
        "def load(seed):\n"
        "    x = np.random.default_rng(0).normal(size=(300, 3)).astype('float32')\n"
        "    y = (x.sum(1) > 0).astype('int32')\n"
        "    cut = lambda a, b: Split(x[a:b], y[a:b])\n"
        "    return Dataset('mine', 'classification', cut(0, 200), cut(200, 250), cut(250, 300), ('no', 'yes'))\n"
    )
    result = command("run", "--dataset", "./mine.py:load", "--target", "accuracy>=0.9", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["sizes"]["train"] == 200


@pytest.mark.parametrize(
    ("command_name", "options", "message"),
    [
        ("run", (), "./mine.py:load has no target of its own. Give one, as in --target 'accuracy>=0.9'."),
        ("run", ("--target", "easy"), "cannot read the target 'easy'. Expected e.g. 'accuracy>=0.91'"),
        ("compare", (), "./mine.py:load has no target of its own."),
    ],
)
def test_a_missing_target_is_told_before_data_are_read(command, tmp_path, command_name, options, message):
    (tmp_path / "mine.py").write_text("def load(seed):\n    raise AssertionError('the data were read')\n")
    result = command(command_name, "--dataset", "./mine.py:load", *options)
    assert result.code == 2
    assert message in result.err
    assert "were read" not in result.err


MODELS = """
import keras

class Own(keras.Model):
    def __init__(self, outputs):
        super().__init__()
        self.first, self.dense = keras.layers.Dense(4, trainable=False), keras.layers.Dense(outputs)

    def call(self, inputs):
        return self.dense(self.first(inputs))

def subclassed(input_shape, outputs):
    model = Own(outputs)
    model(keras.ops.zeros((1, *input_shape)))
    model.first.set_weights([keras.ops.ones((4, 4)) * 7, keras.ops.zeros(4)])
    return model

def late(input_shape, outputs):
    return keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(outputs)])
"""


@pytest.mark.parametrize("name", ["subclassed", "late"])
def test_models_that_keras_cannot_copy_run_and_resume(command, tmp_path, name):
    (tmp_path / "mine.py").write_text(MODELS)
    words = ["run", "--dataset", "iris", "--model", f"./mine.py:{name}", "--target", "loss<=0.001", "--budget", "2"]
    assert command(*words).code == 3
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    with np.load(folder / "checkpoint.npz") as arrays:
        kernel = next(arrays[key] for key in arrays.files if key.startswith("model/0/"))
    assert (kernel == 7).all() == (name == "subclassed")
    renamed = folder.rename(tmp_path / "runs" / "kept")
    result = command("run", "--resume", str(renamed))
    assert result.code == 3, result.err
    # It had ended before: nothing is trained, recorded or created.
    assert len(records.read(tmp_path / "runs").runs) == 1
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"kept", "records.jsonl"}


SOURCE = """
import numpy as np
from batchsel.data import Dataset, Split
from batchsel.data.sources import as_source

def load(seed=0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    whole = as_source((x, y))
    return Dataset("mine", "classification", whole, Split(x, y), whole, ("no", "yes"))
"""


def test_data_behind_a_source_can_be_run(command, tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE)
    result = command("run", "--dataset", "./mine.py:load", "--target", "accuracy>=0.6", "--budget", "4", "--json")
    assert result.code in (0, 3), result.err
    assert json.loads(result.out)["sizes"]["train"] == 80


def test_changed_user_data_are_another_run(command, tmp_path):
    rows = "\n".join(f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(80))
    (tmp_path / "mine.csv").write_text("x,y,kind\n" + rows + "\n")
    given = "run --dataset ./mine.csv --label kind --target accuracy>=0.99 --budget 2 --out out --progress off"
    words = given.split()
    first = json.loads(command(*words, "--json").out)["digest"]
    assert json.loads(command(*words, "--json").out)["digest"] == first
    (tmp_path / "mine.csv").write_text("x,y,kind\n" + rows.replace("6,", "7,") + "\n")
    assert json.loads(command(*words, "--json").out)["digest"] != first
    folders = [path.parent for path in (tmp_path / "out").glob("*/config.toml")]
    assert len(folders) == 2
    messages = [command("run", "--resume", str(folder)).err for folder in folders]
    assert sum("./mine.csv:kind has changed since" in message for message in messages) == 1


def test_resume_says_that_code_has_changed_and_goes_on_when_told(command, tmp_path):
    code = "def hardest(losses, batch_size, rng):\n    return rng.permutation(losses.shape[0])[:batch_size]\n"
    (tmp_path / "mine.py").write_text(code)
    words = [
        "run",
        "--dataset",
        "iris",
        "--selector",
        "./mine.py:hardest",
        "--target",
        "loss<=0.001",
        "--budget",
        "2",
        "--out",
        "out",
    ]
    assert command(*words).code == 3
    (folder,) = (path.parent for path in (tmp_path / "out").glob("*/config.toml"))
    (tmp_path / "mine.py").write_text(code + "# changed\n")
    result = command("run", "--resume", str(folder))
    assert result.code == 1
    assert "the code of selector ./mine.py:hardest has changed since the run in" in result.err
    assert command("run", "--resume", str(folder), "--changed-code").code == 3
    assert " -> selector " in (folder / "config.toml").read_text()
    assert command("run", "--resume", str(folder)).code == 3


@pytest.mark.parametrize(("options", "said"), [(("--train-share", "0.5"), True), ((), False)])
def test_parts_that_a_share_leaves_whole_are_told(command, options, said):
    result = command("run", "--dataset", "iris", *options, "--print-config")
    assert result.code == 0, result.err
    assert ("validation (30) and test (30) stay whole" in result.err) == said


@pytest.mark.parametrize(
    ("code", "exit_code", "message"),
    [
        ("def load():\n    pass\n", 2, "must take one argument, the seed of the split, as in `def load(seed):`; its"),
        ("def load(seed, *, size):\n    pass\n", 2, "its parameters are (seed, *, size): missing a required"),
        ("load = 3\n", 2, "./mine.py:load is 3. Expected a function of a seed"),
        ("def load(seed):\n    return missing\n", 1, "./mine.py:load failed, line 2: NameError: name 'missing' is not"),
    ],
)
def test_a_function_that_cannot_load_data_is_named_in_one_sentence(command, tmp_path, code, exit_code, message):
    (tmp_path / "mine.py").write_text(code)
    result = command("run", "--dataset", "./mine.py:load", "--target", "accuracy>=0.9")
    assert (result.code, result.err.count("\n")) == (exit_code, 1), result.err
    assert message in result.err
    assert "This is a bug" not in result.err


@pytest.mark.parametrize(
    "words",
    [
        "run",
        "map",
        "compare --selector loss_ema --quick",
        "tune --selector loss_ema --grid batch_size=4,8",
        "recipe --seeds 3",
    ],
)
def test_every_command_that_trains_takes_the_columns_of_a_table(command, tmp_path, words):
    """--label COLUMN is the same as a colon and the column, down to what is said of a column that is not there."""
    (tmp_path / "mine.csv").write_text("a,b,y\n" + "\n".join(f"{i},{i % 3},{i % 2}" for i in range(40)) + "\n")
    target = ("--target", "accuracy>=0.9") * (words != "map")
    asked = command(*words.split(), "--dataset", "./mine.csv", "--label", "z", *target)
    stated = command(*words.split(), "--dataset", "./mine.csv:z", *target)
    assert asked.code == stated.code != 0
    assert asked.err == stated.err
    assert "'z'" in asked.err
    assert "--label names the column of a table" in command(*words.split(), "--dataset", "iris", "--label", "z").err
