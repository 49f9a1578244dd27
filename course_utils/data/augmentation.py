"""Augmentation of a picture and its mask together."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

VOID = 255  # id of pixels without a class, as in PASCAL VOC


@dataclass(frozen=True)
class augment:
    """Random changes, the same for a picture and its mask; masks only ever by nearest neighbour.

    All geometry is one affine map, so that a picture is resampled once. Where it ends, the picture
    is black and the mask void. Call it as `f(image=, mask=) -> {"image", "mask"}`.

    Attributes:
        flip, vertical_flip: bool, mirror half of the pictures.
        zoom: float, scale by up to this share in or out; 0.2 gives factors from 0.8 to 1.2.
        rotation: float, up to so many degrees either way.
        translation: float, shift by up to this share of the height and width.
        shear: float, up to so many degrees.
        crop: (H, W) of a window cut at random, or None.
        colour: float, change brightness, contrast and, in RGB, each channel by up to this share.
        noise: float, standard deviation of Gaussian noise.
        interpolation: "bilinear" or "nearest", for the picture.
        void: id of mask pixels outside the old picture.
    """

    flip: bool = False
    vertical_flip: bool = False
    zoom: float = 0.0
    rotation: float = 0.0
    translation: float = 0.0
    shear: float = 0.0
    crop: tuple | None = None
    colour: float = 0.0
    noise: float = 0.0
    interpolation: str = "bilinear"
    void: int = VOID

    def __post_init__(self):
        if not 0 <= self.zoom < 1:
            raise ValueError(f"zoom={self.zoom}; give a share from 0 up to, but not, 1.")
        if self.interpolation not in ("bilinear", "nearest"):
            raise ValueError(f"interpolation={self.interpolation!r}; use 'bilinear' or 'nearest'.")

    def __call__(self, image, mask, rng=None):
        """Change one picture and its mask.

        Args:
            image: float32 (H, W, C) in [0, 1].
            mask: uint8 (H, W).
            rng: `np.random.Generator`, None for a fresh one.

        Returns:
            dict with "image" and "mask", of the same types.

        Raises:
            ValueError: picture and mask differ in size, or the crop does not fit.
        """
        rng = np.random.default_rng() if rng is None else rng
        if image.shape[:2] != mask.shape:
            raise ValueError(f"the picture is {image.shape[:2]}, but its mask {mask.shape}.")
        image, mask = self._flip(rng, image, mask)
        image, mask = self._warp(rng, image, mask)
        image, mask = self._crop(rng, image, mask)
        return {"image": self._light(rng, image), "mask": np.ascontiguousarray(mask)}

    def _flip(self, rng, image, mask):
        for axis, wanted in ((1, self.flip), (0, self.vertical_flip)):
            if wanted and rng.random() < 0.5:
                image, mask = np.flip(image, axis), np.flip(mask, axis)
        return image, mask

    def _warp(self, rng, image, mask):
        if not (self.zoom or self.rotation or self.translation or self.shear):
            return image, mask
        matrix, offset = self._affine(rng, np.array(mask.shape))
        order = 0 if self.interpolation == "nearest" else 1
        channels = [
            ndimage.affine_transform(image[..., c], matrix, offset, order=order)
            for c in range(image.shape[-1])
        ]
        mask = ndimage.affine_transform(mask, matrix, offset, order=0, cval=self.void)
        return np.stack(channels, axis=-1), mask

    def _affine(self, rng, size):
        """From places in the new picture to places in the old one: y = matrix x + offset."""
        scale = 1 / rng.uniform(1 - self.zoom, 1 + self.zoom)
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        slant = np.tan(np.deg2rad(rng.uniform(-self.shear, self.shear)))
        shift = rng.uniform(-self.translation, self.translation, 2) * size
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = scale * turn @ np.array([[1, 0], [slant, 1]])
        centre = (size - 1) / 2
        return matrix, centre - matrix @ centre + shift

    def _crop(self, rng, image, mask):
        if self.crop is None:
            return image, mask
        (height, width), (h, w) = mask.shape, self.crop
        if h > height or w > width:
            raise ValueError(f"crop={self.crop} does not fit into a picture of {height}×{width}.")
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        window = np.s_[top : top + h, left : left + w]
        return image[window], mask[window]

    def _light(self, rng, image):
        if self.colour:
            gain = 1 + rng.uniform(-self.colour, self.colour, image.shape[-1])
            contrast = 1 + rng.uniform(-self.colour, self.colour)
            mean = image.mean()
            image = ((image - mean) * contrast + mean) * gain + rng.uniform(-0.5, 0.5) * self.colour
        if self.noise:
            image = image + rng.normal(0, self.noise, image.shape)
        return np.ascontiguousarray(np.clip(image, 0, 1), dtype=np.float32)
