"""Drawing with matplotlib's renderer Agg: paths, colours, textures, and parts that many things share.

A drawing is made in its own plane, x to the right and y up. Nothing here asks matplotlib's rcParams, so that
the same numbers give the same pixels under any style.
"""

import colorsys

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform, TransformedPath

EDGE = 0.02  # outline in units of the drawing
WHITE, BLACK = np.full(3, 0.95), np.full(3, 0.08)  # lamps and eyes, in every class that has them
MIN_LINE = 1.1  # pixels: thinner lines would vanish from a mask at half coverage

# --- colours --------------------------------------------------------------------------------------


def random_color(rng):
    """RGB in [0, 1] from the one palette of all classes and backgrounds: every hue, pale to deep."""
    hue, saturation, value = rng.random(), rng.uniform(0.05, 0.9), rng.uniform(0.22, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value))


def luminance(color):
    """How bright a colour looks, in [0, 1] (Rec. 601 weights)."""
    return float(np.dot(color, (0.299, 0.587, 0.114)))


def shade(color, factor):
    """A darker (factor < 1) or paler (factor > 1, up to 2 for white) version of a colour."""
    return color * factor if factor <= 1 else color + (1 - color) * (factor - 1)


# --- paths ----------------------------------------------------------------------------------------


def spline(points, closed=False, steps=6):
    """A Catmull–Rom curve through the points: float (M, 2)."""
    p = np.asarray(points, float)
    if closed:
        p = np.concatenate([p[-1:], p, p[:2]])
    else:
        p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    curve = curve.reshape(-1, p.shape[1])
    return curve if closed else np.concatenate([curve, p[-2:-1]])


def polygon(*points):
    """A closed path with straight sides."""
    return Path([*points, points[0]], closed=True)


def blob(*points):
    """A closed path with a smooth outline through the points."""
    return polygon(*spline(points, closed=True))


def ellipse(x, y, rx, ry=None, angle=0):
    """An ellipse around (x, y); a circle without `ry`; `angle` in degrees."""
    t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    dx, dy = rx * np.cos(t), (rx if ry is None else ry) * np.sin(t)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return polygon(*np.stack([x + c * dx - s * dy, y + s * dx + c * dy], axis=1))


def box(x0, y0, x1, y1, r=0.0):
    """A rectangle with corners rounded by the radius `r`."""
    if r <= 0:
        return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    r = min(r, (x1 - x0) / 2, (y1 - y0) / 2)
    corners = []
    for quarter, (x,
                  y) in enumerate([(x1 - r, y1 - r), (x0 + r, y1 - r), (x0 + r, y0 + r), (x1 - r, y0 + r)]):
        t = np.linspace(quarter, quarter + 1, 6) * np.pi / 2
        corners.append(np.stack([x + r * np.cos(t), y + r * np.sin(t)], axis=1))
    return polygon(*np.concatenate(corners))


def limb(points, widths):
    """A tube with round ends along a smooth curve: legs, tails, necks.

    Args:
        points: (N, 2), N >= 2, the bones.
        widths: N numbers, the thickness at each point.
    """
    bones = spline(np.column_stack([points, widths]))
    centre, half = bones[:, :2], np.abs(bones[:, 2:]) / 2
    along = np.gradient(centre, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    normal = along[:, ::-1] * (-1, 1)
    t = np.linspace(0, np.pi, 7)[1:-1, None]
    tip = centre[-1] + half[-1] * (np.cos(t) * normal[-1] + np.sin(t) * along[-1])
    root = centre[0] - half[0] * (np.cos(t) * normal[0] + np.sin(t) * along[0])
    outline = [centre + half * normal, tip, (centre - half * normal)[::-1], root]
    return polygon(*np.concatenate(outline))


def cloud(x, y, rx, ry, bumps, size):
    """Circles around an ellipse: wool, leaves, clouds."""
    angles = 2 * np.pi * np.arange(bumps) / bumps
    round_about = [ellipse(x + rx * np.cos(a), y + ry * np.sin(a), size) for a in angles]
    return [ellipse(x, y, rx, ry), *round_about]


# --- drawing --------------------------------------------------------------------------------------


class Drawing:
    """Shapes in a plane, back to front, and the colours that they share.

    Attributes:
        rng: np.random.Generator, the only source of chance.
        turn: degrees, how far the finished drawing may be turned either way.
        pliant: how far its proportions may change, see `bend`; 0 where wheels must stay round.
        body, trim, detail: RGB colours; `trim` and `detail` stand out from `body`.
        ink: RGB of outlines: `body`, much darker, or much paler where the body is dark.
    """

    def __init__(self, rng):
        self.rng = rng
        self.shapes = []
        self.turn = 8
        self.pliant = 0.0
        self.body = random_color(rng)
        self.trim = self.color(self.body)
        self.detail = self.color(self.body, self.trim)
        self.ink = shade(self.body, 0.3) if luminance(self.body) > 0.3 else shade(self.body, 1.65)

    def uniform(self, low, high):
        """A number between low and high."""
        return self.rng.uniform(low, high)

    def chance(self, p):
        """True with probability p."""
        return self.rng.random() < p

    def pick(self, *choices):
        """One of the choices."""
        return choices[self.rng.integers(len(choices))]

    def color(self, *others, gap=0.22):
        """A new colour from the palette, brighter or darker than each of the others by `gap`."""
        for _ in range(30):
            color = random_color(self.rng)
            if all(abs(luminance(color) - luminance(other)) >= gap for other in others):
                break
        return color

    def extent(self, transform):
        """(x0, y0, x1, y1) around all that is drawn, after a matplotlib transform."""
        points = transform.transform(np.concatenate([s[0].vertices for s in self.shapes if s[4] is None]))
        return (*points.min(axis=0), *points.max(axis=0))

    def fill(self, paths, color, edge=EDGE):
        """Fill a path, or several that become one part with one outline around them all."""
        paths = [paths] if isinstance(paths, Path) else list(paths)
        if edge:
            self.shapes += [(path, None, self.ink, 2 * edge, None) for path in paths]
        self.shapes += [(path, color, None, 0, None) for path in paths]
        return paths

    def line(self, points, color, width):
        """A line of a given width through the points."""
        self.shapes.append((Path(np.asarray(points, float)), None, color, width, None))

    def curve(self, points, color, width):
        """A smooth line of a given width through the points."""
        self.line(spline(points), color, width)

    def inside(self, parts, pattern, color):
        """Fill the paths of `pattern`, but only where the paths `parts` are."""
        whole = Path.make_compound_path(*pattern)
        self.shapes += [(whole, color, None, 0, part) for part in parts]

    def texture(self, parts, plain=0.4, color=None):
        """Perhaps stripes or spots on the parts, as any class may have them."""
        if self.chance(plain):
            return
        x0, y0, x1, y1 = Path.make_compound_path(*parts).get_extents().extents
        self.inside(parts, self.pick(stripes, spots)(self, x0, y0, x1, y1), self.near(color))

    def near(self, color=None):
        """A shade of the given colour (default: the body's) a little away from it."""
        color = self.body if color is None else color
        return shade(color, self.uniform(0.55, 0.78) if luminance(color) > 0.3 else self.uniform(1.2, 1.4))

    def bend(self, amount):
        """Stretch some parts and shorten others by a smooth change of both coordinates, up to `amount`."""
        x0, y0, x1, y1 = self.extent(IdentityTransform())
        size = max(x1 - x0, y1 - y0)
        a = self.rng.uniform(-amount, amount, 2)

        def bent(path):
            t = (path.vertices - (x0, y0)) / (x1 - x0, y1 - y0)
            return Path(path.vertices + size * a * np.sin(np.pi * t), path.codes)

        self.shapes = [(bent(s[0]), *s[1:4], s[4] and bent(s[4])) for s in self.shapes]

    def render(self, transform, scale, side):
        """Draw everything: uint8 RGBA (side, side, 4), colours not multiplied by alpha.

        Args:
            transform: matplotlib Affine2D from the plane of the drawing to pixels, y up.
            scale: pixels per unit, for the width of lines.
            side: pixels.
        """
        renderer = RendererAgg(side, side, 72)  # at 72 dpi a point is a pixel
        for path, face, edge, width, clip in self.shapes:
            gc = renderer.new_gc()
            gc.set_snap(False)
            gc.set_joinstyle("round")
            gc.set_capstyle("round")
            floor = 0 if face is not None or clip is not None else MIN_LINE
            gc.set_linewidth(max(width * scale, floor) if edge is not None else 0)
            gc.set_foreground((0, 0, 0, 1) if edge is None else (*edge, 1), isRGBA=True)
            if clip is not None:
                gc.set_clip_path(TransformedPath(clip, transform))
            path.should_simplify = False  # else rcParams would decide
            renderer.draw_path(gc, path, transform, None if face is None else (*face, 1))
        return np.asarray(renderer.buffer_rgba()).copy()


def stripes(d, x0, y0, x1, y1):
    """Slanting bars over a rectangle."""
    count, slant = d.rng.integers(5, 10), d.uniform(-0.5, 0.5) * (y1 - y0)
    step = (x1 - x0) / count
    width = step * d.uniform(0.3, 0.55)
    return [
        polygon((x, y0), (x + width, y0), (x + width + slant, y1), (x + slant, y1))
        for x in x0 + step * np.arange(-3, count + 3)
    ]


def spots(d, x0, y0, x1, y1):
    """Dots scattered over a rectangle."""
    size = d.uniform(0.05, 0.1) * max(x1 - x0, y1 - y0)
    places = d.rng.uniform((x0, y0), (x1, y1), (d.rng.integers(8, 18), 2))
    return [ellipse(x, y, size * d.uniform(0.5, 1), size * d.uniform(0.5, 1)) for x, y in places]


# --- parts ----------------------------------------------------------------------------------------


def wheel(d, x, y, r, hub=0.55):
    """A tyre with a hub cap."""
    d.fill(ellipse(x, y, r), d.ink)
    d.fill(ellipse(x, y, r * hub), d.trim, edge=0)
    d.fill(ellipse(x, y, r * hub * 0.35), d.ink, edge=0)


def spoked_wheel(d, x, y, r, color, width, spokes):
    """A rim with spokes, open between them."""
    for a in np.pi * np.arange(spokes) / spokes:
        dx, dy = r * np.cos(a), r * np.sin(a)
        d.line([(x - dx, y - dy), (x + dx, y + dy)], d.trim, 0.008)
    t = np.linspace(0, 2 * np.pi, 41)
    d.line(np.stack([x + r * np.cos(t), y + r * np.sin(t)], axis=1), color, width)
    d.fill(ellipse(x, y, 0.13 * r), color, edge=0)


def panes(d, x0, y0, x1, y1, count, gap=0.18, r=0.015, color=None):
    """A row of windows."""
    color = d.detail if color is None else color
    step = (x1 - x0) / count
    for i in range(count):
        left = x0 + i * step + gap * step / 2
        d.fill(box(left, y0, left + step * (1 - gap), y1, r), color, edge=0.008)


def eye(d, x, y, r):
    """A white eye with a dark pupil."""
    d.fill(ellipse(x, y, r), WHITE, edge=0)
    d.fill(ellipse(x + 0.2 * r, y, 0.62 * r), BLACK, edge=0)


def legs(hips, feet, knee, widths, bend=0.0):
    """Paths of legs from hips to feet, with knees at the height `knee`, moved sideways by `bend`."""
    pairs = zip(hips, feet, strict=True)
    return [limb([hip, ((hip[0] + foot[0]) / 2 + bend, knee), foot], widths) for hip, foot in pairs]


def stride(d, x_back, x_front, hip, reach):
    """Hips and feet of four legs in a step: (hips, feet) of the far pair, then of the near pair."""
    swing, spread = d.uniform(-reach, reach), d.uniform(0.03, 0.07)
    far_feet = [(x_back + spread - swing, 0.02), (x_front + spread + swing * 0.8, 0.02)]
    near_feet = [(x_back + swing, 0), (x_front - swing * 0.8, 0)]
    far, near = ([(x_back + dx, hip), (x_front + dx, hip)] for dx in (spread, 0))
    return (far, far_feet), (near, near_feet)
