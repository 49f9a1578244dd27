"""The real data sets, where `COURSE_DATA_DIR` has them."""

import os
import subprocess
import sys

import numpy as np
import pytest

from course_utils import data
from course_utils.data import sources


@pytest.fixture
def there(request):
    """Skips a test whose set is not in the data folder."""
    if not os.environ.get("COURSE_DATA_DIR") or sources.find(*request.param.split("/")) is None:
        pytest.skip("skipped: no real data")


def needs(place):
    return pytest.mark.parametrize("there", [place], indirect=True)


@needs("VOCdevkit/VOC2012")
def test_voc_2012(there):
    parts = {split: data.load("voc2012", split, size=32) for split in ("train", "val")}
    assert len(parts["train"]) > 300 and len(parts["val"]) > 200
    for part in parts.values():
        assert part.class_names[15] == "person" and part.image_labels()[:, 1:].any(axis=1).mean() > 0.95
        assert 0.01 < (part.masks == 255).mean() < 0.15


@needs("m2nist")
def test_m2nist(there):
    parts = [data.load("m2nist", split) for split in ("train", "val", "test")]
    assert [len(p) for p in parts[1:]] == [500, 500]
    assert parts[0].images.shape[1:] == (64, 84, 1)
    for part in parts:
        lit = part.images[..., 0][part.masks != 10].mean()
        assert lit > 5 * part.images[..., 0][part.masks == 10].mean()


@needs("membrane")
def test_membrane(there):
    parts = [data.load("membrane", split) for split in ("train", "val", "test")]
    assert [len(p) for p in parts] == [20, 5, 5]
    for part in parts:
        assert part.images.shape[1:] == (512, 512, 1)
        cell, membrane = (part.images[..., 0][part.masks == k].mean() for k in (1, 0))
        assert cell > membrane + 0.1


@needs("tfds/mnist")
def test_scenes_of_mnist(there):
    pytest.importorskip("tensorflow_datasets")
    scenes = data.load("mnist", "test", limit=50)
    assert scenes.images.shape == (50, 48, 48, 1)
    assert {scene.max() for scene in scenes.instances} == {1, 2, 3}
    assert scenes.images[..., 0][scenes.masks != 10].mean() > scenes.images[scenes.masks == 10].mean() + 0.1


@needs("tfds/oxford_iiit_pet")
def test_pets(there):
    pytest.importorskip("tensorflow_datasets")
    pets = data.load("oxford_iiit_pet", "test", size=(64, 96))
    assert pets.images.shape[1:] == (64, 96, 3)
    assert pets.image_labels().all()
    assert 0.02 < (pets.masks == 255).mean() < 0.3


@needs("VOCdevkit/VOC2012")
def test_voc_at_512_streams_in_less_than_one_and_a_half_gigabytes(there):
    """The whole of a process with Keras in it, whatever the number of pictures."""
    code = """
import resource
from course_utils import data
from course_utils.data import sources
sources.EAGER_BYTES = 0
voc = data.load("voc2012", size=512)
batches = voc.batches(8, shuffle=True)
for epoch in range(2):
    assert sum(len(batches[i][0]) for i in range(len(batches))) == len(voc)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 1.5


@needs("VOCdevkit/VOC2012")
def test_pictures_are_the_photographs_and_not_only_numbers(there):
    voc = data.load("voc2012", size=64)
    assert 0.3 < voc.images.mean() < 0.6
    assert np.ptp(voc.images, axis=(1, 2, 3)).min() > 0.2
