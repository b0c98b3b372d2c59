"""`batchsel code`: the printed program trains as the run did, batch for batch."""

import numpy as np
import pytest

from batchsel.experiments.run import records

MODEL = """
import keras


def build(input_shape, outputs, width=8):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Dense(width, "relu")(inputs)))
"""

RUNS = {
    "schedule and seed": "--dataset iris --selector smart --schedule cosine|warmup(0.1) --seed 3 --label-smoothing 0.1"
    " --budget 1.3",
    "changed labels": "--dataset digits --label-noise 0.2 --label-noise-kind asymmetric --imbalance 5 --train-share 0.5"
    " --optimizer sgd(momentum=0.9) --budget 500samples --evaluations 5 --run-on",
    "epochs of a pruning selector": "--dataset iris --selector infobatch --epochs 3 --accumulate 2 --compile graph",
    "own model": "--dataset iris --model ./mine.py:build(width=4) --selector stratified --budget 2 --seed 2",
    "more words than models know": "--dataset ./words.npz --model text_cnn(width=2,filters=2) --target accuracy>=0.99"
    " --budget 2 --evaluations 2",
    "own folder": "--dataset ./parts --target accuracy>=0.9 --budget 1 --evaluations 2",
    "own table": "--dataset ./mine.csv --label y --target mae<=0.1 --model mlp(hidden=[4]) --budget 2 --evaluations 5",
}


@pytest.fixture
def folder(command, tmp_path):
    generator = np.random.default_rng(0)
    rows = np.round(generator.normal(size=(200, 3)), 4)
    table = np.column_stack([rows, rows.sum(axis=1)])
    np.savetxt(tmp_path / "mine.csv", table, delimiter=",", header="a,b,c,y", comments="", fmt="%.4f")
    (tmp_path / "mine.py").write_text(MODEL, "utf-8")
    (tmp_path / "parts").mkdir()
    for split in ("train", "test"):
        lines = [f"{row[0]},{row[1]},{int(row[0] > 0)}" for row in rows]
        (tmp_path / "parts" / f"{split}.csv").write_text("a,b,label\n" + "\n".join(lines), "utf-8")
    words = [f"w{number}" for number in range(25_000)]
    x = generator.integers(2, 25_002, (60, 4), dtype=np.int32)
    np.savez(tmp_path / "words.npz", x=x, y=(x[:, 0] > 12_000).astype(np.int32), vocabulary=words)
    return tmp_path


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_the_program_gives_the_evaluations_of_the_run(options, command, folder):
    assert command("run", *options.split(), "--progress", "off").code in (0, 3)
    (record,) = records.read(folder / "runs").runs
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    result = command("code", f"runs/{run.name}")
    assert result.code == 0, result.err
    names = {}
    exec(compile(result.out.replace("validation_data=", "verbose=0, validation_data="), "program", "exec"), names)
    trainer = names["trainer"]
    assert trainer.counts["samples"] == record["counts"]["samples"]
    assert len(trainer.evaluations) == len(record["evaluations"])
    for ours, theirs in zip(trainer.evaluations, record["evaluations"], strict=True):
        assert ours["samples"] == theirs["samples"]
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)


def test_a_plain_run_is_a_short_program(command, folder):
    command("run", "--dataset", "iris", "--selector", "loss_ema", "--budget", "1", "--progress", "off")
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    program = command("code", f"runs/{run.name}").out
    assert [line for line in program.splitlines() if line.startswith("#")] == [
        f"# The run runs/{run.name} as a program, written by `batchsel code`."
    ]
    assert len(program.splitlines()) <= 25
    assert 'data = batchsel.data.load("iris")' in program
    assert 'selector="loss_ema"' in program


def test_a_folder_without_a_run_is_an_error(command, tmp_path):
    result = command("code", str(tmp_path))
    assert result.code == 2
    assert "holds no run" in result.err
