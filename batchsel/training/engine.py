"""The engine of a trainer: step, loop and evaluation, built and traced for a model and a selector."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import Selector
from batchsel.selectors.base import Shapes
from batchsel.selectors.validation.declaration import check_declaration
from batchsel.training import variables
from batchsel.training.inputs import arguments, arrays
from batchsel.training.inputs.batch import Samples, at_path, signature_of, to_tensors
from batchsel.training.inputs.compatibility import check_mixing, check_sizes
from batchsel.training.inputs.padding import check_cut
from batchsel.training.loop.batch_transforms import BatchTransforms
from batchsel.training.loop.compilation import MODES, Compilation, choose_compilation, use_xla
from batchsel.training.loop.data_feed import DataFeed, InMemoryFeed, LoopResult
from batchsel.training.loop.errors import PLANNING_ERRORS, raise_for_status, selector_errors
from batchsel.training.loop.evaluation import Evaluation
from batchsel.training.loop.loop_state import BudgetWindow
from batchsel.training.loop.selector_check import check_selector, report_graph_mode, signal_shapes
from batchsel.training.loop.train_loop import TrainLoop
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.objective import loss_kind
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula

_WARM_UP_STEPS = 2


class Engine:
    """The compiled parts of a trainer, rebuilt only for data of another size or type.

    Args:
        model: A compiled Keras model.
        selector: The selector.
        batch_size: b, samples of a step.
        schedule: Factor of the learning rate, or None.
        compile: "graph", "xla" or "auto".
        cut_padding: Whether batches of padded sequences are cut to the longest in them.
        evaluation_batch_size: Rows of a forward pass when evaluating; None for at least 256.
        augmentation: Random changes of the samples of each training batch, or None.
        accumulation_schedule: Number of batches of an update, or None for one.
        curricula: Changes of the samples that depend on time, or None.

    Raises:
        UserError: If the model is not compiled, or overrides how Keras trains; or if samples are mixed and the selector
            uses their losses.
    """

    def __init__(
        self,
        model: keras.Model,
        selector: Selector,
        batch_size: int,
        schedule: Schedule | None,
        compile: str,
        cut_padding: bool,
        evaluation_batch_size: int | None,
        augmentation: Pipeline | None = None,
        accumulation_schedule: AccumulationSchedule | None = None,
        curricula: Curricula | None = None,
    ) -> None:
        compile = arguments.choice("compile", compile, MODES)
        cut_padding = arguments.flag("cut_padding", cut_padding)
        rows = min(max(256, batch_size), arrays.LARGEST) if evaluation_batch_size is None else evaluation_batch_size
        self._evaluation_batch_size = arguments.whole_number("evaluation_batch_size", rows, upper=arrays.LARGEST)
        check_declaration(selector)
        check_mixing(augmentation, selector)
        self.augmentation = augmentation
        self.curricula = curricula
        self.model = model
        self.selector = selector
        self.batch_size = batch_size
        self.step = TrainStep(model, selector.signals, batch_size, schedule, accumulation_schedule, cut_padding)
        self.step_seconds = 0.0
        """Seconds of a step, as last measured."""
        self.mode = compile
        self.seed = 0
        self._loop: TrainLoop | None = None
        self._evaluation: Evaluation | None = None
        self._signature: Any = None
        self._warm = False
        self._metrics_built = False
        self._classes: list[int] = []
        """Classes of each output with a loss that takes class ids; 0 for others."""
        self._shapes: Shapes = {}
        """Shapes of the signals that the selector requests."""
        self._selector_obstacle: str | None = None
        """Reason for which XLA cannot compile the selector."""
        self._pending_seed: int | None = None
        self._first_slots: list[np.ndarray] | None = None
        self._compiled = _compilation(model)

    @property
    def loop(self) -> TrainLoop:
        """The traced loop, which exists once a data set is known."""
        if self._loop is None:
            raise UserError("nothing was trained yet: call fit() first.")
        return self._loop

    @property
    def has_loop(self) -> bool:
        """True if a data set is known."""
        return self._loop is not None

    @property
    def evaluation(self) -> Evaluation:
        """The traced evaluation."""
        if self._evaluation is None:
            self._evaluation = Evaluation(self.step, self._evaluation_batch_size, self.xla)
        return self._evaluation

    @property
    def xla(self) -> bool:
        """True if XLA compiles the whole loop."""
        return use_xla(self.mode, self.model, self.selector, *self._transform_settings(), self._selector_obstacle)

    def _transform_settings(self) -> tuple[bool, Pipeline | None, Curricula | None]:
        """Return cut_padding, augmentation and curricula, which change a batch before it is trained on."""
        return self.step.cut_padding, self.augmentation, self.curricula

    @property
    def compile_unchanged(self) -> bool:
        """True unless the model was compiled again after this engine was built."""
        return all(new is old for new, old in zip(_compilation(self.model), self._compiled, strict=True))

    def prepare(self, feed: DataFeed) -> TrainLoop:
        """Return the loop for a data set; a new one if its size or types differ from those of the last.

        Args:
            feed: The data.

        Raises:
            UserError: If the data do not suit the model, or the model was compiled again.
        """
        if not self.compile_unchanged:
            raise UserError(
                "the model was compiled again after this trainer was created. Create a new Trainer(model, ...)."
            )
        example = feed.example()
        self.step.lr_controller.check_batch_size(min(self.batch_size, feed.n), self.batch_size)
        signature = (feed.n, type(feed).__name__, signature_of(example))
        if self._loop is None or self._signature != signature:
            self.build(example)
            self._check_selector(feed, self.new_loop(feed.n))
            self._signature = signature
        self.check_labels(example)
        return self.loop

    def build(self, samples: Samples) -> None:
        """Build model, optimizer and metrics by a forward pass on one sample.

        Args:
            samples: Arrays; the first sample is used.

        Raises:
            UserError: If the model has nothing to train.
        """
        one = to_tensors(*tf.nest.map_structure(lambda leaf: None if leaf is None else leaf[:1], samples))
        outputs = self.model(one.x, training=False)
        if not self.model.trainable_variables:
            raise UserError("the model has no trainable weights: there is nothing to train.")
        if self._pending_seed is not None:
            variables.initialize(self.model, self._pending_seed)
            self._pending_seed = None
        self._check_transforms(samples, one)
        # Zeros, because the targets cannot be checked before the kind of loss is known.
        self.step.objective.losses(tf.nest.map_structure(tf.zeros_like, one.y), outputs)
        self._build_optimizer()
        self.step.build()
        self._shapes = signal_shapes(self.step, self.selector, one)
        objective = self.step.objective
        self._classes = [
            output.shape[-1] if output is not None and loss_kind(loss)[0] == "sparse" else 0
            for loss, path in zip(objective.output_losses, objective.output_paths, strict=True)
            for output in [at_path(outputs, path)]
        ]
        if not self._metrics_built:
            # Some metrics create their variables when they see their first targets.
            self.check_labels(samples)
            losses = self.step.objective.losses(one.y, outputs)
            self.step.metrics.update(losses[0], losses, one.y, outputs, tf.zeros([1]), one.sample_weight)
            _check_results(self.step.metrics.results())
            self.step.metrics.reset()
            self._metrics_built = True

    def _check_transforms(self, samples: Samples, one: Samples) -> None:
        """Check that the model and its inputs suit cut_padding, augmentation and curricula."""
        if self.step.cut_padding:
            check_cut(self.model, samples.x)
        if self.augmentation is not None:
            self.augmentation.check(one.x, self.batch_size)
        if self.curricula is not None:
            self.curricula.check(one.x, self.batch_size)
            if self.curricula.resizes:
                zero = tf.constant(0)
                check_sizes(self.model, one.x, self.curricula(one.x, Rng(zero, zero), Timestamp.from_progress(0.0)))

    def _build_optimizer(self) -> None:
        optimizer, trained = self.model.optimizer, self.model.trainable_variables
        first_time = not optimizer.built
        optimizer.build(trained)
        if first_time and not variables.can_copy(optimizer):
            self._first_slots = [variable.numpy() for variable in optimizer.variables]

    def _check_selector(self, feed: DataFeed, compilation: Compilation) -> None:
        """Check the selector on the loop; if XLA cannot compile it, make the loop anew without."""
        data = feed.data if isinstance(feed, InMemoryFeed) else None
        obstacle = check_selector(self.loop, data, self._shapes, compilation)
        if obstacle is not None:
            self._selector_obstacle = obstacle
            self.new_loop(feed.n)
            report_graph_mode(self.selector, obstacle)

    def new_loop(self, n: int) -> Compilation:
        """Create the loop for n samples; the state of the last loop is kept if n is the same.

        Args:
            n: Samples.

        Returns:
            The parts of it that XLA compiles.
        """
        old, self._warm, self._signature = self._loop, False, None
        settings = (*self._transform_settings(), self._selector_obstacle)
        compilation = choose_compilation(self.mode, self.model, self.selector, n, *settings)
        transforms = BatchTransforms.from_parts(self.augmentation, self.curricula, compilation.augmenting)
        b = min(self.batch_size, n)
        self._loop = TrainLoop(self.step, self.selector, n, b, compilation, transforms, self._shapes)
        self._loop.seed.assign(self.seed)
        self._evaluation = None
        if old is not None and old.n == n:
            self._loop.store(old.load())
        elif self.augmentation is not None:
            self.augmentation.seed(self.seed)
        return compilation

    def check_labels(self, samples: Samples, numbers: np.ndarray | None = None) -> None:
        """Check that class ids lie within the model's outputs.

        Args:
            samples: Arrays.
            numbers: Sample numbers of the rows; None for 0 ... n-1.

        Raises:
            UserError: If any lies outside.
        """
        objective = self.step.objective
        for loss, path, classes in zip(objective.output_losses, objective.output_paths, self._classes, strict=True):
            labels = at_path(samples.y, path)
            if classes and labels is not None:
                ignored = keras_private.get_loss_options(loss).get("ignore_class")
                arrays.check_labels(labels, classes, numbers, ignored)

    def begin_fit(self) -> None:
        """Clear the error, accumulated gradients, logs and metrics of the last call of fit."""
        self.loop.clear_error()
        self.loop.begin_fit()
        self.step.metrics.reset()
        self.step.lr_controller.capture_base_rate()

    def warm_up(self, feed: DataFeed, window: BudgetWindow, validation: Samples | None) -> None:
        """Trace and compile everything once, then restore every variable.

        Args:
            feed: The data.
            window: The budget of the call of fit.
            validation: Data to evaluate on, or None.
        """
        if self._warm:
            return
        loop, members = self.loop, self.variables()
        fresh = not any(loop.counts().values())
        if fresh:
            # Before the first step, the state of the loop, several numbers for each sample, is known without a copy.
            own = {id(variable) for variable in tf.nest.flatten(loop.state)}
            members = {name: variable for name, variable in members.items() if id(variable) not in own}
        values = variables.snapshot(members)
        try:
            with selector_errors(self.selector):
                self._warm_up_steps(feed, window)
            if validation is not None:
                self.evaluation(validation)
        finally:
            variables.restore(members, values)
            if fresh:
                loop.store(loop.initial_state())
            feed.discard_prefetch()
        self._warm = True

    def _warm_up_steps(self, feed: DataFeed, window: BudgetWindow) -> None:
        step = int(self.loop.state.step.numpy())
        never = np.array([np.iinfo(np.int64).max])
        self._raise_planning_error(feed.run(self.loop, window, never, step + 1))
        start = time.perf_counter()
        self._raise_planning_error(feed.run(self.loop, window, never, step + 1 + _WARM_UP_STEPS))
        # An upper bound of a step's time, so that the first call returns in time.
        self.measure_steps(time.perf_counter() - start, _WARM_UP_STEPS)

    def _raise_planning_error(self, result: LoopResult) -> None:
        """Raise an error of a plan before anything is trained; before a selector has prepared, plans mean nothing."""
        status = int(result.counters[-1])
        if status in PLANNING_ERRORS and not self.selector.prepares:
            raise_for_status(self.loop, status)

    def measure_steps(self, seconds: float, steps: int) -> None:
        """Record the time of a step.

        Args:
            seconds: Seconds of all of them.
            steps: Number of steps.
        """
        self.step_seconds = seconds / max(steps, 1)

    def reset(
        self,
        seed: int,
        weights: list[np.ndarray] | None,
        learning_rate: float | None,
        build: Callable[[], keras.Model] | None,
    ) -> None:
        """Reset model, optimizer, metrics and loop to before the first step; traces stay.

        Args:
            seed: Seed of the selector and of the initial weights.
            weights: Initial weights, or None to draw them from the seed.
            learning_rate: The optimizer's first learning rate, or None for its original one.
            build: Makes the model again, or None.

        Raises:
            UserError: If the model cannot be cloned to draw weights, or the optimizer cannot be copied.
        """
        if build is not None and not callable(build):
            raise UserError(f"build must be a function that makes the model, got {arguments.show(build)}.")
        weights = arguments.initial_weights(weights, self.model.weights if self.model.built else ())
        learning_rate = None if learning_rate is None else arguments.number("learning_rate", learning_rate, 0)
        optimizer = self.model.optimizer
        fresh = self._first_slots
        if fresh is None:
            fresh = variables.fresh_slots(optimizer, self.model.trainable_variables) if optimizer.built else []
        if weights is not None:
            self.model.set_weights(weights)
        elif build is not None:
            variables.reinitialize(self.model, seed, build)
        elif self.model.built:
            variables.initialize(self.model, seed)
        else:
            self._pending_seed = seed
        for variable, value in zip(optimizer.variables if fresh else [], fresh, strict=True):
            variable.assign(value)
        self.step.lr_controller.reset_rate(learning_rate)
        if self._loop is not None:
            self.step.metrics.reset()
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Set the seed and clear the state of the selector; weights and optimizer stay.

        Args:
            seed: Seed of the selector.
        """
        self.seed = seed
        if self._loop is not None:
            self._loop.reset()
            self._loop.seed.assign(seed)
            if self.augmentation is not None:
                self.augmentation.seed(seed)

    def variables(self) -> dict[str, Any]:
        """Return every variable of the run by name."""
        return variables.variables(self.step, self.loop)


def _check_results(results: dict[str, tf.Tensor]) -> None:
    for name, value in results.items():
        if value.shape.rank != 0:
            raise UserError(
                f"metric {name!r} returns {value.shape.num_elements()} numbers; batchsel records one for each metric."
                " Let it average, as in keras.metrics.F1Score(average='macro')."
            )


def _compilation(model: keras.Model) -> tuple[Any, ...]:
    return keras_private.get_compiled_loss(model), keras_private.get_compiled_metrics(model), model.optimizer
