"""PaliGemma and PaliGemma 2: picture and question are read in both directions, the answer in one.

The picture is squeezed into a square, and each patch of the tower is one token. All of picture and
question may look at each other ("prefix"); each token of the answer looks at what came before it.
A question is a task in few words, as the models were taught it: "answer en what is this?",
"caption en", "detect cat". In PaliGemma 2 half of the layers look back only so far from the
answer ("sliding window"), and scores are bent ("softcap").
"""

from pathlib import Path

import torch
from transformers import BatchFeature, PaliGemmaForConditionalGeneration

from vl_core.example import Example
from vl_core.families import Options, pairs, prompts
from vl_core.families.llava import Llava
from vl_core.families.loading import pretrained, readers

PREFIX, ANSWER = 0, 1  # kinds of token: read in both directions, and in one


class PaliGemma(Llava):
    """As LLaVA a tower and a language model, here SigLIP and one of the Gemma or Gemma 2 kind."""

    def prompt(self, example: Example) -> prompts.Prompt:
        """As of any decoder; raises ImageError without a picture, which it always reads."""
        pairs.picture(example)
        return super().prompt(example)

    def inputs(self, example: Example) -> BatchFeature:
        """As of any decoder, all but a candidate to be read in both directions."""
        inputs = super().inputs(example)
        inputs["token_type_ids"] = torch.full_like(inputs["input_ids"], PREFIX)
        if "logits_to_keep" in inputs:
            inputs["token_type_ids"][:, -len(inputs["logits_to_keep"]) :] = ANSWER
        return inputs

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """As of any decoder, the answer to be read in one direction."""
        answered = super().answered(inputs)
        answered["token_type_ids"][:, inputs["input_ids"].shape[1] :] = ANSWER
        return answered


def load(path: Path, options: Options) -> PaliGemma:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    model = pretrained(PaliGemmaForConditionalGeneration, path, options, strict=False)
    tokenizer, pictures = readers(path)
    # The first token stands behind the picture, where the published processor writes it.
    tokenizer.add_bos_token = tokenizer.add_eos_token = False
    sign = tokenizer.convert_ids_to_tokens(model.config.image_token_id)
    template = prompts.own_template(f"{sign}{tokenizer.bos_token}{{question}}\n")
    return PaliGemma(model, tokenizer, pictures, {True: template}, "paligemma")
