"""How fast augmented batches come, as a multiple of what a U-Net eats: python tests/benchmarks/pipeline.py

One run measures both, so that the ratio does not depend on the machine. The network is a U-Net of base
width 16 and depth 4 at 64×64, batch 32; the augmentation is all that the course has.
"""

import platform
import time

import keras
from keras import layers

import course_utils
from course_utils import data

GOAL = 5


def unet(input_shape, num_classes, filters=16, depth=4):
    """A plain U-Net, as large as the lecture's."""

    def double_conv(x, width):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        return x

    x = inputs = keras.Input(input_shape)
    skips = []
    for level in range(depth):
        x = double_conv(x, filters * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = double_conv(x, filters * 2**depth)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**level, 2, strides=2)(x)
        x = double_conv(layers.Concatenate()([skips[level], x]), filters * 2**level)
    return keras.Model(inputs, layers.Conv2D(num_classes, 1)(x))


def eaten(scenes):
    """Pictures a second that `fit` takes in, after a first epoch that compiles."""
    model = unet(scenes.images.shape[1:], scenes.num_classes)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    model.fit(scenes.batches(32), epochs=1, verbose=0)
    start = time.perf_counter()
    model.fit(scenes.batches(32), epochs=2, verbose=0)
    return 2 * len(scenes) / (time.perf_counter() - start)


def delivered(scenes):
    """Pictures a second that augmented batches bring."""
    change = data.augment(
        flip=True, zoom=0.2, rotation=15, translation=0.1, shear=10, colour=0.2, noise=0.02
    )
    batches = scenes.batches(32, augment=change, shuffle=True)
    start = time.perf_counter()
    for i in range(len(batches)):
        batches[i]
    return len(scenes) / (time.perf_counter() - start)


if __name__ == "__main__":
    course_utils.setup()
    print(platform.platform())
    for name, size in (("digits", 64), ("toyvoc", 64), ("toyvoc", None)):
        scenes = data.load(name, size=size, limit=320)
        eats, brings = eaten(scenes), delivered(scenes)
        print(
            f"{name} {scenes.images.shape[1:]}: batches {brings:.0f}/s, U-Net {eats:.0f}/s, "
            f"ratio {brings / eats:.1f} (goal {GOAL})"
        )
