"""A callback that saves a trainer in the middle of a run."""

import keras


class SaveAt(keras.callbacks.Callback):
    """Callback that saves at a step, and stops there or goes on."""

    def __init__(self, trainer, step, path, stop=False):
        super().__init__()
        self.trainer, self.step, self.path, self.stop = trainer, step, path, stop

    def on_train_batch_end(self, batch, logs=None):
        if self.trainer.counts["steps"] == self.step:
            self.trainer.save(self.path)
            if self.stop:
                self.model.stop_training = True
