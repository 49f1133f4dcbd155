"""What can be had without looking: a classifier of the question's words alone."""

import random
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.questions import Asked
from vl_core.datasets.scenes import ANSWERS, QUESTION_TYPES, TRAINING_SEEDS, question, scene

_BUCKETS = 2**15
_EPOCHS = 3
_SEED = 5


class QuestionOnly(nn.Module):
    """Hashed words, pairs and triples of words, summed, then one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(_BUCKETS, 64, mode="sum")
        self.output = nn.Linear(64, len(ANSWERS))

    def forward(self, texts: list[str]) -> Tensor:
        """Logits (text, answer)."""
        bags = [_ngrams(text) for text in texts]
        starts = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
        return self.output(
            functional.relu(self.table(torch.tensor(list(chain.from_iterable(bags))), starts))
        )


def trained_question_only(n_questions: int) -> QuestionOnly:
    """Trained on questions about training scenes."""
    torch.manual_seed(_SEED)
    rng = random.Random(_SEED)
    texts, answers = _training_questions(rng, n_questions)
    model = QuestionOnly()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(_EPOCHS):
        order = rng.sample(range(len(texts)), len(texts))
        for start in range(0, len(order), 256):
            batch = order[start : start + 256]
            loss = functional.cross_entropy(
                model([texts[number] for number in batch]), answers[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


@torch.inference_mode()
def guesses(model: QuestionOnly, asked: list[Asked]) -> list[str]:
    """The answer that the words alone suggest."""
    logits = model([one.question.text for one in asked])
    return [ANSWERS[index] for index in logits.argmax(-1).tolist()]


def _training_questions(rng: random.Random, number: int) -> tuple[list[str], Tensor]:
    texts, answers = [], []
    for seed in TRAINING_SEEDS:
        drawn = scene(seed)
        for question_type in QUESTION_TYPES:
            asked = question(drawn, question_type, rng)
            if asked:
                texts.append(asked.text)
                answers.append(ANSWERS.index(asked.answer))
        if len(texts) >= number:
            break
    return texts, torch.tensor(answers)


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
