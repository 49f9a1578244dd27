"""Toy VOC: small drawn scenes with the 20 PASCAL VOC classes, in the layout of VOC 2012.

A scene has one to four objects before a sky, a field, a sea, a street or a room. Its masks come from the
same paths as its picture, so they are exact to half a pixel. Colours, textures and light are drawn
from the same wide ranges for every class and every background: only shapes tell the classes apart.

    python -m course_utils.toyvoc write FOLDER       a data set
    python -m course_utils.toyvoc contact FILE.png   a sheet of single objects
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.transforms import Affine2D
from PIL import Image
from scipy import ndimage

from course_utils.data import VOC_CLASSES, VOID, voc_palette
from course_utils.toyvoc import objects
from course_utils.toyvoc.drawing import Drawing, blob, box, cloud, ellipse, panes, polygon, shade, spline

MIN_PIXELS = 60  # of an object that can be seen
MIN_SHARE = 0.4  # of its area that can be seen
# The longest side of an object as a share of the picture's side, by the number of objects.
SIZES = {1: (0.45, 0.8), 2: (0.38, 0.65), 3: (0.32, 0.52), 4: (0.28, 0.45)}
COUNT_ODDS = (0.3, 0.35, 0.22, 0.13)  # of scenes with 1, 2, 3, 4 objects
JPEG_QUALITY = 82  # with full colour at every pixel, so that edges of colour stay where the masks are


class Box(NamedTuple):
    """An object in a scene: class id, first and last pixel (from 0), VOC pose, cut off or not."""

    class_id: int
    x0: int
    y0: int
    x1: int
    y1: int
    pose: str
    truncated: bool


class _Placed(NamedTuple):
    class_id: int
    area: int  # pixels, with those hidden or outside the picture
    pose: str
    truncated: bool


# --- scenes ---------------------------------------------------------------------------------------


def scene(seed, size=96, classes=None):
    """A picture with its masks, the same for the same arguments on every call.

    Args:
        seed: int or sequence of ints.
        size: pixels, the side of the picture.
        classes: ids (1 … 20) of the objects, back to front; None draws one to four of them.

    Returns:
        image: uint8 (size, size, 3), RGB.
        class_mask: uint8 (size, size): 0 … 20, and 255 on a line of one pixel around every object.
        instance_mask: uint8 (size, size): 0, then 1, 2, … in the order of `boxes`, and 255 likewise.
        boxes: list of `Box`, around what can be seen of each object. An object that finds no place
            where enough of everything stays in sight is left out.

    Raises:
        ValueError: an id outside 1 … 20, or a picture too small for an object.
    """
    if size < 48:
        raise ValueError(f"size={size}: an object needs a picture of at least 48 pixels.")
    rng = np.random.default_rng(seed)
    if classes is None:
        classes = 1 + rng.choice(20, 1 + rng.choice(4, p=COUNT_ODDS), replace=False)
    if not all(1 <= c <= 20 for c in classes):
        raise ValueError(f"classes={list(classes)}: ids of objects go from 1 to 20.")
    canvas = _background(rng, size)
    instances, placed = np.zeros((size, size), np.uint8), []
    for class_id in classes:
        canvas, instances, placed = _add(rng, canvas, instances, placed, int(class_id), len(classes))
    ids = np.zeros(256, np.uint8)
    ids[[VOID, *range(1, len(placed) + 1)]] = [VOID, *(p.class_id for p in placed)]
    image = _light(rng, canvas)
    return image, ids[instances], instances, _boxes(instances, placed)


def _add(rng, canvas, instances, placed, class_id, count):
    """Draw one more object in front: in a place where enough of all objects stays in sight."""
    size, (low, high) = len(canvas), SIZES[min(count, 4)]
    for attempt in range(30):
        tile, pose = _tile(rng, class_id, rng.uniform(low, high) * size, size)
        layer = _shift(tile, *_offset(rng, tile[..., 3]))
        color, alpha = layer[..., :3], layer[..., 3:]
        visible = alpha[..., 0] >= 0.5
        new = _overlay(instances, visible, len(placed) + 1)
        area = int((tile[..., 3] >= 0.5).sum())
        now = [*placed, _Placed(class_id, area, pose, bool(visible.sum() < area))]
        # It should stand out from what is behind it; the longer we try, the less we insist.
        contrast = np.linalg.norm(color - canvas, axis=-1)[visible].mean()
        if _in_sight(new, now) and contrast >= 0.48 - 0.015 * attempt:
            return canvas + alpha * (color - canvas), new, now
    return canvas, instances, placed


def _in_sight(instances, placed):
    """Whether enough can be seen of every object."""
    seen = np.bincount(instances.ravel(), minlength=256)[1:]
    return all(n >= max(MIN_PIXELS, MIN_SHARE * p.area) for n, p in zip(seen, placed, strict=False))


def _tile(rng, class_id, length, size):
    """One object in the middle of an empty tile: float RGBA (size, size, 4) in [0, 1], and its pose."""
    drawing = Drawing(rng)
    pose = getattr(objects, VOC_CLASSES[class_id])(drawing)
    drawing.bend(drawing.pliant)
    flip = -1 if rng.random() < 0.5 else 1
    angle = drawing.turn * rng.uniform(-1, 1)
    stretch, lean = rng.uniform(0.86, 1.16), rng.uniform(-0.1, 0.1)
    transform = Affine2D().scale(flip * stretch, 1).skew(lean, 0).rotate_deg(angle)
    x0, y0, x1, y1 = drawing.extent(transform)
    scale = length / max(x1 - x0, y1 - y0)
    transform.translate(-(x0 + x1) / 2, -(y0 + y1) / 2).scale(scale).translate(size / 2, size / 2)
    tile = drawing.render(transform, scale, size) / 255.0
    ramp = np.linspace(-1, 1, size)
    shading = 1 + (rng.uniform(-0.5, 0.5) * ramp[:, None] + rng.uniform(-0.5, 0.5) * ramp) * size / length / 2
    tile[..., :3] = np.clip(tile[..., :3] * np.clip(shading, 0.6, 1.4)[..., None], 0, 1)
    if pose == "side":
        pose = "Right" if flip > 0 else "Left"
    return tile, pose


def _offset(rng, alpha):
    """How far (dy, dx) to move the tile: anywhere; of one object in four up to a sixth may lie outside."""
    shifts, outside = [], rng.random() < 0.25
    for axis in (1, 0):
        used = np.flatnonzero((alpha >= 0.5).any(axis=axis))
        spare = (used[-1] - used[0]) // 6 if outside else 0
        shifts.append(int(rng.integers(-used[0] - spare, len(alpha) - used[-1] + spare)))
    return shifts


def _shift(tile, dy, dx):
    """The tile moved by whole pixels, transparent where nothing moved in."""
    n = len(tile)
    out = np.zeros_like(tile)
    to, source = (tuple(slice(max(0, s * d), n + min(0, s * d)) for d in (dy, dx)) for s in (1, -1))
    out[to] = tile[source]
    return out


def _overlay(instances, visible, number):
    """The instance mask with one more object in front, and void on the line around it."""
    new = instances.copy()
    new[ndimage.binary_dilation(visible, np.ones((3, 3)))] = VOID
    new[visible] = number
    return new


def _boxes(instances, placed):
    """A `Box` for each object."""
    boxes = []
    for number, p in enumerate(placed, start=1):
        ys, xs = np.nonzero(instances == number)
        corners = (int(v) for v in (xs.min(), ys.min(), xs.max(), ys.max()))
        boxes.append(Box(p.class_id, *corners, p.pose, p.truncated))
    return boxes


def _light(rng, canvas):
    """The canvas under a light of its own, with a camera's noise: uint8."""
    tint = rng.uniform(0.88, 1.12, 3) * rng.uniform(0.8, 1.25)
    image = 0.5 + (canvas - 0.5) * rng.uniform(0.75, 1.1)
    image = image * tint + rng.normal(0, rng.uniform(0.005, 0.025), canvas.shape)
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)


# --- backgrounds ----------------------------------------------------------------------------------


def _background(rng, size):
    """A place without objects: float (size, size, 3) in [0, 1]."""
    drawing = Drawing(rng)
    upper, lower = drawing.body, drawing.near()
    ramp = np.linspace(0, 1, size)[:, None, None] ** rng.uniform(0.5, 2)
    canvas = np.broadcast_to(upper + ramp * (lower - upper), (size, size, 3))
    drawing.pick(_sky, _field, _sea, _street, _room)(drawing)
    layer = drawing.render(Affine2D().scale(size), size, size) / 255.0
    canvas = canvas + layer[..., 3:] * (layer[..., :3] - canvas)
    return np.clip(canvas * _mottle(rng, size), 0, 1)


def _mottle(rng, size):
    """Soft unevenness to multiply with: float (size, size, 1) around 1."""
    total = np.ones((size, size))
    for cells, strength in ((6, 0.08), (24, 0.05)):
        grid = rng.normal(0, strength * rng.uniform(0.3, 1), (cells, cells))
        at = np.linspace(0, cells - 1, size)
        total += ndimage.map_coordinates(grid, np.meshgrid(at, at, indexing="ij"), order=1)
    return total[..., None]


def _clouds(d, low):
    color = d.near()
    for _ in range(d.rng.integers(0, 5)):
        x, y, r = d.uniform(0, 1), d.uniform(low, 1), d.uniform(0.03, 0.08)
        d.fill(cloud(x, y, 2 * r, 0.7 * r, 8, 0.7 * r), color, edge=0)


def _hills(d, base, height, color):
    xs = np.linspace(-0.1, 1.1, 7)
    tops = [(x, base + d.uniform(0, height)) for x in xs]
    d.fill(polygon((-0.2, -0.1), *spline(tops), (1.2, -0.1)), color, edge=0)


def _sky(d):
    """Clouds over hills."""
    _clouds(d, 0.1)
    if d.chance(0.4):
        d.fill(ellipse(d.uniform(0.1, 0.9), d.uniform(0.6, 0.9), d.uniform(0.05, 0.1)), d.detail, edge=0)
    color = d.trim
    for base in np.sort(d.rng.uniform(0, 0.25, d.rng.integers(0, 3)))[::-1]:
        _hills(d, base, 0.15, color)
        color = d.near(color)


def _field(d):
    """Grass up to a horizon with trees far away."""
    horizon = d.uniform(0.4, 0.75)
    _clouds(d, horizon + 0.1)
    ground, leaves = d.trim, d.color(d.body)
    for x in d.rng.uniform(0, 1, d.rng.integers(0, 6)):
        y, r = horizon + 0.06, d.uniform(0.03, 0.06)
        d.line([(x, horizon - 0.02), (x, y)], shade(leaves, 0.5), 0.02)
        d.fill(cloud(x, y + r, r, r, 7, 0.6 * r), leaves, edge=0)
    _hills(d, horizon - 0.03, 0.05, ground)
    blade = d.near(ground)
    for x, y in d.rng.uniform((0, 0), (1, horizon), (50, 2)):
        high = 0.02 + 0.05 * (1 - y / horizon)
        d.line([(x, y), (x + d.uniform(-0.02, 0.02), y + high)], blade, 0.008)
    _distractors(d, horizon)


def _sea(d):
    """Waves up to a straight horizon."""
    horizon = d.uniform(0.4, 0.75)
    _clouds(d, horizon + 0.1)
    if d.chance(0.5):
        _hills(d, horizon - 0.02, 0.12, d.detail)
    d.fill(box(-0.1, -0.1, 1.1, horizon), d.trim, edge=0)
    crest = d.near(d.trim)
    for x, y in d.rng.uniform((0, 0), (1, horizon), (22, 2)):
        w = 0.03 + 0.08 * (1 - y / horizon)
        wave = [(x - w, y), (x - w / 2, y + 0.2 * w), (x, y), (x + w / 2, y + 0.2 * w), (x + w, y)]
        d.curve(wave, crest, 0.012)


def _street(d):
    """Buildings along a road."""
    road = d.uniform(0.25, 0.5)
    x = -0.1
    while x < 1:
        width, color = d.uniform(0.15, 0.35), d.color(d.body, gap=0.1)
        top = road + d.uniform(0.15, 0.5)
        d.fill(box(x, road, x + width, top), color, edge=0)
        glass = d.near(color)
        for y in np.arange(road + 0.08, top - 0.06, d.uniform(0.09, 0.14)):
            panes(d, x + 0.02, y, x + width - 0.02, y + 0.05, 3, gap=0.4, r=0, color=glass)
        x += width + d.uniform(0, 0.04)
    d.fill(box(-0.1, -0.1, 1.1, road), d.trim, edge=0)
    d.fill(box(-0.1, road - d.uniform(0.03, 0.08), 1.1, road), d.near(d.trim), edge=0)
    if d.chance(0.7):
        for x in np.arange(d.uniform(-0.1, 0), 1.1, 0.24):
            d.fill(polygon((x, 0.12), (x + 0.12, 0.12), (x + 0.13, 0.15), (x + 0.02, 0.15)), d.detail, edge=0)
    _distractors(d, road)


def _room(d):
    """A wall and a floor with a skirting, a window or a picture, a rug."""
    floor = d.uniform(0.22, 0.5)
    if d.chance(0.4):
        paper = d.near()
        for x in np.arange(0, 1, d.uniform(0.08, 0.2)):
            d.fill(box(x, floor, x + 0.03, 1.1), paper, edge=0)
    if d.chance(0.75):
        _window(d, d.uniform(0.02, 0.6), d.uniform(floor + 0.15, 0.65))
    d.fill(box(-0.1, -0.1, 1.1, floor), d.trim, edge=0)
    for x in np.linspace(-0.5, 1.5, 11) if d.chance(0.5) else ():
        d.line([(0.5 + (x - 0.5) * 0.6, floor), (x, -0.05)], d.near(d.trim), 0.008)
    if d.chance(0.4):
        d.fill(ellipse(d.uniform(0.3, 0.7), floor / 2, 0.35, floor * 0.3), d.color(d.trim, gap=0.1), edge=0)
    d.fill(box(-0.1, floor, 1.1, floor + 0.035), d.near(d.trim), edge=0)
    _distractors(d, floor)


def _window(d, x, y):
    """A window, or a picture in its frame, on the wall of a room."""
    w, h = d.uniform(0.2, 0.4), d.uniform(0.2, 0.35)
    d.fill(box(x, y, x + w, y + h), d.detail, edge=0)
    color = d.color(d.detail)
    glass = d.fill(box(x + 0.025, y + 0.025, x + w - 0.025, y + h - 0.025), color, edge=0)
    if d.chance(0.5):
        d.line([(x + w / 2, y), (x + w / 2, y + h)], d.detail, 0.02)
        d.line([(x, y + h / 2), (x + w, y + h / 2)], d.detail, 0.02)
    else:
        d.inside(glass, [ellipse(x + w * d.uniform(0.2, 0.8), y + h * 0.4, 0.08)], d.color(color))


def _distractors(d, horizon):
    """Up to three stones, crates, balls, cones or bushes on the ground: shapes of no class."""
    for _ in range(d.rng.integers(0, 4)):
        x, y, r = d.uniform(0.05, 0.95), d.uniform(0.02, horizon), d.uniform(0.03, 0.07)
        color = d.color(d.trim, gap=0.1)
        stone = blob((x - r, y), (x - 0.6 * r, y + 0.7 * r), (x + 0.4 * r, y + 0.8 * r), (x + r, y))
        crate = box(x - r, y, x + r, y + d.uniform(1, 1.8) * r)
        cone = polygon((x - r, y), (x + r, y), (x, y + 2 * r))
        bush = cloud(x, y + r, 1.2 * r, 0.7 * r, 8, 0.5 * r)
        d.fill(d.pick([stone], [crate], [cone], bush, [ellipse(x, y + r, r)]), color, edge=0)


# --- the VOC layout -------------------------------------------------------------------------------


def write(folder, train=800, val=300, seed=2012):
    """Write a data set in the layout of VOC 2012; the same arguments give the same pixels.

    The folder appears only when it is complete.

    Args:
        folder: where to; it must not exist.
        train, val: int, numbers of scenes.
        seed: int.

    Raises:
        FileExistsError: there is such a folder already.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder}: there already. Remove it, or choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        unfinished.chmod(0o755)
        _write_all(unfinished, train, val, seed)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished)
        raise


def _write_all(folder, train, val, seed):
    for sub in ("JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations",
                "ImageSets/Segmentation", "ImageSets/Main"):
        (folder / sub).mkdir(parents=True)
    shown, digests = {}, []
    for index, classes in enumerate(deal(train + val, seed)):
        name = f"toy_{index + 1:04d}"
        image, class_mask, instance_mask, boxes = scene((seed, index), classes=classes)
        jpeg = folder / "JPEGImages" / f"{name}.jpg"
        Image.fromarray(image).save(jpeg, quality=JPEG_QUALITY, subsampling=0, optimize=True)
        for sub, mask in (("SegmentationClass", class_mask), ("SegmentationObject", instance_mask)):
            picture = Image.fromarray(mask)
            picture.putpalette(voc_palette().tobytes())
            picture.save(folder / sub / f"{name}.png", optimize=True)
        _write_text(folder / "Annotations" / f"{name}.xml", _annotation(name, image.shape, boxes))
        digests.append(f"{name} {digest(image, class_mask, instance_mask)}\n")
        shown[name] = {b.class_id for b in boxes}
    _write_lists(folder / "ImageSets", shown, train)
    _write_text(folder / "pixels.txt", "".join(digests))


def digest(*arrays):
    """16 hexadecimal digits that change with any pixel: `pixels.txt` keeps them of what JPEG has blurred."""
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16]


def _write_text(path, text):
    path.write_text(text, "utf-8", newline="\n")  # the same bytes on Windows


def deal(count, seed):
    """The classes of `count` scenes, dealt from shuffled packs of all 20: lists of ids, all equally often."""
    rng = np.random.default_rng((seed, 20))
    hands, pack = [], []
    for _ in range(count):
        number, hand = 1 + rng.choice(4, p=COUNT_ODDS), []
        while len(hand) < number:
            pack = pack or list(rng.permutation(20) + 1)
            card = next((c for c in pack if c not in hand), None)
            if card is None:  # all that is left of the pack is in the hand already
                pack += list(rng.permutation(20) + 1)
                continue
            pack.remove(card)
            hand.append(int(card))
        hands.append(hand)
    return hands


def _annotation(name, shape, boxes):
    """VOC's XML for a scene; VOC counts pixels from 1."""
    height, width, depth = shape
    lines = [
        f"<annotation><folder>toyvoc</folder><filename>{name}.jpg</filename>",
        f"<size><width>{width}</width><height>{height}</height><depth>{depth}</depth></size>",
        "<segmented>1</segmented>",
    ]
    for b in boxes:
        lines += [
            f"<object><name>{VOC_CLASSES[b.class_id]}</name><pose>{b.pose}</pose>"
            f"<truncated>{int(b.truncated)}</truncated><difficult>0</difficult>",
            f"<bndbox><xmin>{b.x0 + 1}</xmin><ymin>{b.y0 + 1}</ymin>"
            f"<xmax>{b.x1 + 1}</xmax><ymax>{b.y1 + 1}</ymax></bndbox></object>",
        ]
    return "\n".join([*lines, "</annotation>\n"])


def _write_lists(folder, shown, train):
    """The names of each split, and for each class which of them show it (1) or do not (-1)."""
    names = list(shown)
    for split, members in (("train", names[:train]), ("val", names[train:]), ("trainval", names)):
        for sub in ("Segmentation", "Main"):
            _write_text(folder / sub / f"{split}.txt", "".join(f"{n}\n" for n in members))
        for class_id, class_name in enumerate(VOC_CLASSES[1:], start=1):
            rows = [f"{n} {1 if class_id in shown[n] else -1:2d}\n" for n in members]
            _write_text(folder / "Main" / f"{class_name}_{split}.txt", "".join(rows))


# --- looking at it --------------------------------------------------------------------------------


def contact_sheet(each=6, size=112, seed=0):
    """Scenes with one object each: uint8 RGB, a row for each class."""
    rows = []
    for class_id in range(1, 21):
        tiles = [scene((seed, class_id, i), size, [class_id])[0] for i in range(each)]
        rows.append(np.concatenate([np.pad(t, ((2, 2), (2, 2), (0, 0)),
                                           constant_values=255) for t in tiles], axis=1))
    return np.concatenate(rows)
