"""The engine of a trainer: step, loop and evaluation, built and traced for a model and a selector."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.errors import UserError, reason_of
from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import Selector
from batchsel.selectors.base import Shapes
from batchsel.selectors.validation.declaration import check_declaration
from batchsel.training import variables
from batchsel.training.inputs import arguments
from batchsel.training.inputs.batch import Samples, signature_of
from batchsel.training.inputs.compatibility import check_mixing
from batchsel.training.loop.batch_transforms import BatchTransforms
from batchsel.training.loop.compilation import MODES, Compilation, choose_compilation, use_xla
from batchsel.training.loop.data_feed import DataFeed, InMemoryFeed, LoopResult
from batchsel.training.loop.errors import PLANNING_ERRORS, raise_for_status, selector_errors
from batchsel.training.loop.evaluation import XLA_ERRORS, Evaluation
from batchsel.training.loop.loop_state import BudgetWindow
from batchsel.training.loop.selector_check import check_selector, report_graph_mode, signal_shapes
from batchsel.training.loop.train_loop import TrainLoop
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.training.model.model_checks import eager_code_errors
from batchsel.training.model.own_step.parts import StepSettings, choose_parts, make_own_parts
from batchsel.training.model.per_sample_loss import NoSampleLossError
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
        UserError: If the model is not compiled; if samples are mixed and the selector uses their losses; or if the
            model overrides how Keras trains, and the selector or another setting needs losses of samples.
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
        if evaluation_batch_size is not None:
            arguments.whole_number("evaluation_batch_size", evaluation_batch_size, upper=arguments.LARGEST)
        self._evaluation_batch_size = self._stated_rows = evaluation_batch_size
        check_declaration(selector)
        check_mixing(augmentation, selector)
        self.augmentation = augmentation
        self.curricula = curricula
        self.model = model
        self.selector = selector
        self.batch_size = batch_size
        self._step_settings = StepSettings(
            model, selector, batch_size, schedule, accumulation_schedule, cut_padding, augmentation, curricula
        )
        self._parts = choose_parts(self._step_settings)
        self.step_seconds = 0.0
        """Seconds of a step, as last measured."""
        self.mode = compile
        self.seed = 0
        self._loop: TrainLoop | None = None
        self._loop_size: int | None = None
        """Samples of the data set, once it is known."""
        self._evaluation: Evaluation | None = None
        self._signature: Any = None
        self._warm = False
        self._xla_failed = False
        self._shapes: Shapes = {}
        """Shapes of the signals that the selector requests."""
        self._selector_obstacle: str | None = None
        """Reason for which XLA cannot compile the selector."""
        self._compiled = _compilation(model)

    @property
    def step(self) -> TrainStep:
        """The optimizer step."""
        return self._parts.step

    @property
    def builder(self) -> ModelBuilder:
        """The builder of the model."""
        return self._parts.builder

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
            usual = self.batch_size if self.builder.batches_matter else max(256, self.batch_size)
            rows = self.builder.fixed_batch or self._evaluation_batch_size or usual
            self._evaluation = self._parts.evaluation(self.step, rows, self.xla, fall_back=self.mode == "auto")
        return self._evaluation

    @property
    def xla(self) -> bool:
        """True if XLA compiles the whole loop."""
        return use_xla(self.mode, self.model, self.selector, *self._transform_settings(), *self._obstacles())

    def _obstacles(self) -> tuple[str | None, str | None]:
        """Return the reasons for which XLA cannot compile the selector, and the loop, or None."""
        return self._selector_obstacle, self.step.xla_obstacle or self._obstacle()

    def _obstacle(self) -> str | None:
        """Return what else than the parts of a run XLA cannot compile, or None; known once the metrics are built."""
        if self._xla_failed:
            return "it cannot compile an operation of the model, its loss or its metrics"
        n = self._loop_size
        padded = n is not None and self._short_batch(n) is None
        if padded and not self.builder.handles_padding:
            return f"{self.selector!r} plans short batches of any size, which the metrics must not see filled up"
        return None

    def _transform_settings(self) -> tuple[bool, Pipeline | None, Curricula | None]:
        """Return cut_padding, augmentation and curricula, which change a batch before it is trained on."""
        return self.step.cut_padding, self.augmentation, self.curricula

    @property
    def compile_unchanged(self) -> bool:
        """True unless the model was compiled again after this engine was built."""
        return all(new is old for new, old in zip(_compilation(self.model), self._compiled, strict=True))

    def set_evaluation_batch_size(self, rows: int | None) -> None:
        """Set the rows of a forward pass when evaluating; None for those that the engine was made with."""
        rows = rows or self._stated_rows
        if rows != self._evaluation_batch_size:
            self._evaluation_batch_size, self._evaluation = rows, None

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
            self.builder.check_batches(feed.n, self._short_batch(feed.n))
            self._check_selector(feed, self.new_loop(feed.n))
            self._signature = signature
        self.check_labels(example)
        self.builder.check_inputs(example)
        return self.loop

    def _short_batch(self, n: int) -> int | None:
        """Return the rows of short batches; a batch that is larger than the data holds all of them."""
        return self.selector.short_batch(n, min(self.batch_size, n))

    def build(self, samples: Samples) -> None:
        """Build model, optimizer and metrics by a forward pass on one batch; see `ModelBuilder.build`."""
        try:
            batch = self.builder.build(samples)
        except NoSampleLossError as error:  # of a function that is known only once it was called
            self._parts = make_own_parts(self._step_settings, error.reason, self._parts)
            batch = self.builder.build(samples)
        self._shapes = signal_shapes(self.step, self.selector, batch)

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
        self._loop_size = n
        settings = (*self._transform_settings(), *self._obstacles())
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
        if old is None:
            self.step.reseed(self.seed)
        return compilation

    def check_labels(self, samples: Samples, numbers: np.ndarray | None = None) -> None:
        """Check that class ids lie within the model's outputs; see `ModelBuilder.check_labels`."""
        self.builder.check_labels(samples, numbers)

    def check_validation(self, samples: Samples) -> None:
        """Check labels, inputs, weights and number of samples to evaluate on; see `ModelBuilder`."""
        self.check_labels(samples)
        self.builder.check_validation(samples)

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
            failed = not self._try_steps(feed, window)
            if validation is not None and not failed:
                self.evaluation(validation)
        finally:
            variables.restore(members, values)
            if fresh:
                loop.store(loop.initial_state())
            feed.discard_prefetch()
        if failed:
            self._go_on_without_xla()
            self.warm_up(feed, window, validation)
        self._warm = True

    def _try_steps(self, feed: DataFeed, window: BudgetWindow) -> bool:
        """Take the first steps, and return whether that was possible: XLA may not compile the model or its metrics."""
        try:
            with selector_errors(self.selector), eager_code_errors(self.model):
                self._warm_up_steps(feed, window)
        except UserError:
            raise
        except (ValueError, TypeError, *XLA_ERRORS) as error:
            if self.loop.xla and self.mode == "auto" and isinstance(error, XLA_ERRORS):
                return False
            if self.loop.short_rows is not None:
                self.builder.check_short_batch(feed.example(), self.loop.short)
            raise UserError(f"the model cannot be trained: {reason_of(error)}") from error
        return True

    def _go_on_without_xla(self) -> None:
        """Make the loop again as a plain graph, because XLA cannot compile an operation of the model."""
        self._xla_failed = True
        signature = self._signature
        self.new_loop(self.loop.n)
        self._signature = signature

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
        """Record the time of a step, from the seconds of a number of them."""
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
        optimizer = cast(Any, self.model.optimizer)
        built = getattr(optimizer, "built", False)  # a model with several optimizers may have no main one
        fresh = self.builder.first_slots
        if fresh is None and built:
            variables.check_copy(optimizer)
        if weights is not None:
            self.model.set_weights(weights)
        elif build is not None:
            variables.reinitialize(self.model, seed, build)
        elif self.model.built:
            variables.initialize(self.model, seed)
        else:
            self.builder.pending_seed = seed
        if fresh is None:
            # After the weights: some optimizers begin with a copy of them.
            fresh = variables.fresh_slots(optimizer, self.model.trainable_variables) if built else []
        for variable, value in zip(optimizer.variables if fresh else [], fresh, strict=True):
            variable.assign(value)
        self.step.reset()
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
            self.step.reseed(seed)
            self._loop.seed.assign(seed)
            if self.augmentation is not None:
                self.augmentation.seed(seed)

    def variables(self) -> dict[str, Any]:
        """Return every variable of the run by name."""
        return variables.variables(self.step, self.loop)


def _compilation(model: keras.Model) -> tuple[Any, ...]:
    return keras_private.get_compiled_loss(model), keras_private.get_compiled_metrics(model), model.optimizer
