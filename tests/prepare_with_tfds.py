"""Prepares the small digits of data_files.py with TensorFlow Datasets: `prepare_with_tfds.py FORMAT FOLDER`."""

import sys
from pathlib import Path

import tensorflow_datasets as tfds

sys.path.insert(0, str(Path(__file__).parents[1]))
from data_files import digit_arrays


class Tiny(tfds.core.GeneratorBasedBuilder):
    """The builder of MNIST in small: shuffled by the number of the row."""

    VERSION = tfds.core.Version("3.0.1")

    def _info(self):
        image, label = tfds.features.Image(shape=(28, 28, 1)), tfds.features.ClassLabel(num_classes=10)
        features = tfds.features.FeaturesDict({"image": image, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("image", "label"))

    def _split_generators(self, manager):
        return {part: self._generate_examples(part) for part in ("train", "test")}

    def _generate_examples(self, part):
        arrays = digit_arrays()
        for row, (image, label) in enumerate(zip(arrays[f"x_{part}"], arrays[f"y_{part}"], strict=True)):
            yield row, {"image": image[..., None], "label": int(label)}


if __name__ == "__main__":
    Tiny(data_dir=sys.argv[2], file_format=sys.argv[1]).download_and_prepare()
