"""The 20 PASCAL VOC classes as drawings made of parts.

An object is about one unit wide, stands on y = 0 and looks to the right. Every public function draws one
object of the class it is named after into a `Drawing` and returns "side" if it looks to the right, or its
VOC pose.

Colours come from `Drawing.color` alone, one wide palette for all classes, so that a colour says nothing
about a class: only shapes do.
"""

import numpy as np

from course_utils.toyvoc.drawing import (
    BLACK,
    WHITE,
    blob,
    box,
    cloud,
    ellipse,
    eye,
    legs,
    limb,
    panes,
    polygon,
    shade,
    spline,
    spoked_wheel,
    stride,
    wheel,
)

# --- vehicles -------------------------------------------------------------------------------------


def aeroplane(d):
    """An airliner from the side or from above, or a small plane with a propeller."""
    return d.pick(_airliner, _airliner, _plane_from_above, _propeller_plane)(d)


def _airliner(d):
    d.turn = 20
    h = d.uniform(0.065, 0.085)
    far_wing = polygon((0.52, 0.5), (0.66, 0.5), (0.5, 0.72), (0.43, 0.72))
    d.fill(far_wing, shade(d.trim, 0.7))
    fin = polygon((0.02, 0.52), (-0.04, 0.8), (0.06, 0.8), (0.22, 0.53))
    d.fill(fin, d.trim)
    hull = blob((-0.02, 0.55), (0.2, 0.5 + h), (0.5, 0.5 + h), (0.85, 0.5 + h), (1, 0.5), (0.97, 0.46),
                (0.8, 0.5 - h), (0.45, 0.5 - h), (0.15, 0.5 - h * 0.7))
    parts = d.fill(hull, d.body)
    d.inside(parts, [box(-0.1, 0.3, 1.1, 0.5 - h * 0.25)], d.near())
    d.fill(polygon((0.0, 0.55), (-0.1, 0.63), (-0.04, 0.63), (0.16, 0.54)), d.trim)
    for x in np.linspace(0.2, 0.82, d.rng.integers(8, 12)):
        d.fill(ellipse(x, 0.525, 0.014), d.detail, edge=0)
    d.fill(polygon((0.89, 0.52), (0.965, 0.52), (0.93, 0.56), (0.89, 0.56)), d.detail, edge=0)
    d.fill(ellipse(0.52, 0.36, 0.08, 0.037), d.near(d.trim))
    d.fill(polygon((0.42, 0.48), (0.66, 0.48), (0.4, 0.2), (0.3, 0.2)), d.trim)
    return "side"


def _plane_from_above(d):
    d.turn = 180
    sweep, span = d.uniform(0.12, 0.3), d.uniform(0.42, 0.52)
    root, tip = d.uniform(0.18, 0.24), d.uniform(0.06, 0.1)
    engines = d.pick((0.35, 0.62), (0.45,))
    for s in (-1, 1):
        for share in engines:
            x, y = 0.6 - sweep * share, s * span * share
            d.fill(box(x, y - 0.03, x + 0.16, y + 0.03, 0.03), d.detail)
        end = 0.68 - sweep
        d.fill(polygon((0.68, 0), (end, s * span), (end - tip, s * span), (0.68 - root, 0)), d.trim)
        d.fill(polygon((0.16, 0), (0.04, s * 0.2), (-0.02, s * 0.2), (0.02, 0)), d.trim)
    hull = [(0, 0.015), (0.3, 0.06), (0.7, 0.065), (0.95, 0.045)]
    d.fill(blob(*hull, (1.03, 0), *((x, -y) for x, y in hull[::-1])), d.body)
    d.fill(limb([(-0.03, 0), (0.16, 0)], [0.03, 0.02]), d.trim)
    d.fill(polygon((0.93, 0.03), (0.97, 0.02), (0.97, -0.02), (0.93, -0.03)), d.detail, edge=0)
    return "Unspecified"


def _propeller_plane(d):
    d.fill(polygon((0, 0.42), (-0.03, 0.66), (0.08, 0.66), (0.2, 0.44)), d.trim)
    hull = blob((-0.02, 0.42), (0.3, 0.5), (0.62, 0.55), (0.85, 0.5), (0.9, 0.4), (0.82, 0.3), (0.5, 0.28),
                (0.2, 0.34))
    d.texture(d.fill(hull, d.body), plain=0.7)
    d.fill(box(-0.06, 0.42, 0.12, 0.46, 0.02), d.trim)
    d.fill(polygon((0.5, 0.45), (0.74, 0.43), (0.67, 0.56), (0.52, 0.57)), d.detail)
    for x in (0.45, 0.7):
        d.line([(0.6, 0.3), (x, 0.66)], d.ink, 0.02)
    d.line([(0.68, 0.3), (0.74, 0.18)], d.ink, 0.03)
    d.fill(box(0.36, 0.63, 0.8, 0.69, 0.03), d.trim)
    if d.chance(0.5):
        d.fill(box(0.4, 0.3, 0.76, 0.35, 0.03), d.trim)
    wheel(d, 0.74, 0.17, 0.065)
    wheel(d, 0.08, 0.3, 0.03)
    d.fill(ellipse(0.91, 0.41, 0.035), d.detail)
    d.fill([ellipse(0.94, 0.53, 0.018, 0.12), ellipse(0.94, 0.29, 0.018, 0.12)], d.ink)
    return "side"


def bicycle(d):
    """Two spoked wheels, a frame, saddle, handlebar and pedals."""
    r = d.uniform(0.22, 0.27)
    back, front, crank = (0.25, r), (d.uniform(0.9, 1.0), r), (0.56, r + 0.02)
    seat, head = (0.45, d.uniform(0.58, 0.66)), (front[0] - 0.12, d.uniform(0.6, 0.66))
    tyre = d.color(gap=0)
    for x, y in (back, front):
        spoked_wheel(d, x, y, r, tyre, d.uniform(0.035, 0.06), int(d.rng.integers(3, 7)))
    low = d.uniform(0.06, 0.2) if d.chance(0.3) else 0.03  # a frame to step through
    bar = ((seat[0] + 0.02, seat[1] - low), (head[0], head[1] - 0.02))
    for tube in [(back, crank), (crank, seat), (back, seat), (crank, head), (head, front), bar]:
        d.line(tube, d.body, 0.04)
    d.line([seat, (seat[0] - 0.02, seat[1] + 0.08)], d.body, 0.03)
    d.fill(limb([(seat[0] - 0.1, seat[1] + 0.1), (seat[0] + 0.1, seat[1] + 0.085)], [0.06, 0.03]), d.ink,
           edge=0)
    _handlebar(d, head)
    d.fill(ellipse(*crank, 0.055), d.trim, edge=0.01)
    for s in (-1, 1):
        foot = (crank[0] + s * 0.09, crank[1] - s * 0.1)
        d.line([crank, foot], d.ink, 0.025)
        d.line([(foot[0] - 0.04, foot[1]), (foot[0] + 0.04, foot[1])], d.ink, 0.035)
    return "side"


def _handlebar(d, head):
    """A dropped or a raised handlebar above the head of the frame, perhaps with a basket."""
    x, y = head[0] - 0.03, head[1] + 0.1
    d.line([head, (x, y)], d.body, 0.035)
    dropped = [(x, y), (x + 0.12, y + 0.02), (x + 0.14, y - 0.06), (x + 0.06, y - 0.1)]
    raised = [(x + 0.06, y), (x - 0.02, y + 0.07), (x - 0.12, y + 0.05)]
    d.curve(d.pick(dropped, raised), d.ink, 0.04)
    if d.chance(0.35):
        d.fill(polygon((x + 0.06, y), (x + 0.3, y), (x + 0.26, y - 0.17), (x + 0.1, y - 0.17)), d.trim)


def boat(d):
    """A sailing boat, a rowing boat, a motor boat or a ship."""
    return d.pick(_sailing_boat, _sailing_boat, _rowing_boat, _motor_boat, _ship)(d)


def _hull(d, length, height, bow=0.14):
    hull = blob((0, height), (length * 0.5, height * 0.92), (length + bow, height * 1.15),
                (length * 0.97, height * 0.4),
                (length * 0.8, 0), (length * 0.5, -0.01), (length * 0.15, 0), (0.03, height * 0.4))
    parts = d.fill(hull, d.body)
    d.inside(parts, [box(-0.2, -0.1, length + 0.3, height * d.uniform(0.25, 0.5))], d.near())


def _sailing_boat(d):
    mast, top = d.uniform(0.4, 0.52), d.uniform(0.95, 1.15)
    d.line([(mast, 0.12), (mast, top + 0.03)], d.ink, 0.03)
    main = blob((mast - 0.02, top), (mast - 0.24, 0.62), (mast - d.uniform(0.32, 0.4), 0.26),
                (mast - 0.2, 0.24), (mast - 0.02, 0.25), (mast - 0.02, 0.6))
    d.texture(d.fill(main, d.trim), plain=0.6, color=d.trim)
    jib = polygon((mast + 0.03, top * d.uniform(0.8, 0.97)), (mast + d.uniform(0.34, 0.45), 0.25),
                  (mast + 0.03, 0.28))
    d.fill(jib, d.detail)
    _hull(d, d.uniform(0.82, 0.92), d.uniform(0.16, 0.2))
    if d.chance(0.5):
        d.fill(polygon((mast, top + 0.1), (mast - 0.12, top + 0.06), (mast, top + 0.03)), d.body)
    return "side"


def _rowing_boat(d):
    length = 0.95
    inner = blob((0.02, 0.21), (0.5, 0.28), (length + 0.08, 0.25), (0.5, 0.15))
    d.fill(inner, shade(d.trim, 0.6))
    for x in (0.25, 0.5, 0.72):
        d.fill(polygon((x, 0.17), (x + 0.09, 0.17), (x + 0.07, 0.25), (x - 0.02, 0.25)), d.trim, edge=0.01)
    _hull(d, length, 0.2, bow=0.12)
    d.curve([(0.0, 0.2), (0.5, 0.185), (length + 0.1, 0.23)], d.trim, 0.035)
    for x, lean in ((0.4, d.uniform(-0.32, -0.2)), (0.62, d.uniform(-0.3, -0.18))):
        d.line([(x - lean * 0.5, 0.36), (x + lean, -0.06)], d.ink, 0.03)
        d.fill(ellipse(x + lean, -0.06, 0.035, 0.09, angle=-35), d.detail)
    return "side"


def _motor_boat(d):
    d.fill(polygon((0.3, 0.2), (0.34, 0.42), (0.62, 0.42), (0.74, 0.2)), d.trim)
    panes(d, 0.36, 0.29, 0.6, 0.38, 2)
    d.fill(polygon((0.63, 0.28), (0.62, 0.38), (0.7, 0.24)), d.detail, edge=0.008)
    d.fill(box(0.28, 0.41, 0.67, 0.45, 0.02), d.body)
    d.line([(0.4, 0.45), (0.38, 0.66)], d.ink, 0.022)
    d.fill(polygon((0.385, 0.66), (0.24, 0.62), (0.385, 0.57)), d.detail)
    d.fill(box(-0.08, 0.08, 0.03, 0.26, 0.03), d.detail)
    _hull(d, 0.95, d.uniform(0.2, 0.25), bow=0.2)
    d.line([(0.74, 0.3), (1.1, 0.36)], d.ink, 0.015)
    for x in (0.25, 0.45, 0.65):
        d.fill(ellipse(x, 0.14, 0.028), d.detail, edge=0.008)
    return "side"


def _ship(d):
    for x in (0.28, 0.45)[: d.rng.integers(1, 3)]:
        d.fill(polygon((x, 0.42), (x + 0.11, 0.42), (x + 0.09, 0.7), (x - 0.01, 0.7)), d.detail)
        d.fill(polygon((x - 0.005, 0.62), (x + 0.095, 0.62), (x + 0.09, 0.7), (x - 0.01, 0.7)), d.ink, edge=0)
    d.fill(box(0.12, 0.2, 0.84, 0.33), d.trim)
    d.fill(box(0.18, 0.32, 0.72, 0.45), d.trim)
    panes(d, 0.2, 0.355, 0.7, 0.415, 6)
    panes(d, 0.14, 0.235, 0.82, 0.29, 8)
    d.line([(0.8, 0.3), (0.8, 0.6)], d.ink, 0.02)
    _hull(d, 0.98, 0.22, bow=0.16)
    for x in np.linspace(0.18, 0.85, 6):
        d.fill(ellipse(x, 0.13, 0.022), d.detail, edge=0)
    return "side"


def bus(d):
    """One long box with a row of big windows, a door at the front and two wheels; or with two storeys."""
    double = d.chance(0.35)
    length, top = (d.uniform(0.8, 0.95), 0.72) if double else (d.uniform(0.95, 1.2), d.uniform(0.45, 0.54))
    floor, bottom, front = 0.09, 0.26, length - 0.17
    high = 0.41 if double else top - 0.07  # of the windows in the lower storey
    shell = d.fill(box(0, floor, length, top, d.uniform(0.03, 0.07)), d.body)
    d.inside(shell, [box(-0.1, 0, 2, floor + d.uniform(0.05, 0.14))], d.trim)
    panes(d, 0.03, bottom, front - 0.01, high, int(d.rng.integers(4, 6)), gap=0.16)
    if double:
        panes(d, 0.03, 0.49, front - 0.01, top - 0.06, int(d.rng.integers(4, 6)), gap=0.16)
        d.fill(box(front + 0.02, 0.49, length, top - 0.06, 0.015), d.detail, edge=0.008)
    d.fill(box(front + 0.01, floor + 0.02, front + 0.1, high), d.detail, edge=0.012)  # the door
    d.line([(front + 0.055, floor + 0.03), (front + 0.055, high)], d.ink, 0.014)
    d.fill(box(front + 0.125, bottom - 0.02, length + 0.005, high + 0.02, 0.01), d.detail, edge=0.008)
    d.fill(box(length - 0.03, floor + 0.05, length + 0.01, floor + 0.09, 0.02), WHITE, edge=0)
    d.fill(box(length - 0.28, top - 0.045, length - 0.02, top - 0.012), d.trim, edge=0)
    d.line([(length, high), (length + 0.05, high), (length + 0.05, high - 0.1)], d.ink, 0.022)  # a mirror
    for x in (d.uniform(0.16, 0.24), front - 0.1):
        wheel(d, x, 0.09, 0.085)
    return "side"


def car(d):
    """A saloon, a hatchback or a pick-up from the side, or a car that comes towards us."""
    if d.chance(0.2):
        return _car_ahead(d)
    kind = d.pick("saloon", "saloon", "hatchback", "pickup")
    belt, roof = d.uniform(0.27, 0.31), d.uniform(0.45, 0.54)
    rear, top = {"saloon": (0.14, 0.28), "hatchback": (0.0, 0.09), "pickup": (0.4, 0.42)}[kind]
    nose = d.uniform(0.7, 0.78) + 0.06 * (kind == "pickup")
    cabin = [(rear, belt - 0.02), (top, roof - 0.01), (top + 0.03, roof), (nose - 0.22, roof),
             (nose - 0.18, roof - 0.01), (nose, belt - 0.02)]
    lower = blob((0.0, 0.12), (-0.01, belt - 0.02), (0.06, belt), (0.4, belt), (nose, belt - 0.01),
                 (0.95, belt - 0.06), (1.0, belt - 0.12), (0.99, 0.1), (0.5, 0.08), (0.05, 0.08))
    d.fill([polygon(*cabin), lower], d.body)
    d.inside([lower], [box(-0.1, 0, 1.2, 0.15)], d.near())
    post = top + 0.015 if kind == "pickup" else (top + nose - 0.12) / 2
    _car_doors(d, belt, roof - 0.045, None if kind == "pickup" else (rear + 0.07, top + 0.04), post, nose)
    d.fill(ellipse(0.965, belt - 0.1, 0.03, 0.025), WHITE, edge=0.008)
    d.fill(box(-0.01, belt - 0.1, 0.03, belt - 0.05), d.trim, edge=0.008)
    for x in (d.uniform(0.19, 0.22), d.uniform(0.77, 0.8)):
        wheel(d, x, 0.1, d.uniform(0.095, 0.11))
    return "side"


def _car_doors(d, belt, glass, rear, post, nose):
    """Side windows from `belt` up to `glass` before and, if `rear` is not None, behind a post."""
    if rear:
        rear_window = [(rear[0], belt), (rear[1], glass), (post - 0.015, glass), (post - 0.015, belt)]
        d.fill(polygon(*rear_window), d.detail, edge=0.008)
    window = [(post + 0.015, belt), (post + 0.015, glass), (nose - 0.21, glass), (nose - 0.06, belt)]
    d.fill(polygon(*window), d.detail, edge=0.008)
    d.line([(post, belt - 0.02), (post, 0.12)], d.ink, 0.012)
    d.line([(post + 0.045, belt - 0.05), (post + 0.1, belt - 0.05)], d.ink, 0.02)


def _car_ahead(d):
    roof = d.uniform(0.62, 0.72)
    for x in (0.08, 0.76):
        d.fill(box(x, 0.0, x + 0.16, 0.25, 0.04), d.ink)
    cabin = polygon((0.08, 0.4), (0.2, roof), (0.8, roof), (0.92, 0.4))
    for x in (-0.03, 0.93):
        d.fill(box(x, 0.42, x + 0.1, 0.48, 0.025), d.body)
    d.fill([cabin, box(0.0, 0.1, 1.0, 0.43, 0.1)], d.body)
    d.fill(polygon((0.16, 0.42), (0.25, roof - 0.04), (0.75, roof - 0.04), (0.84, 0.42)), d.detail,
           edge=0.012)
    d.line([(0.04, 0.41), (0.96, 0.41)], d.ink, 0.015)
    d.fill(box(0.32, 0.22, 0.68, 0.34, 0.02), d.trim, edge=0.012)
    for y in (0.25, 0.28, 0.31):
        d.line([(0.34, y), (0.66, y)], d.ink, 0.012)
    for x in (0.15, 0.85):
        d.fill(ellipse(x, 0.28, 0.075, 0.06), WHITE, edge=0.014)
    d.fill(box(-0.02, 0.09, 1.02, 0.17, 0.03), d.near(), edge=0.014)
    d.fill(box(0.4, 0.1, 0.6, 0.16), WHITE, edge=0)
    return "Frontal"


def motorbike(d):
    """Two fat wheels with an engine between them, tank, seat, fork, exhaust."""
    r = d.uniform(0.19, 0.22)
    back, front = (0.2, r), (d.uniform(0.93, 1.0), r)
    for x, y in (back, front):
        wheel(d, x, y, r, hub=0.62)
    head = (front[0] - 0.18, 0.62)
    d.line([front, head], d.detail, 0.05)
    d.line([back, (0.5, 0.26)], d.detail, 0.06)
    d.fill(blob((0.38, 0.2), (0.42, 0.38), (0.6, 0.42), (0.72, 0.34), (0.68, 0.16), (0.5, 0.12)), d.detail)
    for y in (0.24, 0.3, 0.36):
        d.line([(0.46, y), (0.65, y)], d.ink, 0.016)
    d.fill(limb([(0.62, 0.18), (0.4, 0.13), (-0.02, d.uniform(0.15, 0.24))], [0.04, 0.05, 0.075]), d.trim)
    d.fill(blob((0.06, 0.5), (0.2, 0.47), (0.42, 0.42), (0.45, 0.36), (0.3, 0.36), (0.12, 0.43)), d.body)
    d.fill(limb([(0.07, 0.55), (0.25, 0.49), (0.46, 0.5)], [0.05, 0.08, 0.06]), d.ink)
    d.fill(blob((0.44, 0.45), (0.5, 0.58), (0.65, 0.61), (0.77, 0.52), (0.7, 0.42)), d.body)
    mudguard = [(front[0] - 0.22, r + 0.14), (front[0], r * 2 + 0.035), (front[0] + 0.18, r + 0.13)]
    d.curve(mudguard, d.body, 0.05)
    if d.chance(0.4):
        d.fill(blob((0.66, 0.36), (0.72, 0.6), (0.8, 0.72), (0.92, 0.58), (0.86, 0.4)), d.body)
        d.fill(blob((0.72, 0.66), (0.74, 0.8), (0.85, 0.68)), d.detail)
    d.curve([(head[0] + 0.02, 0.6), (head[0] - 0.02, 0.72), (head[0] - 0.14, 0.73)], d.ink, 0.045)
    d.fill(ellipse(head[0] + 0.08, 0.58, 0.06), d.trim)
    return "side"


def train(d):
    """A steam engine with its wagon, coupled carriages under a pantograph, or a train in perspective."""
    return d.pick(_steam_train, _electric_train, _train_ahead)(d)


def _rails(d, x0, x1):
    for x in np.arange(x0 + 0.03, x1 - 0.05, 0.11):
        d.fill(box(x, -0.05, x + 0.05, 0.0), d.trim, edge=0)
    d.line([(x0, 0.0), (x1, 0.0)], d.ink, 0.028)


def _steam_train(d):
    _rails(d, -0.5, 1.1)
    d.line([(-0.1, 0.1), (0.1, 0.1)], d.ink, 0.05)
    d.fill(box(-0.46, 0.11, -0.04, d.uniform(0.32, 0.42)), d.trim)
    d.fill(cloud(-0.25, 0.4, 0.14, 0.02, 6, 0.06), d.ink, edge=0)
    d.fill(box(-0.49, 0.1, -0.02, 0.34, 0.02), d.trim)
    d.fill(box(0.05, 0.1, 0.95, 0.18), d.ink)
    d.fill(polygon((0.9, 0.14), (0.98, 0.16), (1.1, 0.02), (0.9, 0.02)), d.detail)
    flare = d.uniform(0.02, 0.06)
    d.fill(polygon((0.79, 0.42), (0.89, 0.42), (0.89 + flare, 0.68), (0.79 - flare, 0.68)), d.detail)
    d.fill(box(0.5, 0.38, 0.64, 0.53, 0.06), d.trim)
    boiler = d.fill(box(0.25, 0.17, 0.96, 0.44, 0.05), d.body)
    d.inside(boiler, [box(x, 0.1, x + 0.025, 0.5) for x in (0.45, 0.7, 0.87)], d.trim)
    d.fill(box(0.05, 0.14, 0.32, 0.62), d.body)
    d.fill(box(0.1, 0.4, 0.27, 0.55, 0.02), d.detail)
    d.fill(box(0.0, 0.61, 0.37, 0.67, 0.02), d.trim)
    for x, r in ((-0.37, 0.07), (-0.15, 0.07), (0.2, 0.115), (0.45, 0.115), (0.69, 0.115), (0.88, 0.065)):
        wheel(d, x, r + 0.01, r, hub=0.65)
    d.line([(0.2, 0.09), (0.69, 0.09)], d.detail, 0.035)
    return "side"


def _electric_train(d):
    _rails(d, -0.75, 1.06)
    x, top = 0.08, d.uniform(0.36, 0.42)
    d.line([(-0.1, 0.13), (0.2, 0.13)], d.ink, 0.06)
    nose = d.uniform(0.08, 0.3)
    motor = blob((x, 0.1), (x, 0.25), (x, top - 0.01), (x + 0.06, top), (0.98 - nose, top),
                 (1.0 - nose * 0.3, top * 0.72), (1.02, 0.16), (0.98, 0.08), (0.5, 0.08), (x + 0.06, 0.08))
    wagon = box(-0.72, 0.08, 0.02, top, 0.03)
    parts = d.fill([motor, wagon], d.body)
    d.inside(parts, [box(-1, 0.13, 1.1, 0.13 + d.uniform(0.03, 0.07))], d.trim)
    panes(d, -0.68, top - 0.16, -0.02, top - 0.06, 6)
    panes(d, x + 0.05, top - 0.16, 0.8 - nose, top - 0.06, 5)
    d.fill(polygon((0.86 - nose, top - 0.15), (0.86 - nose, top - 0.05), (0.97 - nose, top - 0.05),
                   (1.0 - nose * 0.5, top - 0.15)), d.detail, edge=0.01)
    d.fill(ellipse(0.97, 0.17, 0.02), WHITE, edge=0.008)
    for w in (-0.64, -0.52, -0.18, -0.06, 0.18, 0.3, 0.7, 0.82):
        wheel(d, w, 0.055, 0.05)
    d.line([(0.3, top), (0.42, top + 0.1), (0.3, top + 0.2)], d.ink, 0.026)
    d.line([(0.2, top + 0.2), (0.4, top + 0.2)], d.ink, 0.03)
    return "side"


def _train_ahead(d):
    """A train that comes towards us on its rails."""
    for x, far in ((0.53, 0.1), (0.97, 0.3)):
        d.line([(x, -0.12), (far - 0.25, 0.38)], d.ink, 0.03)
    for y in (-0.1, -0.02, 0.06, 0.13, 0.19):
        d.line([(0.42 - y * 1.1, y), (1.04 - y * 1.3, y)], d.trim, 0.035)
    side = polygon((0.45, 0.1), (0.45, 0.66), (-0.2, 0.56), (-0.2, 0.33))
    d.fill(side, shade(d.body, 0.75))
    for a, b in ((0.06, 0.22), (0.28, 0.42), (0.48, 0.6), (0.65, 0.75), (0.8, 0.88)):
        xs, low, high = 0.45 - 0.65 * np.array([a, b]), (0.38, 0.46), (0.6, 0.535)
        (l0, l1), (h0, h1) = (np.interp([a, b], [0, 1], ends) for ends in (low, high))
        d.fill(polygon((xs[0], l0), (xs[0], h0), (xs[1], h1), (xs[1], l1)), d.detail, edge=0.008)
    d.fill(box(0.45, 0.02, 1.0, d.uniform(0.68, 0.76), 0.1), d.body)
    d.fill([box(0.52, 0.4, 0.71, 0.6, 0.03), box(0.74, 0.4, 0.93, 0.6, 0.03)], d.detail, edge=0.01)
    d.fill(box(0.45, 0.02, 1.0, 0.1, 0.02), d.ink)
    d.fill(box(0.5, 0.28, 0.95, 0.33), d.trim, edge=0)
    for x in (0.56, 0.89):
        d.fill(ellipse(x, 0.2, 0.045), WHITE, edge=0.012)
    d.fill(box(0.68, -0.02, 0.77, 0.06), d.detail)
    d.line([(0.55, 0.72), (0.7, 0.86), (0.9, 0.86)], d.ink, 0.03)
    return "Frontal"


# --- animals --------------------------------------------------------------------------------------


def bird(d):
    """A bird in flight, perched, or wading on long legs."""
    d.pliant = 0.07
    return d.pick(_flying_bird, _perched_bird, _perched_bird, _wading_bird)(d)


def _wing(d, root, tip, width, color):
    """A wing whose rear edge is cut into feathers."""
    root, tip = np.array(root), np.array(tip)
    back = np.array([-1.0, -0.25]) * width
    edge = []
    for i, t in enumerate(np.linspace(0.95, 0, 6)):
        at = root + t * (tip - root)
        edge += [at + back * (1.15 - 0.75 * t), at + back * (0.75 - 0.5 * t)] if i < 5 else [at + back]
    lead = spline([root, root + 0.55 * (tip - root) + (0.06, 0.03), tip])
    d.fill(polygon(*lead, *edge), color)


def _flying_bird(d):
    d.turn = 20
    lift = d.uniform(0.42, 0.6)
    _wing(d, (0.62, 0.5), (0.72, 0.5 + lift), 0.24, shade(d.trim, 0.75))
    d.fill(polygon((0.2, 0.46), (-0.02, 0.56), (0.0, 0.46), (-0.04, 0.37), (0.22, 0.42)), d.trim)
    d.fill(polygon((0.95, 0.56), (1.1, 0.51), (0.94, 0.48)), d.detail)
    d.fill([limb([(0.18, 0.44), (0.45, 0.44), (0.72, 0.48)], [0.07, 0.2, 0.17]), ellipse(0.86, 0.53, 0.1)],
           d.body)
    eye(d, 0.9, 0.56, 0.025)
    _wing(d, (0.58, 0.46), (0.3, 0.46 + lift) if d.chance(0.6) else (0.28, 0.5 - lift), 0.26, d.trim)
    return "side"


def _perched_bird(d):
    for x in (0.44, 0.54):
        d.line([(x, 0.2), (x + 0.02, 0.0)], d.ink, 0.03)
        d.line([(x - 0.05, 0.0), (x + 0.09, 0.0)], d.ink, 0.03)
    d.fill(polygon((0.25, 0.36), (-0.1, d.uniform(0.1, 0.4)), (-0.04, 0.06), (0.34, 0.22)), d.trim)
    d.fill(polygon((0.82, 0.7), (1.0, 0.64), (0.82, 0.59)), d.detail)
    belly = blob((0.18, 0.33), (0.3, 0.5), (0.52, 0.62), (0.72, 0.55), (0.72, 0.32), (0.55, 0.16),
                 (0.35, 0.18))
    d.fill([belly, ellipse(0.7, 0.66, d.uniform(0.14, 0.17))], d.body)
    wing = blob((0.1, 0.24), (0.25, 0.44), (0.5, 0.5), (0.58, 0.38), (0.45, 0.27), (0.28, 0.22))
    d.fill(wing, d.trim)
    for y in (0.32, 0.38):
        d.curve([(0.22, y - 0.03), (0.38, y), (0.5, y + 0.03)], d.ink, 0.014)
    eye(d, 0.75, 0.7, 0.035)
    if d.chance(0.3):
        d.fill(polygon((0.6, 0.78), (0.56, 0.95), (0.66, 0.86), (0.7, 0.97), (0.76, 0.8)), d.trim)
    return "side"


def _wading_bird(d):
    d.line([(0.4, 0.5), (0.38, 0.0)], d.detail, 0.03)
    d.line([(0.5, 0.5), (0.56, 0.26), (0.5, 0.0)], d.detail, 0.03)
    for x in (0.38, 0.5):
        d.line([(x - 0.04, 0.0), (x + 0.09, 0.0)], d.detail, 0.03)
    neck = limb([(0.6, 0.6), (0.74, 0.7), (0.66, 0.88), (0.74, 1.02)], [0.13, 0.08, 0.06, 0.08])
    body = blob((0.08, 0.5), (0.3, 0.66), (0.55, 0.7), (0.68, 0.6), (0.55, 0.46), (0.3, 0.44))
    d.fill(polygon((0.78, 1.07), (1.08, d.uniform(0.94, 1.02)), (0.78, 0.99)), d.detail)
    d.fill([body, neck, ellipse(0.75, 1.03, 0.065)], d.body)
    d.fill(blob((0.0, 0.44), (0.22, 0.62), (0.45, 0.64), (0.5, 0.54), (0.3, 0.48)), d.trim)
    eye(d, 0.77, 1.05, 0.024)
    return "side"


def cat(d):
    """A round head with pointed ears and whiskers, a slim body, a thin tail that curves up."""
    d.pliant = 0.07
    return d.pick(_sitting_cat, _sitting_cat, _standing_cat, _standing_cat, _lying_cat)(d)


def _sitting_cat(d):
    low = [(0.32, 0.1), (0.05, 0.08), (0.0, 0.25), (0.12, 0.38)]
    high = [(0.3, 0.12), (0.08, 0.2), (0.1, 0.5), (-0.02, 0.68)]
    d.fill(limb(d.pick(low, high), [0.07, 0.065, 0.06, 0.05]), d.body)
    body = blob((0.5, 0.66), (0.36, 0.5), (0.24, 0.2), (0.3, 0.02), (0.5, 0.0), (0.7, 0.02), (0.76, 0.2),
                (0.64, 0.5))
    d.texture(d.fill(body, d.body), plain=0.3)
    for x in (0.43, 0.57):
        d.fill(limb([(x, 0.36), (x, 0.04)], [0.1, 0.11]), d.body, edge=0.014)
    _cat_head(d, 0.5, 0.78)
    return "Frontal"


def _standing_cat(d):
    lean = d.uniform(-0.1, 0.12)
    tail = [(0.16, 0.48), (0.04, 0.66), (0.08 + lean, 0.9), (-0.02 + lean, 1.02)]
    d.fill(limb(tail, [0.07, 0.06, 0.055, 0.05]), d.body)
    far, near = stride(d, 0.2, 0.66, 0.38, 0.12)
    d.fill(legs(*far, 0.2, [0.11, 0.075, 0.065]), shade(d.body, 0.75))
    paths = [limb([(0.19, 0.45), (0.42, 0.43), (0.7, 0.46)], [0.2, 0.17, 0.2])]
    paths += legs(*near, 0.2, [0.13, 0.08, 0.07])
    d.texture(d.fill(paths, d.body), plain=0.3)
    _cat_head(d, 0.82, 0.62)
    return "side"


def _lying_cat(d):
    d.fill(limb([(0.1, 0.12), (-0.08, 0.16), (-0.12, 0.34), (-0.02, 0.46)], [0.08, 0.07, 0.06, 0.05]), d.body)
    trunk = blob((0.0, 0.1), (0.05, 0.3), (0.25, 0.4), (0.55, 0.36), (0.75, 0.3), (0.8, 0.08), (0.5, 0.0),
                 (0.1, 0.0))
    d.texture(d.fill(trunk, d.body), plain=0.3)
    d.curve([(0.34, 0.04), (0.14, 0.08), (0.16, 0.26), (0.3, 0.28)], d.ink, 0.014)
    for y in (0.08, 0.03):
        d.fill(limb([(0.62, y), (0.98, y)], [0.09, 0.075]), d.body, edge=0.014)
    _cat_head(d, 0.8, 0.36)
    return "side"


def _cat_head(d, x, y):
    r = d.uniform(0.17, 0.2)
    for s in (-1, 1):
        ear = [(x + s * r * 0.95, y + 0.2 * r), (x + s * r * 0.95, y + r * 1.6),
               (x + s * r * 0.15, y + r * 0.85)]
        d.fill(polygon(*ear), d.body)
        d.fill(polygon(*(0.3 * np.mean(ear, axis=0) + 0.7 * np.array(ear))), d.trim, edge=0)
    d.fill(ellipse(x, y, r * 1.1, r * 0.95), d.body)
    for s in (-1, 1):
        d.fill(ellipse(x + s * r * 0.45, y + 0.2 * r, 0.24 * r, 0.2 * r), d.detail, edge=0.006)
        d.fill(ellipse(x + s * r * 0.45, y + 0.2 * r, 0.08 * r, 0.19 * r), BLACK, edge=0)
        for lift in (-0.12, 0.12):
            d.line([(x + s * 0.35 * r, y - 0.3 * r), (x + s * 1.55 * r, y + (lift - 0.25) * r)], d.ink, 0.01)
    d.fill(polygon((x - 0.14 * r, y - 0.12 * r), (x + 0.14 * r, y - 0.12 * r), (x, y - 0.3 * r)), d.ink,
           edge=0)
    d.curve([(x - 0.3 * r, y - 0.5 * r), (x - 0.1 * r, y - 0.52 * r), (x, y - 0.3 * r)], d.ink, 0.012)
    d.curve([(x + 0.3 * r, y - 0.5 * r), (x + 0.1 * r, y - 0.52 * r), (x, y - 0.3 * r)], d.ink, 0.012)


def cow(d):
    """A heavy box on short legs, with horns, patches, an udder and a tufted tail."""
    d.pliant = 0.07
    far, near = stride(d, 0.2, 0.68, 0.36, 0.06)
    d.fill(legs(*far, 0.2, [0.13, 0.08, 0.075]), shade(d.body, 0.75))
    d.curve([(0.1, 0.68), (0.02, 0.6), (0.03, 0.32)], d.ink, 0.03)
    d.fill(ellipse(0.03, 0.28, 0.035, 0.07), d.trim)
    teats = [ellipse(x, 0.22, 0.018, 0.045) for x in (0.32, 0.4)]
    d.fill([ellipse(0.36, 0.31, 0.09, 0.08), *teats], d.detail)
    graze = d.chance(0.3)
    poll, nose = ((0.95, 0.36), (1.04, 0.12)) if graze else ((0.92, 0.76), (1.06, 0.58))
    trunk = blob((0.09, 0.4), (0.08, 0.68), (0.18, 0.74), (0.45, 0.7), (0.74, 0.75), (0.86, 0.62),
                 (0.82, 0.4), (0.6, 0.31), (0.25, 0.33))
    hide = [trunk, limb([(0.76, 0.61), poll], [0.28, 0.2])]
    near_legs = legs(*near, 0.18, [0.17, 0.09, 0.085])
    d.fill([*hide, *near_legs], d.body)
    if d.chance(0.8):
        d.inside(hide, _patches(d), d.trim)
    else:
        d.texture([trunk], plain=0.5)
    for x, y in near[1]:
        d.fill(box(x - 0.045, y - 0.045, x + 0.05, y + 0.02), d.ink, edge=0)
    _cow_head(d, np.array(poll), np.array(nose))
    return "side"


def _cow_head(d, poll, nose):
    along = (nose - poll) / np.linalg.norm(nose - poll)
    across = np.array([-along[1], along[0]])  # towards the forehead
    for s in (-1, 1):
        root = poll + across * 0.05 - along * (0.05 + 0.0 * s)
        tip = root + across * 0.15 - along * (0.06 - s * 0.09)
        d.fill(limb([root, (root + tip) / 2 + s * along * 0.035, tip], [0.055, 0.045, 0.015]), d.detail)
    d.fill(limb([poll, nose], [0.18, 0.13]), d.body)
    d.fill(limb([poll - along * 0.02, poll - along * 0.12 - across * 0.06], [0.04, 0.08]), d.trim)
    d.fill(ellipse(*(nose + along * 0.015), 0.075, 0.065), d.detail)
    d.fill(ellipse(*(nose + along * 0.045 + across * 0.02), 0.015), d.ink, edge=0)
    eye(d, *(poll + along * 0.06 + across * 0.025), 0.028)


def _patches(d):
    """A few large ragged patches over the trunk of a cow."""
    paths = []
    for x in (0.15, 0.42, 0.68):
        a = np.linspace(0, 2 * np.pi, 7, endpoint=False)
        r = d.rng.uniform(0.07, 0.17, 7)
        y = d.uniform(0.45, 0.7)
        paths.append(blob(*np.stack([x + d.uniform(-0.05, 0.05) + r * np.cos(a), y + r * np.sin(a)], axis=1)))
    return paths


def dog(d):
    """A long snout, hanging ears, a collar, a raised tail; it stands, sits or lies."""
    d.pliant = 0.07
    return d.pick(_standing_dog, _standing_dog, _sitting_dog, _sitting_dog, _lying_dog)(d)


def _standing_dog(d):
    tail = d.pick([(0.15, 0.5), (0.02, 0.62), (-0.02, 0.8)], [(0.15, 0.52), (0.0, 0.66), (0.1, 0.78)])
    d.fill(limb(tail, [0.085, 0.065, 0.04]), d.body)
    far, near = stride(d, 0.2, 0.64, 0.36, 0.1)
    d.fill(legs(*far, 0.2, [0.12, 0.07, 0.065]), shade(d.body, 0.75))
    paths = [limb([(0.2, 0.46), (0.42, 0.44), (0.66, 0.46)], [0.2, 0.19, 0.25]),
             limb([(0.66, 0.5), (0.78, 0.72)], [0.2, 0.15])]
    paths += legs(*near, 0.2, [0.16, 0.08, 0.07], bend=-0.02)
    paths += [limb([f, (f[0] + 0.06, f[1] - 0.01)], [0.06, 0.055]) for f in near[1]]
    d.fill(paths, d.body)
    d.texture(paths[:1], plain=0.5)
    d.line([(0.65, 0.645), (0.82, 0.58)], d.detail, 0.045)
    _dog_head(d, 0.8, 0.77)
    return "side"


def _sitting_dog(d):
    d.fill(limb([(0.25, 0.08), (0.06, 0.1), (-0.06, 0.28)], [0.08, 0.07, 0.04]), d.body)
    paths = [
        limb([(0.34, 0.18), (0.44, 0.42), (0.56, 0.6), (0.62, 0.74)], [0.32, 0.3, 0.24, 0.17]),
        limb([(0.56, 0.5), (0.6, 0.25), (0.62, 0.03), (0.7, 0.025)], [0.18, 0.1, 0.07, 0.055]),
        limb([(0.3, 0.14), (0.4, 0.05), (0.52, 0.03)], [0.26, 0.12, 0.06]),
    ]
    d.fill(paths, d.body)
    d.texture(paths[:1], plain=0.5)
    d.curve([(0.24, 0.28), (0.4, 0.3), (0.46, 0.12)], d.ink, 0.016)
    d.line([(0.5, 0.72), (0.7, 0.66)], d.detail, 0.05)
    _dog_head(d, 0.64, 0.86)
    return "side"


def _lying_dog(d):
    d.fill(limb([(0.08, 0.14), (-0.1, 0.2), (-0.18, 0.36)], [0.09, 0.07, 0.04]), d.body)
    d.fill(limb([(0.62, 0.12), (0.82, 0.07), (1.0, 0.07)], [0.12, 0.08, 0.07]), shade(d.body, 0.75))
    trunk = limb([(0.12, 0.18), (0.35, 0.2), (0.62, 0.25), (0.72, 0.44)], [0.32, 0.27, 0.28, 0.17])
    paths = [trunk, limb([(0.6, 0.12), (0.75, 0.04), (0.95, 0.03)], [0.14, 0.085, 0.07])]
    d.fill([*paths, limb([(0.12, 0.1), (0.22, 0.04), (0.4, 0.03)], [0.2, 0.1, 0.07])], d.body)
    d.texture(paths[:1], plain=0.5)
    d.curve([(0.1, 0.28), (0.26, 0.26), (0.3, 0.08)], d.ink, 0.016)
    d.line([(0.62, 0.42), (0.78, 0.36)], d.detail, 0.045)
    _dog_head(d, 0.75, 0.54)
    return "side"


def _dog_head(d, x, y):
    snout = d.uniform(0.2, 0.27)
    if d.chance(0.5):
        d.fill(limb([(x + snout * 0.7, y - 0.08), (x + snout * 0.75, y - 0.19)], [0.05, 0.055]), d.detail)
    d.fill([ellipse(x, y, 0.13, 0.12), limb([(x, y - 0.02), (x + snout, y - 0.05)], [0.14, 0.1])], d.body)
    d.fill(ellipse(x + snout + 0.035, y - 0.02, 0.038, 0.032), d.ink)
    d.line([(x + snout * 0.5, y - 0.085), (x + snout + 0.02, y - 0.075)], d.ink, 0.014)
    drop = d.uniform(0.2, 0.27)
    d.fill(blob((x - 0.08, y + 0.11), (x + 0.0, y + 0.06), (x - 0.01, y - drop * 0.5), (x - 0.06, y - drop),
                (x - 0.14, y - drop * 0.7), (x - 0.14, y)), d.trim)
    eye(d, x + 0.06, y + 0.035, 0.026)


def horse(d):
    """Long legs, a long arched neck with a mane, a long head, a bushy tail; it may gallop or graze."""
    d.pliant = 0.07
    gallop, graze = d.pick((True, False), (True, False), (False, True), (False, False), (False, False))
    reach, step = d.uniform(0.14, 0.22) if gallop else 0.0, d.uniform(-0.06, 0.06)
    far = [(0.3 - reach * 1.5 - step, 0.04 + reach * 0.5), (0.72 + reach * 1.6 + step, 0.05 + reach)]
    near = [(0.2 - reach + step, 0.0), (0.66 + reach - step, 0.0)]
    tail = [(0.12, 0.66), (0.0, 0.6), (-0.05, 0.4), (-0.02, 0.2)]
    if gallop:
        tail = [(0.12, 0.68), (-0.06, 0.7), (-0.18, 0.6), (-0.26, 0.48)]
    d.fill(limb(tail, [0.06, 0.11, 0.12, 0.03]), d.trim)
    d.fill(legs([(0.26, 0.5), (0.68, 0.5)], far, 0.28, [0.12, 0.06, 0.045], bend=0.02), shade(d.body, 0.75))
    trunk = limb([(0.22, 0.6), (0.45, 0.57), (0.68, 0.6)], [0.26, 0.24, 0.27])
    near_legs = legs([(0.22, 0.52), (0.66, 0.52)], near, 0.27, [0.18, 0.07, 0.05], bend=0.015)
    _horse_head(d, [trunk, *near_legs], graze)
    d.texture([trunk], plain=0.7)
    for x, y in near:
        d.fill(box(x - 0.035, y - 0.04, x + 0.045, y + 0.025), d.ink, edge=0)
    if d.chance(0.3):
        saddle = [(0.36, 0.62), (0.36, 0.72), (0.5, 0.7), (0.6, 0.74), (0.58, 0.6), (0.48, 0.48)]
        d.fill(blob(*saddle), d.detail)
    return "side"


def _horse_head(d, trunk, graze):
    """Neck, head and mane of a horse, and with them its trunk, in one outline."""
    poll, nose = ((1.02, 0.4), (1.08, 0.14)) if graze else ((0.87, 1.0), (1.07, d.uniform(0.8, 0.86)))
    bones = np.array([(0.68, 0.62), (0.86, 0.56) if graze else (0.8, 0.84), poll])
    along = (bones[2] - bones[0]) / np.linalg.norm(bones[2] - bones[0])
    up = np.array([-along[1], along[0]])
    d.fill(limb(bones[[0, 1, 2]] + up * np.array([[0.08], [0.08], [0.06]]), [0.06, 0.12, 0.1]), d.trim)
    tip = np.array(poll) + 0.13 * (up + along) / 1.4
    ear = polygon(poll + 0.06 * up, tip, poll + 0.06 * along)
    neck = limb(bones, [0.25, 0.17, 0.13])
    d.fill([*trunk, neck, limb([poll, nose], [0.14, 0.09]), ear], d.body)
    forelock = bones[2] + 0.05 * up
    d.fill(limb([forelock, 0.6 * forelock + 0.4 * np.array(nose) + 0.04 * up], [0.05, 0.03]), d.trim, edge=0)
    eye(d, 0.75 * poll[0] + 0.25 * nose[0], 0.75 * poll[1] + 0.25 * nose[1], 0.024)
    d.fill(ellipse(nose[0] + 0.015, nose[1] + 0.01, 0.014), d.ink, edge=0)


def sheep(d):
    """A woolly cloud on thin legs, with a bare face and ears that stick out."""
    d.pliant = 0.07
    far, near = stride(d, 0.28, 0.66, 0.3, 0.05)
    face = d.trim
    d.fill(legs(*far, 0.2, [0.06, 0.05, 0.05]), shade(face, 0.75))
    d.fill(legs(*near, 0.15, [0.07, 0.055, 0.055]), face)
    bumps, high = int(d.rng.integers(11, 15)), d.uniform(0.2, 0.24)
    d.fill(cloud(0.12, 0.56, 0.02, 0.02, 4, 0.05), d.body)
    d.fill(cloud(0.45, 0.5, 0.31, high, bumps, d.uniform(0.085, 0.1)), d.body)
    for _ in range(9):
        x, y = d.uniform(0.2, 0.66), d.uniform(0.38, 0.62)
        d.curve([(x, y), (x + 0.035, y - 0.03), (x + 0.07, y)], d.near(), 0.016)
    down = d.uniform(-0.14, 0.06)
    x, y = 0.86, 0.6 + down
    d.fill(limb([(x - 0.06, y + 0.06), (x - 0.2, y + 0.04)], [0.05, 0.085]), face)
    d.fill(blob((x - 0.09, y + 0.1), (x + 0.05, y + 0.1), (x + 0.12, y - 0.06), (x + 0.08, y - 0.15),
                (x - 0.02, y - 0.1)), face)
    d.fill(cloud(x - 0.04, y + 0.11, 0.05, 0.02, 5, 0.045), d.body)
    eye(d, x + 0.02, y + 0.03, 0.025)
    return "side"


# --- people and things ----------------------------------------------------------------------------


def person(d):
    """Someone who stands, walks, waves, runs or sits, in trousers or a skirt."""
    d.pliant = 0.07
    return d.pick(_upright_person, _upright_person, _upright_person, _running_person, _seated_person)(d)


def _upright_person(d):
    side, skirt, hip = d.chance(0.4), d.chance(0.35), d.uniform(0.48, 0.53)
    step = d.uniform(0.08, 0.17) if side else d.uniform(0.05, 0.11)
    for s in (-1, 1):
        knee = (0.5 + s * step * 0.55 + (0.04 if side else 0), 0.27)
        leg = limb([(0.5 + s * 0.05, hip), knee, (0.5 + s * step, 0.05)], [0.13, 0.1, 0.075])
        d.fill(leg, d.detail if skirt else d.trim)
        toe = 0.08 if side else s * 0.05
        d.fill(limb([(0.5 + s * step, 0.03), (0.5 + s * step + toe, 0.02)], [0.07, 0.055]), d.ink)
    _arms(d, side)
    torso = blob((0.38, 0.81), (0.45, 0.845), (0.55, 0.845), (0.62, 0.81), (0.59, 0.65), (0.6, hip - 0.02),
                 (0.4, hip - 0.02), (0.41, 0.65))
    d.texture(d.fill(torso, d.body), plain=0.5)
    if skirt:
        hem, flare = d.uniform(0.15, 0.3), d.uniform(0.14, 0.22)
        d.fill(polygon((0.41, hip + 0.1), (0.59, hip + 0.1), (0.5 + flare, hem), (0.5 - flare, hem)), d.trim)
    _human_head(d, 0.5, 0.95, side)
    return "side" if side else "Frontal"


def _arms(d, side):
    """Two arms from shoulder over elbow to hand: down, one or both up, out, or on the hips."""
    reach = d.uniform(0.08, 0.16) if side else d.uniform(0.17, 0.24)
    down, up = (0.17, 0.66, reach, 0.47), (0.24, 0.86, 0.24, 1.04)
    out, hip = (0.24, 0.72, 0.38, 0.78), (0.25, 0.67, 0.1, 0.53)
    left, right = d.pick((down, down), (down, up), (up, up), (down, out), (out, out), (hip, hip), (hip, down))
    for s, (elbow, elbow_y, hand, hand_y) in ((-1, left), (1, right)):
        bones = [(0.5 + s * 0.09, 0.79), (0.5 + s * elbow, elbow_y), (0.5 + s * hand, hand_y)]
        d.fill(limb(bones, [0.085, 0.075, 0.06]), d.body)
        d.fill(ellipse(*bones[-1], 0.036), d.detail)


def _running_person(d):
    lean = d.uniform(0.04, 0.12)
    hip, neck = (0.45, 0.48), (0.45 + lean, 0.82)
    far = d.near()
    d.fill(limb([neck, (neck[0] + 0.12, 0.64), (neck[0] + 0.25, 0.72)], [0.09, 0.075, 0.06]), far)
    d.fill(ellipse(neck[0] + 0.26, 0.73, 0.04), d.detail)
    for knee, ankle, toe in (((0.38, 0.26), (0.12, 0.24), (0.1, 0.16)),
                             ((0.66, 0.36), (0.62, 0.07), (0.72, 0.04))):
        d.fill(limb([hip, knee], [0.15, 0.11]), d.trim)
        d.fill(limb([knee, ankle], [0.105, 0.075]), d.trim)
        d.fill(limb([ankle, toe], [0.075, 0.055]), d.ink)
    d.texture(d.fill(limb([hip, neck], [0.17, 0.2]), d.body), plain=0.5)
    _human_head(d, neck[0] + 0.04, 0.99, True)
    d.fill(limb([(neck[0], 0.8), (neck[0] - 0.17, 0.66), (neck[0] - 0.08, 0.52)], [0.09, 0.08, 0.06]), far)
    d.fill(ellipse(neck[0] - 0.06, 0.5, 0.04), d.detail)
    return "side"


def _human_head(d, x, y, side):
    skin, hair = d.detail, d.color(d.detail)
    if d.chance(0.4):
        long = [(-0.1, 0.06), (0, 0.12), (0.1, 0.06), (0.11, -0.12), (-0.11, -0.12)]
        d.fill(blob(*((x + dx, y + dy) for dx, dy in long)), hair)
    d.fill([limb([(x, y - 0.14), (x, y - 0.05)], [0.07, 0.07]), ellipse(x, y, 0.085, 0.1)], skin)
    top = blob((x - 0.095, y + 0.0), (x - 0.085, y + 0.09), (x, y + 0.125), (x + 0.085, y + 0.085),
               (x + 0.09, y + 0.03), (x + 0.03, y + 0.06), (x - 0.04, y + 0.05))
    d.fill(top, hair)
    if d.chance(0.25):
        d.fill([box(x - 0.15, y + 0.05, x + 0.15, y + 0.08, 0.015),
                box(x - 0.085, y + 0.06, x + 0.085, y + 0.15, 0.03)], d.trim)
    for dx in (0.055,) if side else (-0.035, 0.035):
        d.fill(ellipse(x + dx, y + 0.005, 0.014), BLACK, edge=0)
    d.line([(x - 0.025 + 0.04 * side, y - 0.05), (x + 0.03 + 0.03 * side, y - 0.05)], shade(skin, 0.5), 0.014)


def _seated_person(d):
    skin = d.detail
    for s in (1, 0):
        x = 0.74 + 0.06 * s
        d.fill(limb([(0.42, 0.36), (x, 0.38), (x + 0.02, 0.05)], [0.15, 0.13, 0.08]),
               shade(d.trim, 1 - 0.25 * s))
        d.fill(limb([(x + 0.02, 0.03), (x + 0.12, 0.02)], [0.07, 0.05]), d.ink)
    torso = limb([(0.4, 0.36), (0.4, 0.56), (0.43, 0.74)], [0.19, 0.2, 0.19])
    d.texture(d.fill(torso, d.body), plain=0.5)
    _human_head(d, 0.45, 0.95, True)
    d.fill(limb([(0.41, 0.74), (0.46, 0.55), (0.65, 0.5)], [0.09, 0.08, 0.06]), d.near())
    d.fill(ellipse(0.67, 0.5, 0.04), skin)
    return "side"


def bottle(d):
    """A body with shoulders, a neck, a cap and a label."""
    half, neck = d.uniform(0.11, 0.19), d.uniform(0.04, 0.06)
    shoulder, top, slope = d.uniform(0.45, 0.66), 0.93, d.uniform(0.08, 0.2)
    waist = half * (0.84 if d.chance(0.3) else 1)
    right = [(half * 0.9, 0), (half, 0.03), (half, 0.16), (waist, 0.3), (half, shoulder - 0.06),
             (half, shoulder), (half * 0.85, shoulder + slope * 0.4), (neck * 1.2, shoulder + slope),
             (neck, shoulder + slope + 0.04), (neck, top)]
    glass = d.fill(polygon(*right, *((-x, y) for x, y in right[::-1])), d.body)
    d.inside(glass, [box(-1, -1, 1, d.uniform(0.5, 0.75))], d.near())
    d.inside(glass, [box(-half * 0.78, 0.04, -half * 0.55, shoulder)], shade(d.body, 1.5))
    low, high = d.uniform(0.1, 0.18), d.uniform(0.34, 0.45)
    d.inside(glass, [box(-half, low, half, high)], d.trim)
    middle = (low + high) / 2
    sign = d.pick(ellipse(0, middle, half * 0.5), box(-half * 0.6, middle - 0.03, half * 0.6, middle + 0.04))
    d.fill(sign, d.detail, edge=0)
    d.fill(box(-neck - 0.015, top - 0.06, neck + 0.015, top + d.uniform(0.03, 0.07), 0.01), d.detail)
    return "Unspecified"


def chair(d):
    """A seat on thin legs with a tall back, seen at an angle, or a swivel chair on castors."""
    return d.pick(_four_legged_chair, _four_legged_chair, _four_legged_chair, _swivel_chair)(d)


def _four_legged_chair(d):
    seat, top, depth = d.uniform(0.42, 0.48), d.uniform(0.95, 1.1), d.uniform(0.12, 0.2)
    w, leg = d.uniform(0.38, 0.48), d.uniform(0.045, 0.06)
    shift = d.uniform(0.08, 0.16)  # of the back edge of the seat against the front edge
    front = np.array([(0, seat), (w, seat)])
    back = front + np.array([shift, depth])
    for corner in back:
        d.line([corner, corner - (0, seat - 0.04)], d.near(), leg)
    for corner in front:
        d.line([corner, corner - (0, seat)], d.body, leg)
    up = np.array([d.uniform(0.02, 0.08), top - seat - depth])
    d.pick(_solid_back, _slatted_back, _ladder_back)(d, back, up)
    for corner in back:
        d.line([corner, corner + up], d.body, leg)
    d.fill(polygon(*front, *back[::-1]), d.trim)
    d.fill(polygon(*front, *(front[::-1] - (0, 0.05))), d.near(d.trim))
    return "side"


def _solid_back(d, base, up):
    """A board between the posts of a chair, which stand on `base` (2, 2) and rise by `up` (2,)."""
    low = d.uniform(0.05, 0.35) * up
    board = polygon(base[0] + low, base[1] + low, base[1] + up, base[0] + up)
    d.texture(d.fill(board, d.trim), color=d.trim)


def _slatted_back(d, base, up):
    for t in np.linspace(0, 1, int(d.rng.integers(4, 6))):
        foot = base[0] + t * (base[1] - base[0])
        d.line([foot, foot + up], d.body, 0.04)
    d.line(base + up, d.body, 0.075)


def _ladder_back(d, base, up):
    for t in np.linspace(0.4, 1, int(d.rng.integers(2, 4))):
        d.line(base + t * up, d.body, 0.075)


def _swivel_chair(d):
    for x in (0.08, 0.3, 0.5, 0.72):
        d.line([(0.4, 0.2), (x, 0.07)], d.detail, 0.045)
        d.fill(ellipse(x, 0.04, 0.04), d.ink, edge=0)
    d.line([(0.4, 0.2), (0.4, 0.42)], d.detail, 0.06)
    d.line([(0.2, 0.46), (0.12, 0.66), (0.16, 0.9)], d.ink, 0.05)
    d.texture(d.fill(limb([(0.12, 0.66), (0.1, 0.82), (0.14, 1.05)], [0.1, 0.14, 0.1]), d.body), plain=0.7)
    d.fill(box(0.1, 0.4, 0.7, 0.5, 0.05), d.body)
    d.line([(0.5, 0.48), (0.5, 0.63)], d.ink, 0.035)
    d.fill(box(0.24, 0.61, 0.6, 0.67, 0.03), d.trim)
    return "side"


def diningtable(d):
    """A table top seen from above its edge, four legs or a pedestal, laid with plates and glasses."""
    d.pliant = 0.04
    high, depth = d.uniform(0.42, 0.5), d.uniform(0.16, 0.22)
    top = d.pick(_long_table, _long_table, _round_table)(d, high, depth)
    if d.chance(0.5):
        _table_cloth(d, high, depth)
    else:
        d.texture(top, plain=0.7)
    things = d.rng.permutation([_plate, _glass, _bowl, _candle, _glass])
    for x, thing in zip((0.22, 0.5, 0.76), things[:3], strict=True):
        thing(d, x + d.uniform(-0.04, 0.04), high + d.uniform(-0.02, 0.03))
    for x in (0.3, 0.68):
        _plate(d, x, high - 0.05)
    return "Unspecified"


def _long_table(d, high, depth):
    for x, y in ((0.14, 0.12), (0.86, 0.12), (0.03, 0.0), (0.97, 0.0)):
        d.fill(box(x - 0.03, y, x + 0.03, high - 0.02), d.near())
    front, back = high - depth / 2, high + depth / 2
    d.fill(box(-0.06, front - 0.06, 1.06, front), d.near())
    return d.fill(polygon((-0.06, front), (1.06, front), (0.9, back), (0.1, back)), d.body)


def _round_table(d, high, depth):
    column = limb([(0.5, 0.06), (0.5, high)], [0.1, 0.09])
    d.fill([column, blob((0.22, 0), (0.5, 0.12), (0.78, 0), (0.5, 0.04))], d.near())
    d.fill(ellipse(0.5, high - 0.03, 0.55, depth * 0.62), d.near())
    return d.fill(ellipse(0.5, high, 0.55, depth * 0.62), d.body)


def _table_cloth(d, high, depth):
    front, drop = high - depth * 0.5, d.uniform(0.08, 0.14)
    points = [(0.2, high + depth / 2), (0.8, high + depth / 2), (0.86, front)]
    hem = [(x, front - drop * (0.8 + 0.2 * (i % 2))) for i, x in enumerate(np.linspace(0.86, 0.14, 9))]
    cloth = polygon(*points, *hem, (0.14, front))
    d.texture(d.fill(cloth, d.trim, edge=0.012), color=d.trim)
    d.line([(0.14, front), (0.86, front)], d.near(d.trim), 0.012)


def _plate(d, x, y):
    d.fill(ellipse(x, y, 0.1, 0.032), d.detail, edge=0.012)
    d.fill(ellipse(x, y + 0.003, 0.06, 0.018), d.near(d.detail), edge=0)


def _glass(d, x, y):
    d.line([(x, y), (x, y + 0.1)], d.detail, 0.02)
    d.line([(x - 0.03, y), (x + 0.03, y)], d.detail, 0.02)
    d.fill(blob((x - 0.04, y + 0.2), (x + 0.04, y + 0.2), (x + 0.04, y + 0.12), (x, y + 0.09),
                (x - 0.04, y + 0.12)), d.detail, edge=0.012)


def _bowl(d, x, y):
    for dx, dy in ((-0.05, 0.11), (0.04, 0.11), (0.0, 0.14)):
        d.fill(ellipse(x + dx, y + dy, 0.045), d.color(d.body), edge=0.01)
    d.fill(blob((x - 0.11, y + 0.1), (x + 0.11, y + 0.1), (x + 0.05, y), (x - 0.05, y)), d.detail, edge=0.012)


def _candle(d, x, y):
    d.fill(box(x - 0.02, y, x + 0.02, y + 0.19), d.detail, edge=0.01)
    d.fill(ellipse(x, y, 0.05, 0.02), d.detail, edge=0.01)
    d.fill(blob((x, y + 0.27), (x + 0.02, y + 0.22), (x, y + 0.2), (x - 0.02, y + 0.22)), d.trim, edge=0)


def pottedplant(d):
    """A pot with a rim, and leaves, flowers or a cactus in it."""
    d.pliant = 0.07
    half, rim = d.uniform(0.15, 0.2), d.uniform(0.28, 0.36)
    d.pick(_leaves, _leaves, _flowers, _cactus)(d, rim)
    pot = polygon((-half * 0.7, 0), (half * 0.7, 0), (half, rim), (-half, rim))
    d.texture(d.fill(pot, d.body), plain=0.5)
    d.fill(box(-half - 0.03, rim - 0.05, half + 0.03, rim + 0.02, 0.015), d.body)
    return "Unspecified"


def _leaf(d, x, y, angle, length, width, color):
    """A pointed leaf with its midrib; the angle in degrees from upright."""
    c, s = np.cos(np.radians(90 - angle)), np.sin(np.radians(90 - angle))
    u = length * np.array([0, 0.25, 0.55, 0.85, 1, 0.85, 0.55, 0.25])
    v = width / 2 * np.array([0, 0.8, 1, 0.5, 0, -0.5, -1, -0.8])
    d.fill(blob(*np.stack([x + c * u - s * v, y + s * u + c * v], axis=1)), color, edge=0.014)
    d.line([(x, y), (x + 0.85 * c * length, y + 0.85 * s * length)], d.near(color), 0.012)


def _leaves(d, rim):
    width, count = d.uniform(0.08, 0.17), int(d.rng.integers(6, 10))
    angles = np.linspace(-80, 80, count) + d.rng.uniform(-6, 6, count)
    for i in np.argsort(-np.abs(angles)):
        length = d.uniform(0.4, 0.5) + 0.15 * np.cos(np.radians(angles[i]))
        _leaf(d, 0, rim, angles[i], length, width, d.pick(d.trim, d.near(d.trim)))


def _flowers(d, rim):
    for angle in (-60, 55, -30, 28):
        _leaf(d, 0, rim, angle + d.uniform(-8, 8), 0.35, 0.1, d.trim)
    for x in (-0.2, 0.03, 0.22):
        x, y = x + d.uniform(-0.03, 0.03), rim + d.uniform(0.4, 0.58)
        d.curve([(x * 0.2, rim), (x * 0.5, rim + 0.2), (x, y)], d.trim, 0.028)
        around = 2 * np.pi * np.arange(6) / 6
        petals = [ellipse(x + 0.075 * np.cos(a), y + 0.075 * np.sin(a), 0.05) for a in around]
        d.fill(petals, d.detail, edge=0.012)
        d.fill(ellipse(x, y, 0.045), d.body, edge=0)


def _cactus(d, rim):
    top = rim + d.uniform(0.5, 0.65)
    arms = [limb([(0, rim), (0, top)], [0.18, 0.16])]
    for s in (-1, 1):
        y = rim + d.uniform(0.15, 0.3)
        bones = [(0, y), (s * 0.17, y + 0.01), (s * 0.2, y + d.uniform(0.15, 0.25))]
        arms.append(limb(bones, [0.09, 0.09, 0.08]))
    d.fill(arms, d.trim)
    for x in (-0.04, 0, 0.04):
        d.line([(x, rim), (x, top)], d.near(d.trim), 0.012)
    d.fill(cloud(0, top + 0.1, 0.03, 0.02, 5, 0.03), d.detail, edge=0.01)


def sofa(d):
    """Wide and low: a back, two or three cushions, fat armrests, short feet."""
    d.pliant = 0.04
    width, top = d.uniform(0.95, 1.25), d.uniform(0.48, 0.6)
    arm, seat = d.uniform(0.11, 0.17), d.uniform(0.25, 0.3)
    for x in (0.07, width - 0.11):
        d.fill(box(x, 0, x + 0.05, 0.07), d.ink, edge=0)
    middle, hump = width / 2, d.pick(0, 0, 0.1)  # some backs rise towards the middle
    back = blob((0.05, 0.1), (0.05, top), (middle, top + hump), (width - 0.05, top), (width - 0.05, 0.1))
    d.fill(back if hump else box(0.05, 0.1, width - 0.05, top, 0.07), d.near())
    count = int(d.rng.integers(2, 4))
    step = (width - 2 * arm) / count
    for x in arm + step * np.arange(count):
        pillow = box(x + 0.01, seat, x + step - 0.01, top - 0.03, 0.05)
        d.texture(d.fill(pillow, d.body, edge=0.014), plain=0.7)
    d.fill(box(0.04, 0.06, width - 0.04, 0.16, 0.02), d.near())
    for x in arm + step * np.arange(count):
        d.fill(box(x, 0.14, x + step, seat + 0.03, 0.035), d.body, edge=0.014)
    rest = seat + d.uniform(0.06, 0.13)
    for x in (0.0, width - arm):
        d.fill(box(x, 0.05, x + arm, rest, arm * 0.45), d.body)
    for x in (arm + 0.1, width - arm - 0.1):
        if d.chance(0.5):
            _scatter_cushion(d, x, seat + 0.12)
    return "Frontal"


def _scatter_cushion(d, x, y):
    t = np.pi * (0.25 + 0.5 * np.arange(4)) + d.uniform(-0.3, 0.3)
    square = polygon(*np.stack([x + 0.13 * np.cos(t), y + 0.13 * np.sin(t)], axis=1))
    d.texture(d.fill(square, d.trim, edge=0.014), plain=0.5, color=d.trim)


def tvmonitor(d):
    """A screen with a picture on it in a frame: flat on a stand, or an old set with an antenna."""
    screen = d.pick(_flat_screen, _flat_screen, _old_set)(d, d.uniform(0.6, 0.78))
    _picture(d, screen)
    return "Frontal"


def _flat_screen(d, top):
    neck = d.uniform(0.04, 0.08)
    d.fill(polygon((0.5 - neck, 0.05), (0.5 + neck, 0.05), (0.48 + neck, 0.2), (0.52 - neck, 0.2)), d.trim)
    foot = d.uniform(0.18, 0.28)
    d.fill(d.pick(ellipse(0.5, 0.03, foot, 0.035), box(0.5 - foot, 0.0, 0.5 + foot, 0.05, 0.02)), d.trim)
    d.fill(box(0, 0.14, 1, top, 0.03), d.body)
    frame = d.uniform(0.035, 0.06)
    return box(frame, 0.15 + frame, 1 - frame, top - frame, 0.01)


def _old_set(d, top):
    for s in (-1, 1):
        tip = (0.5 + s * d.uniform(0.15, 0.28), top + d.uniform(0.2, 0.3))
        d.line([(0.5, top - 0.02), tip], d.ink, 0.025)
    for x in (0.15, 0.85):
        d.line([(x, 0.12), (x + 0.08 * (x - 0.5), 0.0)], d.ink, 0.05)
    d.fill(box(0, 0.1, 1, top, 0.06), d.body)
    for y in (top - 0.14, top - 0.27):
        d.fill(ellipse(0.87, y, 0.045), d.detail)
    for y in (0.2, 0.25, 0.3):
        d.line([(0.81, y), (0.93, y)], d.ink, 0.018)
    return box(0.07, 0.17, 0.74, top - 0.07, 0.09)


def _picture(d, screen):
    """Something on the screen: a landscape, bars, or a plain glass with a reflection."""
    x0, y0, x1, y1 = screen.get_extents().extents
    w, h = x1 - x0, y1 - y0
    glass = d.color(d.body, gap=0.3)
    parts = d.fill(screen, glass, edge=0.014)
    kind = d.pick("landscape", "bars", "plain")
    if kind == "landscape":
        d.inside(parts, [ellipse(x0 + d.uniform(0.2, 0.8) * w, y0 + 0.72 * h, 0.13 * h)], d.color(glass))
        ridge = [(x0 + t * w, y0 + d.uniform(0.2, 0.6) * h) for t in np.linspace(0, 1, 5)]
        d.inside(parts, [polygon((x0, y0), *ridge, (x1, y0))], d.color(glass))
    elif kind == "bars":
        for i in range(6):
            d.inside(parts, [box(x0 + i * w / 6, y0, x0 + (i + 1) * w / 6 + 0.002, y1)], d.color(gap=0))
    else:
        at = x0 + w * np.array([0.1, 0.3, 0.65, 0.45])
        d.inside(parts, [polygon(*zip(at, (y0, y0, y1, y1), strict=True))], shade(glass, 1.35))
