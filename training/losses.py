"""The losses of joint training, each with its weight, and what they count for the log."""

import torch
from torch import Tensor
from torch.nn import functional

from training.batches import Batch
from training.log import Log
from vl_core.datasets.scenes import N_CANDIDATES
from vl_core.families.kdvlp import KDVLPForTasks

WEIGHTS = {
    "answers": 1.0,
    "matching": 0.3,
    "words": 0.5,
    "masked_objects": 0.3,
    "alignment": 0.25,
    "early_alignment": 0.25,
    "phrase_objects": 0.4,
    "candidates": 0.7,
    "sources": 1.5,
}
"""Answers; image-text matching; masked language modelling; object-guided masked vision modelling;
phrase-region alignment on the last hidden states and on the alignment layer's; and what a phrase's
tokens know of the object that it names, at the alignment layer (object labels distilled into the
text, an addition of ours); the right one of four candidates; whether a source is relevant."""

_PHRASE_LABEL_WEIGHTS = (1.0, 1.0, 1.0, 0.5, 0.5)  # shape, color, size, row, column


def losses(model: KDVLPForTasks, batch: Batch, log: Log) -> dict[str, Tensor]:
    """Weighted losses of a batch, those without a target left out."""
    encoded = model.kdvlp(
        batch.input_ids,
        batch.attention_mask,
        batch.token_type_ids,
        cells=batch.cells,
        masked_cells=batch.masked_cells,
        cell_tags=batch.cell_tags,
        output_hidden_states=True,
    )
    last = encoded.last_hidden_state
    early = encoded.hidden_states[model.config.alignment_layer]
    early = functional.layer_norm(early, early.shape[-1:])
    found = (
        _answers(model, last, batch, log)
        | _matching(model, last, batch, log)
        | _words(model, last, batch, log)
        | _masked_objects(model, last, batch, log)
        | _alignment(model, last, early, batch, log)
        | _phrase_objects(model, early, batch, log)
        | _candidates(model, last, batch, log)
        | _sources(model, last, batch, log)
    )
    return {name: WEIGHTS[name] * loss for name, loss in found.items()}


def _answers(model: KDVLPForTasks, last: Tensor, batch: Batch, log: Log) -> dict[str, Tensor]:
    asked = [number for number, row in enumerate(batch.rows) if row.answer is not None]
    if not asked:
        return {}
    targets = torch.tensor([batch.rows[number].answer for number in asked], device=last.device)
    logits = model.answers(last[asked, 0]).float()
    right = (logits.argmax(-1) == targets).tolist()
    log.count("all", right)
    for number, is_right in zip(asked, right, strict=True):
        log.count(batch.rows[number].kind, [is_right])
    return {"answers": functional.cross_entropy(logits, targets)}


def _matching(model: KDVLPForTasks, last: Tensor, batch: Batch, log: Log) -> dict[str, Tensor]:
    asked = [number for number, row in enumerate(batch.rows) if row.matches is not None]
    if not asked:
        return {}
    targets = torch.tensor(
        [int(batch.rows[number].matches) for number in asked], device=last.device
    )
    logits = model.matching(last[asked, 0]).float()
    # Captions and sources are never in one part of a step.
    name = "shows asked" if batch.rows[asked[0]].is_relevant is not None else "matching"
    log.count(name, (logits.argmax(-1) == targets).tolist())
    return {"matching": functional.cross_entropy(logits, targets)}


def _words(model: KDVLPForTasks, last: Tensor, batch: Batch, log: Log) -> dict[str, Tensor]:
    is_masked = batch.word_targets >= 0
    if not is_masked.any():
        return {}
    targets = batch.word_targets[is_masked]
    logits = model.word_logits(last[:, : is_masked.shape[1]][is_masked]).float()
    log.count("masked words", (logits.argmax(-1) == targets).tolist())
    return {"words": functional.cross_entropy(logits, targets)}


def _masked_objects(
    model: KDVLPForTasks, last: Tensor, batch: Batch, log: Log
) -> dict[str, Tensor]:
    if not len(batch.object_places):
        return {}
    rows, cells = batch.object_places.T
    logits = model.masked_objects.labels(last[rows, batch.input_ids.shape[1] + cells])
    log.count("masked objects", _all_right(logits[:2], batch.object_targets))
    return {"masked_objects": _label_loss(logits, batch.object_targets)}


def _alignment(
    model: KDVLPForTasks, last: Tensor, early: Tensor, batch: Batch, log: Log
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    if not len(batch.phrases):
        return found
    for name, head, hidden in (
        ("alignment", model.alignment, last),
        ("early_alignment", model.early_alignment, early),
    ):
        rows = batch.phrases[:, 0]
        cells = hidden[rows, batch.input_ids.shape[1] :]
        logits = head(_phrase_vectors(hidden, batch), cells)
        logits = logits.masked_fill(~batch.cells.mask[rows], -30.0)
        log.count(
            name,
            (batch.phrase_cells.gather(1, logits.argmax(-1, keepdim=True)) > 0).flatten().tolist(),
        )
        targets = batch.phrase_cells / batch.phrase_cells.sum(-1, keepdim=True).clamp(min=1)
        found[name] = -(targets * logits.log_softmax(-1)).sum(-1).mean()
    return found


def _phrase_objects(
    model: KDVLPForTasks, early: Tensor, batch: Batch, log: Log
) -> dict[str, Tensor]:
    if not len(batch.named):
        return {}
    logits = model.phrase_objects.labels(_phrase_vectors(early, batch)[batch.named])
    log.count("phrase objects", _all_right(logits[:2], batch.named_targets))
    return {"phrase_objects": _label_loss(logits, batch.named_targets, _PHRASE_LABEL_WEIGHTS)}


def _candidates(model: KDVLPForTasks, last: Tensor, batch: Batch, log: Log) -> dict[str, Tensor]:
    asked = [number for number, row in enumerate(batch.rows) if row.is_right is not None]
    if not asked:
        return {}
    is_right = torch.tensor([batch.rows[number].is_right for number in asked], device=last.device)
    targets = is_right.view(-1, N_CANDIDATES).int().argmax(-1)
    scores = model.candidate(last[asked, 0]).float().view(-1, N_CANDIDATES)
    for number, right in zip(asked[::N_CANDIDATES], scores.argmax(-1) == targets, strict=True):
        log.count(batch.rows[number].kind, [bool(right)])
    return {"candidates": functional.cross_entropy(scores, targets)}


def _sources(model: KDVLPForTasks, last: Tensor, batch: Batch, log: Log) -> dict[str, Tensor]:
    asked = [number for number, row in enumerate(batch.rows) if row.is_relevant is not None]
    if not asked:
        return {}
    targets = torch.tensor(
        [float(batch.rows[number].is_relevant) for number in asked], device=last.device
    )
    scores = model.source(last[asked, 0]).float()[:, 0]
    log.count("relevance", ((scores > 0) == (targets > 0)).tolist())
    # By itself, as it is used; and among those of its question, which differ in little.
    groups = scores.view(-1, batch.rows[asked[0]].n_sources)
    among = functional.cross_entropy(groups, targets.view(groups.shape))
    log.count("best source", (groups.argmax(-1) == targets.view(groups.shape).argmax(-1)).tolist())
    alone = functional.binary_cross_entropy_with_logits(scores, targets)
    return {"sources": alone + 0.5 * among}


def _phrase_vectors(hidden: Tensor, batch: Batch) -> Tensor:
    """The mean of each phrase's tokens: phrase x width."""
    rows, starts, ends = batch.phrases.T
    index = torch.arange(batch.input_ids.shape[1], device=hidden.device)
    inside = ((index >= starts[:, None]) & (index < ends[:, None])).to(hidden.dtype)
    text = hidden[rows, : batch.input_ids.shape[1]]
    return torch.bmm(inside[:, None], text)[:, 0] / (ends - starts)[:, None]


def _label_loss(
    logits: tuple[Tensor, ...], targets: Tensor, weights: tuple[float, ...] = (1.0, 1.0, 1.0)
) -> Tensor:
    parts = zip(logits, targets.T, weights, strict=True)
    return sum(
        weight * functional.cross_entropy(part.float(), target) for part, target, weight in parts
    )


def _all_right(logits: tuple[Tensor, ...], targets: Tensor) -> list[bool]:
    """Whether shape and color are both right."""
    right = [part.argmax(-1) == target for part, target in zip(logits, targets.T, strict=False)]
    return torch.stack(right).all(0).tolist()
