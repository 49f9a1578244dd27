"""Pictures and masks in files: any common kind read rightly, or refused in one sentence."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
MASKS = (*PICTURES, ".npy")


def voc_palette():
    """The palette of PASCAL VOC: uint8 (256, 3); the bits of an id spread over red, green, blue."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


def _open(path):
    """A picture file, read to its end.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no picture, or is damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(path)
            picture.load()
    except UnidentifiedImageError:
        raise ValueError(f"{path}: no picture that Pillow can read; save it as PNG or JPEG.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path}: the picture is damaged or cut short ({error}); fetch it anew.") from None
    return picture


def read_picture(path, size=None):
    """A picture file as RGB.

    Grey, palette, 16-bit and CMYK pictures become RGB; transparent ones are laid on white; a
    picture that a camera marked as turned is turned upright.

    Args:
        path: of the file.
        size: (H, W) to squeeze the picture into, bilinear with anti-aliasing, or None.

    Returns:
        uint8 (H, W, 3).

    Raises:
        FileNotFoundError, ValueError: a sentence that names the file.
    """
    picture = ImageOps.exif_transpose(_open(path))
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture, path)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    picture = picture.convert("RGB")
    if size is not None and size != (picture.height, picture.width):
        picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def _eight_bits(picture, path):
    """A 16-bit grey picture with its range of values kept: 65535 becomes 255."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535 or values.dtype.kind == "f":
        raise ValueError(
            f"{path}: pixels from {values.min():g} to {values.max():g} ({picture.mode}); save the "
            "picture with 8 or 16 bits a channel."
        )
    return Image.fromarray((values / 257).round().astype(np.uint8))


def read_mask(path, class_names, *, size=None, void=255, colours=None):
    """A mask file as class ids.

    Read are: palette pictures (the index is the id), grey pictures of 8 or 16 bits (the value is
    the id), RGB pictures (by a table of colours), and `.npy` arrays, (H, W) of ids or one-hot
    (H, W, K). Masks are only ever resized by nearest neighbour.

    Args:
        path: of the file.
        class_names: K str.
        size: (H, W), or None.
        void: id of pixels without a class.
        colours: uint8 (K, 3), the colour of each class in RGB masks; None for the VOC palette.

    Returns:
        uint8 (H, W).

    Raises:
        FileNotFoundError, ValueError: a sentence that names the file.
    """
    if Path(path).suffix.lower() == ".npy":
        ids = _ids_from_array(load_array(path), path, len(class_names))
    else:
        ids = _ids_from_picture(_open(path), path, void, colours)
    wrong = np.unique(ids[(ids >= len(class_names)) & (ids != void)])
    if wrong.size:
        raise ValueError(
            f"{path}: holds the id {wrong[0]}, but there are {len(class_names)} class names, for the "
            f"ids 0 to {len(class_names) - 1}; give more names, or mark such pixels with {void}, void."
        )
    ids = ids.astype(np.uint8)
    if size is not None and size != ids.shape:
        ids = np.asarray(Image.fromarray(ids).resize((size[1], size[0]), Image.Resampling.NEAREST))
    return ids


def load_array(path):
    """An array from a `.npy` file, mapped, nothing unpickled.

    Raises:
        FileNotFoundError, ValueError: a sentence that names the file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path}: no plain array ({error}); save it with np.save as numbers, not as objects."
        ) from None


def _ids_from_array(array, path, num_classes):
    if array.ndim == 3 and array.shape[-1] == num_classes and num_classes > 1:
        if not np.isin(array, (0, 1)).all() or not (array.sum(axis=-1) == 1).all():
            raise ValueError(f"{path}: shape {array.shape}, but not one-hot; each pixel needs a single 1.")
        return array.argmax(axis=-1)
    if array.ndim == 2 and array.dtype.kind in "uib":
        if array.size and array.min() < 0:
            raise ValueError(f"{path}: holds the id {array.min()}; ids begin at 0.")
        return np.asarray(array)
    raise ValueError(
        f"{path}: {array.dtype} of shape {array.shape}; a mask is (H, W) of whole numbers, or one-hot "
        f"(H, W, {num_classes})."
    )


def _ids_from_picture(picture, path, void, colours):
    if picture.mode == "1":
        return np.asarray(picture).astype(np.uint8)
    if picture.mode in ("P", "L") or picture.mode.startswith("I"):
        ids = np.asarray(picture)
        if ids.size and ids.min() < 0:
            raise ValueError(f"{path}: holds the id {ids.min()}; ids begin at 0.")
        return ids
    if picture.mode in ("RGB", "RGBA"):
        return _ids_from_colours(np.asarray(picture.convert("RGB")), path, void, colours)
    raise ValueError(f"{path}: a mask of mode {picture.mode}; save it as palette, grey or RGB.")


def _ids_from_colours(rgb, path, void, colours):
    table = voc_palette() if colours is None else np.asarray(colours)
    ids_of = {tuple(int(c) for c in voc_palette()[255]): void} if colours is None else {}
    ids_of |= {tuple(int(c) for c in colour): k for k, colour in enumerate(table) if k != 255}
    found, inverse = np.unique(rgb.reshape(-1, 3), axis=0, return_inverse=True)
    ids = np.zeros(len(found), np.int64)
    for row, colour in enumerate(found.tolist()):
        if tuple(colour) not in ids_of:
            raise ValueError(
                f"{path}: the colour {tuple(colour)} stands for no class; pass colours=, one RGB triple "
                "for each class name."
            )
        ids[row] = ids_of[tuple(colour)]
    return ids[inverse.reshape(rgb.shape[:2])]


def pairs(images, masks):
    """The files of two folders paired by their stem, sorted: a list of (picture, mask).

    Raises:
        FileNotFoundError: a folder is not there.
        ValueError: a folder is empty, a file has no partner, or two share a stem.
    """
    pictures, labels = _by_stem(images, PICTURES), _by_stem(masks, MASKS)
    for mine, others, kind, folder in (
        (pictures, labels, "mask", masks), (labels, pictures, "picture", images)
    ):
        lonely = sorted(mine.keys() - others.keys())
        if lonely:
            raise ValueError(
                f"{mine[lonely[0]]}: no {kind} of that name in {folder} ({len(lonely)} such); add it, or "
                "remove this file."
            )
    return [(pictures[stem], labels[stem]) for stem in sorted(pictures)]


def _by_stem(folder, suffixes):
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; correct the path.")
    files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in files:
            raise ValueError(f"{path}: {files[path.stem].name} has the same stem; rename or remove one.")
        files[path.stem] = path
    if not files:
        raise ValueError(f"{folder}: no file with a name in {', '.join(suffixes)}; is it the right folder?")
    return files
