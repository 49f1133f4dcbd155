"""Heads: shapes and formulas."""

import torch
from torch.nn import functional

from tests.families.kdvlp.small import small_model
from vl_core.families.kdvlp.heads import LabelHead


def test_label_head_gives_one_slice_per_label():
    """The slices have their number of classes each and are the parts of one linear layer."""
    head = LabelHead(11, (4, 7, 2))
    hidden = torch.randn(5, 3, 11)
    slices = head.labels(hidden)

    assert [part.shape for part in slices] == [(5, 3, 4), (5, 3, 7), (5, 3, 2)]
    torch.testing.assert_close(slices[1], hidden @ head.weight[4:11].T + head.bias[4:11])


def test_alignment_is_a_scaled_cosine():
    """Each logit is the cosine of phrase and cell in the common space, times the scale."""
    head = small_model().alignment
    phrases, cells = torch.randn(3, 24), torch.randn(3, 7, 24)
    logits = head(phrases, cells)

    assert logits.shape == (3, 7)
    expected = functional.cosine_similarity(head.phrase(phrases)[2], head.cell(cells)[2, 5], dim=0)
    torch.testing.assert_close(logits[2, 5], expected * head.log_scale.exp())


def test_word_logits_use_the_word_table():
    """A word's logit moves with its row of the word table: the head is tied to the embeddings."""
    model = small_model()
    hidden = torch.randn(4, 24)
    before = model.word_logits(hidden)
    with torch.no_grad():
        model.kdvlp.get_input_embeddings().weight[5] += 1
    changed = (model.word_logits(hidden) - before).abs().sum(0) > 0

    assert before.shape == (4, model.config.vocab_size)
    assert changed.nonzero().flatten().tolist() == [5]
