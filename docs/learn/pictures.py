"""Pictures for the course, as plain SVG: curves, a landscape with a path, rows of images, and the shape of a network.

Colours are attributes, so that the pictures stand without a stylesheet; a white ground keeps them legible in the dark.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

COLOURS = ("#1f5fa8", "#c2521c", "#2f7d32", "#7b3fa0", "#8a6d00")
VERDICTS = {"passed": "#2f7d32", "failed": "#b3261e", "skipped": "#6b6b6b", "inconclusive": "#8a6d00"}
INK, PALE = "#222222", "#d9d9d9"
WIDTH, HEIGHT, MARGIN = 560, 320, 52


def curves(
    path: str, series: Mapping[str, tuple[ArrayLike, ArrayLike]], *, title: str, x: str, y: str, dots: bool = False
) -> None:
    """Lines (or dots) by name, in one frame with its axes.

    Args:
        path: the .svg to write.
        series: name -> (xs, ys), of one length each.
        title, x, y: what is shown, and what the axes are.
        dots: points instead of lines.
    """
    points = {name: np.column_stack([np.asarray(a, float) for a in pair]) for name, pair in series.items()}
    every = np.concatenate(list(points.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    body = [_axes(low, high, x, y)]
    for number, (name, values) in enumerate(points.items()):
        colour, at = COLOURS[number % len(COLOURS)], _place(values, low, high)
        if dots:
            body += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}" fill-opacity="0.7"/>' for a, b in at]
        else:
            body.append(f'<polyline points="{_points(at)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(points) > 1:
            body.append(_text(WIDTH - 8, 20 + 14 * number, name, colour, "end"))
    _write(path, title, WIDTH, HEIGHT, body)


def landscape(
    path: str, heights: ArrayLike, xs: ArrayLike, ys: ArrayLike, way: ArrayLike, *, title: str, x: str, y: str
) -> None:
    """A surface seen from above, darker where it is lower, with a path over it.

    Args:
        path: the .svg to write.
        heights: (len(ys), len(xs)).
        xs, ys: where the heights stand.
        way: the path, (steps, 2).
        title, x, y: what is shown, and what the axes are.
    """
    heights, xs, ys, way = (np.asarray(values, float) for values in (heights, xs, ys, way))
    low, high = np.array([xs[0], ys[0]]), np.array([xs[-1], ys[-1]])
    ranks = np.searchsorted(np.quantile(heights, np.linspace(0, 1, 13)[1:-1]), heights)
    (left, bottom), (right, top) = _place(np.array([low, high]), low, high)
    cell_w, cell_h = (right - left) / len(xs), (bottom - top) / len(ys)
    body = []
    for row, column in np.ndindex(heights.shape):
        shade = int(110 + 12 * ranks[row, column])
        corner = f'x="{left + column * cell_w:.1f}" y="{bottom - (row + 1) * cell_h:.1f}"'
        fill = f"#{shade - 60:02x}{shade - 20:02x}{min(shade + 20, 255):02x}"
        body.append(f'<rect {corner} width="{cell_w + 0.3:.1f}" height="{cell_h + 0.3:.1f}" fill="{fill}"/>')
    at = _place(way, low, high)
    body.append(f'<polyline points="{_points(at)}" fill="none" stroke="#ffffff" stroke-width="2"/>')
    body += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="#c2521c"/>' for a, b in at]
    body.append(_axes(low, high, x, y))
    _write(path, title, WIDTH, HEIGHT, body)


def images(path: str, rows: Mapping[str, Sequence[ArrayLike]], *, title: str, size: int = 72) -> None:
    """Rows of grey images, each row with its name; every image is stretched to its own darkest and brightest.

    Args:
        path: the .svg to write.
        rows: name -> images (height, width).
        title: what is shown.
        size: pixels an image takes on the page.
    """
    body, widest = [], max(len(row) for row in rows.values())
    for number, (name, row) in enumerate(rows.items()):
        top = 40 + number * (size + 30)
        body.append(_text(12, top + 12, name, INK, "start"))
        for place, image in enumerate(row):
            body.append(_pixels(np.asarray(image, float), 12 + place * (size + 6), top + 18, size))
    _write(path, title, 24 + widest * (size + 6), 50 + len(rows) * (size + 30), body)


def network(path: str, layers: Sequence[tuple[str, int]], *, title: str) -> None:
    """Layers from left to right as columns of units; more than eight are drawn as eight.

    Args:
        path: the .svg to write.
        layers: (name, units) from the input to the output.
        title: what is shown.
    """
    body, centres = [], []
    for number, (name, units) in enumerate(layers):
        shown, across = min(units, 8), 70 + number * (WIDTH - 140) / max(len(layers) - 1, 1)
        centres.append([(across, 160 + 24 * (place - (shown - 1) / 2)) for place in range(shown)])
        body.append(_text(across, HEIGHT - 18, f"{name}: {units}", INK, "middle"))
    for here, there in pairwise(centres):
        body += [
            f'<line x1="{a:.0f}" y1="{b:.0f}" x2="{c:.0f}" y2="{d:.0f}" stroke="{PALE}"/>'
            for a, b in here
            for c, d in there
        ]
    for column in centres:
        body += [f'<circle cx="{a:.0f}" cy="{b:.0f}" r="8" fill="#ffffff" stroke="{COLOURS[0]}"/>' for a, b in column]
    _write(path, title, WIDTH, HEIGHT, body)


def layers(path: str, boxes: Sequence[tuple[str, str]], *, title: str) -> None:
    """A row of boxes from input to output, each with its verdict in its own colour and in words.

    Args:
        path: the .svg to write.
        boxes: (name, verdict) from the input on; a verdict is "passed", "failed", "skipped" or "inconclusive".
        title: what is shown.
    """
    body, width = [], (WIDTH - 24) / max(len(boxes), 1)
    for number, (name, verdict) in enumerate(boxes):
        colour, left = VERDICTS.get(verdict, PALE), 12 + number * width
        place = f'x="{left:.1f}" y="44" width="{width - 10:.1f}" height="52" rx="4"'
        body.append(f'<rect {place} fill="#ffffff" stroke="{colour}" stroke-width="3"/>')
        body.append(_text(left + width / 2 - 5, 66, name, INK, "middle"))
        body.append(_text(left + width / 2 - 5, 84, verdict, colour, "middle"))
        if number:
            body.append(f'<path d="M{left - 9:.1f},70h8" stroke="{INK}"/>')
    _write(path, title, WIDTH, 112, body)


def _pixels(image: np.ndarray, left: float, top: float, size: int) -> str:
    spread = image.max() - image.min()
    grey = np.round(255 * (image - image.min()) / (spread if spread > 0 else 1)).astype(np.uint8)
    place = f'x="{left:.0f}" y="{top:.0f}" width="{size}" height="{size}" style="image-rendering:pixelated"'
    return f'<image {place} href="data:image/png;base64,{b64encode(_png(grey)).decode()}"/>'


def _png(grey: np.ndarray) -> bytes:
    """Grey pixels (height, width) as a PNG file.

    Source: W3C, Portable Network Graphics, sections 5 and 11.
    """

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = grey.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits of grey
    lines = b"".join(b"\0" + line.tobytes() for line in grey)  # each line says that it is not filtered
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def _place(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Values as points on the page."""
    share = (values - low) / np.where(high > low, high - low, 1)
    return np.column_stack(
        [MARGIN + share[:, 0] * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - share[:, 1] * (HEIGHT - 2 * MARGIN)]
    )


def _points(at: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in at)


def _axes(low: np.ndarray, high: np.ndarray, x: str, y: str) -> str:
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
    return "".join([
        f'<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="{INK}"/>',
        _text(left, bottom + 16, f"{low[0]:.3g}", INK, "middle"),
        _text(right, bottom + 16, f"{high[0]:.3g}", INK, "middle"),
        _text(left - 6, bottom, f"{low[1]:.3g}", INK, "end"),
        _text(left - 6, top + 4, f"{high[1]:.3g}", INK, "end"),
        _text((left + right) / 2, bottom + 34, x, INK, "middle"),
        _text(left, top - 10, y, INK, "start"),
    ])  # fmt: skip


def _text(x: float, y: float, words: str, colour: str, anchor: str) -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text {place} font-family="sans-serif" font-size="12">{escape(words)}</text>'


def _write(path: str, title: str, width: float, height: float, body: Sequence[str]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    name = f"<title>{escape(title)}</title>"
    ground = f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>'
    heading = _text(12, 20, title, INK, "start")
    Path(path).write_text("\n".join([head, name, ground, heading, *body, "</svg>\n"]), encoding="utf-8")
