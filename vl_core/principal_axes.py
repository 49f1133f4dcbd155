"""The directions in which points differ most, without a table of point x point or width x width.

Block Lanczos: the points are gone through once for each block of directions, so that they may come
in parts and need not lie in memory together.
"""

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Float32

Part = Float32[np.ndarray, "_ width"]  # some of the points, as many as there are
Basis = Float32[np.ndarray, "width direction"]

SEED = 0
SPARE = 22  # directions beyond those that are wanted; they make the wanted ones come sooner
TOLERANCE = 2e-4  # of the largest eigenvalue: what an axis may still be off
DEPENDENT = 1e-5  # of its length: what is left of a direction that the others already span


def principal_axes(parts: Iterable[Part], width: int, count: int) -> Basis:
    """Orthonormal axes of largest variance, the largest first: width x count.

    parts: points that are centred already, gone through several times. Always the same axes for
    the same points, up to rounding; where variances are equal, any axes of their plane.
    """

    def spread(basis: Basis) -> Basis:
        found = np.zeros_like(basis)
        for part in parts:
            found += part.T @ (part @ basis)
        return found

    return _leading(spread, width, min(count, width))


def _leading(spread: Callable[[Basis], Basis], width: int, count: int) -> Basis:
    """The leading eigenvectors of a symmetric map, from an orthonormal basis that grows by blocks.

    Ends at the latest when the basis spans all there is, where the result is exact.
    """
    block = min(count + SPARE, width)
    start = np.random.default_rng(SEED).normal(size=(width, block)).astype(np.float32)
    basis = np.linalg.qr(start)[0]
    image = spread(basis)
    while True:
        values, turn = np.linalg.eigh(basis.T @ image)
        top = turn[:, ::-1][:, :count]
        axes = basis @ top
        off = np.linalg.norm(image @ top - axes * values[::-1][:count], axis=0)
        if (off <= TOLERANCE * values[-1]).all():
            return axes
        added = _added(image[:, -block:], basis)
        if not added.shape[1]:
            return axes
        basis = np.concatenate([basis, added], axis=1)
        image = np.concatenate([image, spread(added)], axis=1)


def _added(
    image: Basis, basis: Float32[np.ndarray, "width known"]
) -> Float32[np.ndarray, "width added"]:
    """Orthonormal directions of the image that the basis does not span; there may be none."""
    scale = np.linalg.norm(image, axis=0).max()
    left = image - basis @ (basis.T @ image)
    directions, triangle = np.linalg.qr(left - basis @ (basis.T @ left))
    directions = directions[:, np.abs(np.diag(triangle)) > DEPENDENT * scale]
    # Short remainders are mostly rounding, which does not lie outside the basis by itself.
    directions = np.linalg.qr(directions - basis @ (basis.T @ directions))[0]
    return directions[:, : max(0, len(basis) - basis.shape[1])]
