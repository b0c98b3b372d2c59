"""Run once: train to the target, test, record."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.locking.gpus import simulated
from batchsel.core.target import HOLD
from batchsel.data import Dataset, Split
from batchsel.errors import UserError
from batchsel.experiments.run import build_record, records
from batchsel.experiments.run.arms import PRUNING_SHARE, Arm
from batchsel.experiments.run.device_lock import lock_device, print_line
from batchsel.experiments.run.diagnostics import Diagnostics
from batchsel.experiments.run.record_details import Snapshots, sample_details
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.run_folder import (
    CHECKPOINT,
    CONFIG,
    cannot_write,
    check_unchanged,
    checkpoint_notes,
    hold_folder,
    interrupted_run,
    noted_digest,
    noted_option,
    other_run,
)
from batchsel.experiments.spec.budget import PASSES_BETWEEN_EVALUATIONS, Budget
from batchsel.experiments.spec.dataset_lookup import load_arrays
from batchsel.experiments.spec.run_spec import RunSpec, to_toml
from batchsel.training.callbacks import AfterEvaluations, Watch
from batchsel.training.callbacks.by_name import make_trackers
from batchsel.training.callbacks.pass_sizes import PassSizes
from batchsel.training.checkpoint_meta import read_run
from batchsel.training.fit_call.dry_run import check_user_selector
from batchsel.training.runtime.devices import used_gpus
from batchsel.training.trainer import Trainer


@dataclass(frozen=True)
class RunContext:
    """Everything that a run needs and that does not change its results.

    Args:
        out: Folder of the runs.
        data_folder: Folder of the data, or None for the default ones.
        offline: Whether downloads are forbidden.
        resume: Whether to resume from the run's checkpoint.
        restart: Whether to delete the checkpoint of an interrupted run in the same folder; if not, the run is refused.
        folder: Folder of the run itself, with its checkpoint; None for one in `out` named by the spec.
        checkpoints: Whether the run has a folder of its own with its settings and a checkpoint.
        name: Name of the run in its record and in trackers; empty for none.
        trackers: Places of the logs of trackers, as in `make_trackers`.
        detail: Whether the record holds details of the samples chosen: images, a map of a plane.
        diagnostics: Diagnostics of each run: of "end", "noise_scale", "snr".
        about: Purpose of the runs, for reports: "question" and "command"; of a card also its name as "experiment",
            "story", "form" and "analysis".
        alone: Whether to wait until no other run uses the device; if not, its seconds do not count.
        download_progress: Function that creates a progress bar for a label, or None.
        watch: Called with the state of the run, a dict, about twice a second and after each evaluation.
        on_wait: Called with a line that says who holds the device, when the run has to wait for it.
    """

    out: Path = Path("runs")
    data_folder: str | None = None
    offline: bool = False
    resume: bool = False
    restart: bool = False
    folder: Path | None = None
    checkpoints: bool = True
    name: str = ""
    trackers: Mapping[str, str] = field(default_factory=dict)
    detail: bool = True
    diagnostics: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    alone: bool = True
    download_progress: Callable[[str], Any] | None = None
    watch: Callable[[dict[str, Any]], None] | None = None
    on_wait: Callable[[str], None] = print_line

    def run_cache(self) -> RunCache:
        """Return a new cache that finds its data as this context states."""
        return RunCache(self.data_folder, self.offline, self.download_progress)


def run(
    spec: RunSpec,
    context: RunContext = RunContext(),
    arm: Arm | None = None,
    run_cache: RunCache | None = None,
) -> dict[str, Any]:
    """Train to the target or to the end of the budget, and append a record.

    Args:
        spec: The settings.
        context: Folders, and who watches.
        arm: The arm of the run in an experiment; None for a single run.
        run_cache: Cache of data and trainers between runs, or None.

    Returns:
        The record.

    Raises:
        UserError: If anything the run needs is missing or wrong, or its folder holds a run that is under way or was
            interrupted.
        KeyboardInterrupt: After Ctrl-C, once a checkpoint is written.
    """
    run_cache = run_cache or context.run_cache()
    dataset, trainer = run_cache.dataset(spec), run_cache.trainer(spec)
    folder = context.folder or context.out / spec.identity()
    path = folder / CHECKPOINT
    meta = read_run(path).meta if context.resume and path.is_file() else None
    measure = noted_option(meta, "measure", context.diagnostics)
    context = dataclasses.replace(
        context,
        name=noted_option(meta, "name", context.name),
        trackers=noted_option(meta, "trackers", context.trackers),
    )
    check_user_selector(trainer.engine, *_training_data(dataset))  # which needs not wait for the device
    diagnostics = Diagnostics(measure, trainer, dataset, spec.budget, run_cache.probes(trainer))
    options = {"measure": list(measure), "name": context.name, "trackers": dict(context.trackers)}
    trainer.notes = checkpoint_notes(spec, **options)
    arm = arm or Arm.from_single_run(spec)
    with _open_folder(folder, spec, context, dataset, trainer, meta):
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        snapshots = Snapshots(trainer, dataset, spec.budget)
        callbacks: list[Any] = (
            [AfterEvaluations(snapshots.take_if_due)] if context.detail and snapshots.has_plane else []
        )
        callbacks += diagnostics.callbacks
        name, group = context.name or spec.identity(), context.about.get("experiment") or ""
        callbacks += make_trackers(context.trackers, name, folder, spec.values() | {"arm": arm.name}, group)
        callbacks.append(pass_sizes := PassSizes(trainer))
        with lock_device(context.alone, context.on_wait, used_gpus()) as alone:
            _fit(spec, context, trainer, dataset, folder, callbacks)
        cost = run_cache.selection_cost(trainer, dataset)
        quality = run_cache.scoring_quality(trainer, dataset)
        record = build_record.build_record(spec, arm, trainer, dataset, cost, quality)
        record |= {"started": started, "contended": not alone or simulated() > 0, "about": context.about}
        record |= {"name": context.name} if context.name else {}
        record |= {"pass_samples": pass_sizes.sizes()} if record["kept"] < PRUNING_SHARE else {}
        # Unless the target was reached, the test part was read with the weights at the end.
        record |= diagnostics.record(None if record["reached"] else record["test"])
        if context.detail:
            record |= sample_details(trainer, dataset, snapshots.taken)
        if context.resume and (known := _find_recorded(context.out, record["digest"], record["evaluations"])):
            return known  # it had ended before: nothing was trained
        records.append(context.out, record)
        return record


def check_run(spec: RunSpec, context: RunContext = RunContext(), run_cache: RunCache | None = None) -> None:
    """Check the data, the model and, if a user wrote it, the selector of a run, without training.

    Args:
        spec: The settings.
        context: Folders of the data.
        run_cache: Cache of data and trainers between runs, or None.

    Raises:
        UserError: If anything is missing or wrong.
    """
    run_cache = run_cache or context.run_cache()
    check_user_selector(run_cache.trainer(spec).engine, *_training_data(run_cache.dataset(spec)))


def _training_data(dataset: Dataset) -> tuple[Any, ...]:
    train = dataset.train
    return (train.x, train.y) if isinstance(train, Split) else (train,)


def _find_recorded(out: Path, digest: str, evaluations: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the record of the same run with the same evaluations at the same seconds, if there is one."""
    runs = records.read_folder(out).runs
    return next((run for run in runs if (run["digest"], run["evaluations"]) == (digest, evaluations)), None)


@contextmanager
def _open_folder(
    folder: Path,
    spec: RunSpec,
    context: RunContext,
    dataset: Dataset,
    trainer: Trainer,
    meta: Mapping[str, Any] | None,
) -> Iterator[None]:
    """Hold the folder of the run, if it has one, and prepare it and the trainer for a new or a resumed run.

    `meta` is that of the checkpoint to resume from, None if there is none.
    """
    path = folder / CHECKPOINT
    if context.resume and meta is None:
        raise UserError(f"no checkpoint at {path}.")
    if not (context.resume or context.checkpoints):
        yield
        return
    with hold_folder(folder):
        if meta is not None:
            check_unchanged(folder, spec, meta)
            trainer.resume(path)
            _write_settings(folder, spec)  # which state changed code, if the run goes on with any
        else:
            if path.is_file() and not context.restart:
                _check_finished(folder, spec, context.out)
            _fill_folder(folder, spec, dataset)
        yield


def _check_finished(folder: Path, spec: RunSpec, out: Path) -> None:
    """Check that the checkpoint in a folder is that of a run that has been recorded, so that it may be deleted."""
    try:
        meta = read_run(folder / CHECKPOINT).meta
    except UserError as error:
        raise UserError(f"{error} To delete it and start over, say --restart.") from error
    if noted_digest(meta) not in (None, spec.digest()):
        raise other_run(folder)
    if _find_recorded(out, noted_digest(meta) or spec.digest(), meta["progress"]["evaluations"]) is None:
        raise interrupted_run(folder)


def _fill_folder(folder: Path, spec: RunSpec, dataset: Dataset) -> None:
    try:
        (folder / CHECKPOINT).unlink(missing_ok=True)  # of an earlier run, from which nobody should resume
    except OSError as error:
        raise cannot_write(folder, error) from error
    _write_settings(folder, spec)
    if dataset.encoder is not None:
        with atomic_write(folder / dataset.encoder.FILE) as beside:
            beside.write_text(dataset.encoder.serialize(), "utf-8")


def _write_settings(folder: Path, spec: RunSpec) -> None:
    with atomic_write(folder / CONFIG) as beside:
        beside.write_text(to_toml(spec), "utf-8")


def _fit(
    spec: RunSpec,
    context: RunContext,
    trainer: Trainer,
    dataset: Dataset,
    folder: Path,
    callbacks: list[Any],
) -> None:
    budget = Budget.parse(spec.budget)
    length = budget.fit_options(len(dataset.train))
    every = length.get("epochs", length.get("passes", 0)) / spec.evaluations
    if budget.unit == "seconds":
        every = PASSES_BETWEEN_EVALUATIONS
    if context.watch is not None:
        callbacks.append(Watch(context.watch))
    trainer.fit(
        *_training_data(dataset),
        **length,
        validation_data=load_arrays(dataset.validation),
        evaluate_every=spec.evaluate_every or every,
        callbacks=callbacks,
        verbose=0,
        target=spec.target,
        hold=HOLD,
        stop_at_target=not spec.run_on,
        checkpoint=folder / CHECKPOINT if context.checkpoints else None,
    )
