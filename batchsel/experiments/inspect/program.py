"""Program of a run: Python code that does the same as its settings, for users who go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchsel.experiments.spec.budget import PASSES_BETWEEN_EVALUATIONS, Budget
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.schedules import is_constant

_WIDTH = 100
_METRICS = {"classification": '["accuracy"]', "regression": '["mae"]', "language_model": "[Perplexity()]"}
_TRAINER_SETTINGS = ("schedule", "compile", "cut_padding", "augment", "curriculum", "accumulate")


def write_program(spec: RunSpec, task: str, on_disk: bool = False, folder: str = "", has_words: bool = False) -> str:
    """Return a program that trains as a run does: the same data, model, choices and evaluations.

    Args:
        spec: The settings of the run.
        task: Task of its data set.
        on_disk: Whether its samples may be read from disk while it trains.
        folder: Folder of the run, which the first line names.
        has_words: Whether its samples are numbers of words, for which the model needs room.

    Example:
        >>> spec = RunSpec("iris", "mlp", "random", 16, "adam", 0.01, "linear", "8 passes", "accuracy>=0.9")
        >>> print(write_program(spec, "classification"))
        import keras
        <BLANKLINE>
        import batchsel
        <BLANKLINE>
        data = batchsel.data.load("iris")
        ...
    """
    lines = [f"# The run {folder} as a program, written by `batchsel code`.", ""] if folder else []
    lines += [
        *_imports(spec, task),
        "",
        *_data(spec),
        *_model(spec, task, has_words),
        *_trainer(spec),
        *_fit(spec, on_disk),
    ]
    return "\n".join(lines) + "\n"


def _imports(spec: RunSpec, task: str) -> list[str]:
    third = ["import keras", *(["import tensorflow as tf"] if spec.deterministic else [])]
    changed = {
        "batchsel.data.variants.corruption": [
            *(["corrupt_labels"] if spec.label_noise else []),
            *(["make_imbalanced"] if spec.imbalance > 1 else []),
        ],
        "batchsel.data.variants.subsample": ["subsample"] if spec.train_share < 1 else [],
        "batchsel.models.perplexity": ["Perplexity"] if task == "language_model" else [],
    }
    own = [f"from {module} import {', '.join(names)}" for module, names in changed.items() if names]
    return [*third, "", "import batchsel", *own]


def _data(spec: RunSpec) -> list[str]:
    lines = ["tf.config.experimental.enable_op_determinism()"] if spec.deterministic else []
    lines.append(f"data = batchsel.data.load({_text(spec.dataset)})")
    if spec.train_share < 1:
        lines.append(f"data = subsample(data, {spec.train_share!r})")
    if spec.imbalance > 1:
        lines.append(f"data = make_imbalanced(data, {spec.imbalance!r})")
    if spec.label_noise:
        lines.append(f"data = corrupt_labels(data, {spec.label_noise!r}, {_text(spec.label_noise_kind)})")
    return lines


def _model(spec: RunSpec, task: str, has_words: bool) -> list[str]:
    loss = "keras.losses.MeanSquaredError()"
    if task != "regression":
        loss = "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    lines = []
    if spec.label_smoothing and task != "regression":
        loss = "loss"
        lines += [f"loss = batchsel.SmoothedCrossentropy({spec.label_smoothing!r}, from_logits=True)"]
        lines += ["loss.plain_in_history = True  # the history has the loss without smoothing"]
    optimizer = f"batchsel.optimizers.build({_text(spec.optimizer)}, {spec.learning_rate!r})"
    sizes = {"vocabulary": "data.vocabulary_size"} if has_words else {}
    lines += _call("model = batchsel.models.build", [_text(spec.model), "data.input_shape", "data.outputs"], sizes)
    lines += _call("model.compile", [optimizer, loss], {"metrics": _METRICS[task]})
    if spec.mixed_precision:
        lines = ['keras.config.set_dtype_policy("mixed_bfloat16")  # "mixed_float16" on a GPU', *lines]
    if spec.devices != "1":
        lines = [f"with batchsel.device_scope({_text(spec.devices)}):", *(f"    {line}" for line in lines)]
    if ".py:" not in spec.model:
        return lines
    # A model of the user's may load weights, so it is built again from the seed instead of drawing its weights anew.
    return ["", "", "def build():", *(f"    {line}" for line in lines), "    return model", "", ""]


def _trainer(spec: RunSpec) -> list[str]:
    built = ".py:" in spec.model
    changed: dict[str, str] = {"selector": _text(spec.selector), "batch_size": repr(spec.batch_size)}
    for name in _TRAINER_SETTINGS:
        value = getattr(spec, name)
        if value and value != "auto" and not (name == "schedule" and is_constant(value)):
            changed[name] = _text(value) if isinstance(value, str) else repr(value)
    again = {"build": "build"} if built else {}
    lines = _call("trainer = batchsel.Trainer", ["build()" if built else "model"], changed)
    return lines + _call("trainer.reset", [], {"seed": repr(spec.seed), **again})


def _fit(spec: RunSpec, on_disk: bool) -> list[str]:
    budget = Budget.parse(spec.budget)
    unit, length = ("epochs", _number(budget.amount)) if budget.unit == "epochs" else ("passes", _passes(budget))
    every = f"{length} / {spec.evaluations}"
    options = {unit: length}
    if budget.unit == "seconds":
        options["seconds"], every = _number(budget.amount), repr(PASSES_BETWEEN_EVALUATIONS)
    options |= {"evaluate_every": repr(spec.evaluate_every) if spec.evaluate_every else every}
    options |= {"target": _text(spec.target)} | ({"stop_at_target": "False"} if spec.run_on else {})
    data, validation = ["data.train.x", "data.train.y"], "(data.validation.x, data.validation.y)"
    if on_disk:
        data, validation = ["data.train"], "data.validation"
    return _call("history = trainer.fit", data, {**options, "validation_data": validation})


def _passes(budget: Budget) -> str:
    """Return the passes of a budget as an expression, rounded to whole samples as a run does."""
    n = "len(data.train)"
    if budget.unit == "passes":
        whole = budget.amount == int(budget.amount)
        return _number(budget.amount) if whole else f"max(1, round({budget.amount!r} * {n})) / {n}"
    return f"{budget.samples(1)} / {n}"


def _number(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) else repr(amount)


def _call(function: str, arguments: list[str], options: Mapping[str, str]) -> list[str]:
    """Return the lines of a call: one line, or one for each argument if that is too long."""
    parts = [*arguments, *(f"{name}={value}" for name, value in options.items())]
    line = f"{function}({', '.join(parts)})"
    return [line] if len(line) <= _WIDTH else [f"{function}(", *(f"    {part}," for part in parts), ")"]


def _text(value: Any) -> str:
    """Return a text in double quotes, as formatters write it."""
    return repr(value) if '"' in value or "\\" in value else f'"{value}"'
