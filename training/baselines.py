"""What can be had without looking: scores read off the words alone."""

import random
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from vl_core.datasets.scenes import (
    ANSWERS,
    N_CANDIDATES,
    QUESTION_TYPES,
    TRAINING_SEEDS,
    Choices,
    caption,
    choice_items,
    question,
    scene,
    sourced_items,
    spoken,
    wrong_caption,
)

_BUCKETS = 2**15
_EPOCHS = 3
_BATCH = 256
_SEED = 5


class Words(nn.Module):
    """Hashed words, pairs and triples of words, summed, then one hidden layer."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(_BUCKETS, 64, mode="sum")
        self.output = nn.Sequential(nn.ReLU(), nn.Linear(64, n_outputs))

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Scores (text, output)."""
        bags = [_ngrams(text) for text in texts]
        starts = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
        return self.output(self.table(torch.tensor(list(chain.from_iterable(bags))), starts))

    @torch.inference_mode()
    def scores(self, texts: Sequence[str]) -> Tensor:
        """The same, in use."""
        pieces = range(0, len(texts), 4096)
        return torch.cat([self(texts[start : start + 4096]) for start in pieces])


def question_only(n_questions: int) -> Words:
    """A score for each of the ANSWERS, from the question."""
    rng, texts, targets = random.Random(_SEED), [], []
    for seed in TRAINING_SEEDS:
        drawn = scene(seed)
        for question_type in QUESTION_TYPES:
            asked = question(drawn, question_type, rng)
            if asked:
                texts.append(asked.text)
                targets.append(ANSWERS.index(asked.answer))
        if len(texts) >= n_questions:
            break
    return _trained(len(ANSWERS), texts, torch.tensor(targets), 1)


def candidates_only(n_items: int, *, rationales: bool, with_question: bool) -> Words:
    """A score for an answer or a rationale, with or without what it answers."""
    texts, targets = [], []
    for item in choice_items(TRAINING_SEEDS, n_items):
        asked = item.asked
        label = asked.rationale_label if rationales else asked.answer_label
        texts += candidate_texts(asked, rationales=rationales, with_question=with_question)
        targets.append(label)
    return _trained(1, texts, torch.tensor(targets), N_CANDIDATES)


def candidate_texts(asked: Choices, *, rationales: bool, with_question: bool) -> list[str]:
    """The four candidates as the baselines read them."""
    context = ""
    if with_question:
        context = spoken(asked.question)
        if rationales:
            context += " | " + spoken(asked.answers[asked.answer_label])
    candidates = asked.rationales if rationales else asked.answers
    return [f"{context} | {spoken(one)}" for one in candidates]


def sources_only(n_items: int) -> Words:
    """Whether a source is relevant, from the question and the source's text."""
    texts, targets = [], []
    for item in sourced_items(TRAINING_SEEDS, n_items):
        for source in item.asked.sources:
            texts.append(source_text(item.asked.text, source.text, has_picture=bool(source.scene)))
            targets.append(float(source.is_gold))
    return _trained(1, texts, torch.tensor(targets), 1)


def source_text(question_text: str, text: str, *, has_picture: bool) -> str:
    """A source as the baseline reads it, with the place that both name or do not."""
    words = set(question_text.replace("?", "").split())
    shared = " ".join(f"both_{word}" for word in text.replace(".", "").split() if word in words)
    return f"{question_text} | {'picture' if has_picture else 'text'} | {text} | {shared}"


def captions_only(n_captions: int) -> Words:
    """Whether a caption is true, from its words."""
    rng, texts, targets = random.Random(_SEED), [], []
    for seed in TRAINING_SEEDS[:n_captions]:
        drawn = scene(seed)
        said = (wrong_caption(drawn, rng) if rng.random() < 0.5 else None) or caption(drawn, rng)
        texts.append(said.text)
        targets.append(float(said.matches))
    return _trained(1, texts, torch.tensor(targets), 1)


def _trained(n_outputs: int, texts: list[str], targets: Tensor, group: int) -> Words:
    """Trained on texts, of which each `group` in a row share a target."""
    torch.manual_seed(_SEED)
    rng, model = random.Random(_SEED), Words(n_outputs)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(_EPOCHS):
        order = rng.sample(range(len(targets)), len(targets))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            chosen = [texts[n * group + place] for n in batch for place in range(group)]
            loss = _loss(model(chosen), targets[batch], group)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


def _loss(scores: Tensor, targets: Tensor, group: int) -> Tensor:
    if targets.is_floating_point():
        return functional.binary_cross_entropy_with_logits(scores[:, 0], targets)
    return functional.cross_entropy(scores.view(len(targets), -1) if group > 1 else scores, targets)


def _ngrams(text: str) -> list[int]:
    words = ["<", *text.replace("?", " ?").split(), ">"]
    grams = [
        " ".join(words[start : start + length])
        for length in (1, 2, 3)
        for start in range(len(words) - length + 1)
    ]
    return [_hashed(gram) for gram in grams]


def _hashed(gram: str) -> int:
    """A bucket that does not change from run to run, as that of Python's own hash does."""
    value = 0
    for byte in gram.encode():
        value = (value * 257 + byte) % 2_147_483_647
    return value % _BUCKETS
