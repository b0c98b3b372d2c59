"""Quiet TensorFlow and repeatable property tests, for the whole suite."""

import gc
import multiprocessing.util
import os
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# To compile takes longer than to run here. Any flags of one's own win, such as --xla_backend_optimization_level=3, with
# which code is compiled as for users.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS") or "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"
)

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "batchsel", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("batchsel")

_LONG = (
    "test_experiments.py", "test_conformance.py", "test_augmented_training.py", "test_every_selector_runs.py",
    "test_run.py", "test_models.py", "test_site.py", "test_every_selector.py", "test_checkpoint.py",
    "test_agrees_with_keras.py", "test_examples.py", "test_streaming.py", "test_language_model.py", "test_tuning.py",
    "test_executors.py", "test_slurm.py",
)  # fmt: skip
"""Files that take longest, which come first: a long one left to the end would keep one process busy and the other idle.
The rest come in the order of their names."""


def pytest_collection_modifyitems(items):
    """Put the tests of long files first; within files the order stays."""
    order = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


# Started in the background, the tests would inherit signals that are ignored, and pass that on to their processes.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _separate_device_lock():
    """Give each worker a folder for the lock of the device: in tests nothing is timed, and nobody need wait."""
    multiprocessing.util.get_temp_dir()  # removed at the end of the process, when this folder is no longer there
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)  # some tests give up their rights
        patch.setenv("TMPDIR", folder)
        patch.setattr("tempfile.tempdir", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _without_packaged_data():
    """Hide data that packages of the system hold: tests say themselves what is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batchsel.data.sets.fashion_mnist.PACKAGED", Path("/nowhere"))
        yield


@pytest.fixture(scope="module", autouse=True)
def _clear_caches(request):
    """Clear the caches of a test module: trainers hold compiled programs, gigabytes in the whole suite."""
    yield
    for value in list(vars(request.module).values()):
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    gc.collect()
    gc.freeze()  # what is left stays; Keras and this fixture collect often, and need not walk through it each time


def _folder(request):
    """Return the name of the folder of tests that a module is in."""
    return request.path.relative_to(Path(__file__).parent).parts[0]


_XLA_FOLDERS = {"selectors", "training", "schedules", "optimizers"}
"""Folders whose tests compile as users do. Compiling by XLA takes several seconds for each run; what it compiles is
tested there, so that the tests of everything around a run, such as commands and records, leave it out."""


_REWRITTEN_IN_VAIN = {"models", "transforms"}
"""Folders whose graphs are large and run for moments: to rewrite them takes a fifth of the time of their tests."""


@pytest.fixture(scope="module", autouse=True)
def _without_graph_rewriting(request):
    """Let TensorFlow run graphs as they were traced in the folders of `_REWRITTEN_IN_VAIN`."""
    if _folder(request) not in _REWRITTEN_IN_VAIN:
        yield
        return
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


_TIMED_FOLDERS = {"training", "benchmarks"}
"""Folders whose tests look at the time that selection takes."""


_STACK_FOLDERS = {"training", "transforms", "models"}
"""Folders whose tests do not look for the line of a user's code that an error comes from."""


@pytest.fixture(scope="module", autouse=True)
def _same_stack_for_all_operations(request):
    """Let TensorFlow note one stack for all operations: to walk through those of pytest takes a tenth of all tracing."""
    if _folder(request) not in _STACK_FOLDERS:
        yield
        return
    from tensorflow.python.util import tf_stack

    stack = tf_stack.extract_stack()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf_stack, "extract_stack", lambda stacklevel=1: stack)
        yield


@pytest.fixture(scope="module", autouse=True)
def _compile_as_graph(request):
    """Let ``compile="auto"`` choose graphs outside of `_XLA_FOLDERS`."""
    with pytest.MonkeyPatch.context() as patch:
        if _folder(request) not in _XLA_FOLDERS:
            patch.setattr("batchsel.training.loop.compilation._suits_xla", lambda model: False)
        yield


@pytest.fixture(scope="module", autouse=True)
def _leave_out_selection_cost(request):
    """Let runs outside of `_TIMED_FOLDERS` not time what selection costs: it traces two to four functions a run."""
    with pytest.MonkeyPatch.context() as patch:
        if _folder(request) not in _TIMED_FOLDERS:
            patch.setattr("batchsel.training.diagnostics.selection_cost._time_repeated", lambda *arguments: 1e-6)
        yield


@pytest.fixture
def policy():
    """Return a function that sets Keras's precision policy for one test."""
    import keras

    before = keras.mixed_precision.dtype_policy()
    yield keras.mixed_precision.set_dtype_policy
    keras.mixed_precision.set_dtype_policy(before)
