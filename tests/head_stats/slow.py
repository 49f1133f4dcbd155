"""Every built-in statistic, slower but as it is defined: one head, one query, one key at a time.

A function takes a `Head` and yields the values whose mean is the statistic; or it returns the
number itself where it is a ratio of two means.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

MISSING = math.nan


@dataclass
class Head:
    """One head's rows after padding, and perhaps special tokens, have been dropped."""

    case: object
    rows: dict  # query -> {allowed key: weight}, the weights summing to one
    with_specials: bool

    def queries(self, kind):
        """The queries of this kind that look anywhere."""
        return [q for q in self.rows if self.case.queries.kinds[q] == kind]

    def keys(self, kind):
        """All keys of this kind, allowed or not."""
        if kind == "special" and not self.with_specials:
            return []
        kinds, is_padding = self.case.keys.kinds, self.case.keys.is_padding
        return [k for k in range(len(kinds)) if kinds[k] == kind and not is_padding[k]]

    @property
    def is_self_attention(self):
        """Whether queries and keys are the same tokens."""
        return self.case.queries is self.case.keys


def head_of(case, layer, head, *, with_specials):
    """The rows of one head."""
    weights, allowed = case.weights[layer, head], case.allowed
    rows = {}
    for q in range(len(case.queries)):
        if case.queries.is_padding[q]:
            continue
        if not with_specials and case.queries.kinds[q] == "special":
            continue
        row = {}
        for k in range(len(case.keys)):
            if not allowed[q, k] or case.keys.is_padding[k]:
                continue
            if not with_specials and case.keys.kinds[k] == "special":
                continue
            row[k] = weights[q, k]
        left = sum(row.values())
        if left > 0:
            rows[q] = {k: weight / left for k, weight in row.items()}
    return Head(case, rows, with_specials)


def mean(values):
    """The mean; missing for no values."""
    values = list(values)
    return sum(values) / len(values) if values else MISSING


def ratio(above, below):
    """One divided by the other; missing without a divisor."""
    return above / below if below > 0 else MISSING


def mass(head, asking, offered):
    """Mean over queries of the sum over keys."""
    keys = head.keys(offered)
    if not keys:
        return MISSING
    return mean(sum(head.rows[q].get(k, 0) for k in keys) for q in head.queries(asking))


def mean_weight(head, asking, offered):
    """Mean over allowed pairs."""
    keys = head.keys(offered)
    return mean(head.rows[q][k] for q in head.queries(asking) for k in keys if k in head.rows[q])


def lift(head, asking, offered):
    """Mass over the mass of a uniform head."""
    keys = head.keys(offered)
    uniform = mean(
        sum(k in head.rows[q] for k in keys) / len(head.rows[q]) for q in head.queries(asking)
    )
    return ratio(mass(head, asking, offered), uniform)


def between(head, pairs):
    """Mean over the queries of several directions, those with such keys at all."""
    return mean(
        sum(head.rows[q].get(k, 0) for k in head.keys(offered))
        for asking, offered in pairs
        for q in head.queries(asking)
        if head.keys(offered)
    )


def cross_modal_mass(head):
    """Text on image and image on text."""
    return between(head, [("text", "image"), ("image", "text")])


def intra_modal_mass(head):
    """Text on text and image on image."""
    return between(head, [("text", "text"), ("image", "image")])


def special_share(head):
    """Text and image on special tokens."""
    return between(head, [("text", "special"), ("image", "special")])


def _others(head):
    """For each image query that looks anywhere else: the share of that on each other image key."""
    images = head.keys("image")
    for q in head.queries("image") if len(images) > 1 else ():
        elsewhere = sum(weight for k, weight in head.rows[q].items() if k != q)
        if elsewhere > 0:
            row = head.rows[q]
            yield [row[k] / elsewhere for k in images if k != q and k in row]


def without_self_mass(head):
    """Mean over image queries of the sum over other image keys."""
    if not head.is_self_attention:
        return MISSING
    return mean(sum(shares) for shares in _others(head))


def without_self_mean_weight(head):
    """Mean over pairs of different patches."""
    if not head.is_self_attention:
        return MISSING
    return mean(share for shares in _others(head) for share in shares)


def _entropy(row):
    return -sum(weight * math.log(weight) for weight in row.values() if weight > 0)


def entropy(head):
    """Entropy over its greatest value, where there is a choice."""
    return mean(_entropy(r) / math.log(len(r)) for r in head.rows.values() if len(r) > 1)


def entropy_in_nats(head):
    """Entropy of each query."""
    return mean(_entropy(row) for row in head.rows.values())


def concentration(head):
    """Gini: mean absolute difference over twice the mean."""
    values = []
    for row in head.rows.values():
        if len(row) > 1:
            weights = list(row.values())
            differences = sum(abs(a - b) for a in weights for b in weights)
            values.append(differences / (2 * len(weights) * sum(weights)))
    return mean(values)


def _step(head, steps):
    if not head.is_self_attention:
        return MISSING
    return mean(row[q - steps] for q, row in head.rows.items() if q - steps in row)


def diagonal(head):
    """Weight on itself."""
    return _step(head, 0)


def previous_token(head):
    """Weight on the token before."""
    return _step(head, 1)


def reach(head):
    """Distance between centres in patches; all patches of a test picture have one size."""
    if not head.is_self_attention:
        return MISSING
    boxes = head.case.keys.boxes
    placed = [k for k in head.keys("image") if not np.isnan(boxes[k]).any()]
    values = []
    for q in head.queries("image"):
        total = sum(head.rows[q].get(k, 0) for k in placed)
        if q not in placed or total == 0:
            continue
        distance = 0.0
        for k in placed:
            across = (boxes[q][0] - boxes[k][0]) / (boxes[q][2] - boxes[q][0])
            down = (boxes[q][1] - boxes[k][1]) / (boxes[q][3] - boxes[q][1])
            distance += head.rows[q].get(k, 0) * math.hypot(across, down)
        values.append(distance / total)
    return mean(values)


def _shared(boxes):
    """Area that all of these boxes have in common."""
    width = min(box[2] for box in boxes) - max(box[0] for box in boxes)
    height = min(box[3] for box in boxes) - max(box[1] for box in boxes)
    return max(width, 0) * max(height, 0)


def _fraction_inside(patch, boxes):
    """Part of the patch in any of the boxes: those in each, less those in two, and so on."""
    inside = sum(
        (-1) ** (count + 1) * _shared([patch, *chosen])
        for count in range(1, len(boxes) + 1)
        for chosen in itertools.combinations(boxes, count)
    )
    return inside / _shared([patch])


def _is_hit(patch, boxes):
    """A quarter of the patch is covered, or the center of a box lies in it or on its edge."""
    centers = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes]
    holds = any(patch[0] <= x <= patch[2] and patch[1] <= y <= patch[3] for x, y in centers)
    return holds or _fraction_inside(patch, boxes) >= 0.25


def _words(head):
    """Each word with its boxes."""
    case = head.case
    for q in head.queries("text"):
        first, end = case.queries.spans[q]
        boxes = [
            region.box
            for region in case.regions
            if region.span and first < region.span[1] and end > region.span[0]
        ]
        if boxes:
            yield q, boxes


def _class_token(head):
    """The first special token called [CLS], with the boxes of all that is asked about."""
    queries = head.case.queries
    specials = [
        q
        for q in range(len(queries))
        if queries.texts[q] == "[CLS]"
        and queries.kinds[q] == "special"
        and not queries.is_padding[q]
    ]
    boxes = [region.box for region in head.case.regions if region.is_asked]
    if boxes and specials and specials[0] in head.rows:
        yield specials[0], boxes


def _looks(head, asking):
    """For each query with boxes that looks at patches: these as (weight, fraction, is a hit)."""
    patches = head.case.keys.boxes
    images = [k for k in head.keys("image") if not np.isnan(patches[k]).any()]
    for q, boxes in asking(head):
        seen = [
            (head.rows[q][k], _fraction_inside(patches[k], boxes), _is_hit(patches[k], boxes))
            for k in images
            if k in head.rows[q]
        ]
        if sum(weight for weight, _, _ in seen) > 0:
            yield seen


def _energies(head, asking):
    """For each query that can look into its boxes: the share inside, and if it were uniform."""
    for seen in _looks(head, asking):
        uniform = sum(fraction for _, fraction, _ in seen) / len(seen)
        if uniform > 0:
            total = sum(weight for weight, _, _ in seen)
            yield sum(weight * fraction for weight, fraction, _ in seen) / total, uniform


def _points(head, asking):
    """For each query that can hit: which part of its strongest patches does."""
    for seen in _looks(head, asking):
        if any(is_hit for _, _, is_hit in seen):
            strongest = max(weight for weight, _, _ in seen)
            yield mean(is_hit for weight, _, is_hit in seen if weight == strongest)


def _areas(head, asking):
    """For each query that can hit and miss: the share of pairs in which the hit gets more."""
    for seen in _looks(head, asking):
        hits = [weight for weight, _, is_hit in seen if is_hit]
        misses = [weight for weight, _, is_hit in seen if not is_hit]
        if hits and misses:
            yield mean((hit > miss) + (hit == miss) / 2 for hit in hits for miss in misses)


def grounding(head):
    """Mean over words with a box."""
    return mean(share for share, _ in _energies(head, _words))


def grounding_lift(head):
    """Mean share over mean uniform share."""
    pairs = list(_energies(head, _words))
    return ratio(mean(share for share, _ in pairs), mean(u for _, u in pairs)) if pairs else MISSING


def pointing(head):
    """Mean over words with a box."""
    return mean(_points(head, _words))


def box_auc(head):
    """Mean over words with a box."""
    return mean(_areas(head, _words))


def class_grounding(head):
    """The class token's share."""
    return mean(share for share, _ in _energies(head, _class_token))


def class_pointing(head):
    """The class token's point."""
    return mean(_points(head, _class_token))


def class_auc(head):
    """The class token's area."""
    return mean(_areas(head, _class_token))


def statistics():
    """By key, the slow function of every built-in statistic."""
    found = {
        "cross_modal_mass": cross_modal_mass,
        "intra_modal_mass": intra_modal_mass,
        "special_share": special_share,
        "image_to_image_without_self_mass": without_self_mass,
        "image_to_image_without_self_mean_weight": without_self_mean_weight,
        "entropy": entropy,
        "entropy_in_nats": entropy_in_nats,
        "concentration": concentration,
        "diagonal": diagonal,
        "previous_token": previous_token,
        "reach": reach,
        "grounding": grounding,
        "grounding_lift": grounding_lift,
        "pointing": pointing,
        "box_auc": box_auc,
        "class_grounding": class_grounding,
        "class_pointing": class_pointing,
        "class_auc": class_auc,
    }
    for what, function in (("mass", mass), ("mean_weight", mean_weight), ("lift", lift)):
        for asking in ("text", "image"):
            for offered in ("text", "image"):
                found[f"{asking}_to_{offered}_{what}"] = _directed(function, asking, offered)
    return found


def _directed(function, asking, offered):
    return lambda head: function(head, asking, offered)


def head_maps(case, *, with_specials):
    """By key, layer x head of every statistic."""
    n_layers, n_heads = case.weights.shape[:2]
    heads = [
        [head_of(case, layer, head, with_specials=with_specials) for head in range(n_heads)]
        for layer in range(n_layers)
    ]
    return {
        key: np.array([[function(head) for head in layer] for layer in heads])
        for key, function in statistics().items()
    }
