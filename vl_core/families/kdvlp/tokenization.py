"""A word-level tokenizer, for models whose vocabulary is a list of words."""

from collections.abc import Iterable

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
OBJECT_TAGS = tuple(
    f"[{number}]" for number in range(1, 7)
)  # name an object by the number of its box


def word_level_tokenizer(words: Iterable[str], max_length: int) -> PreTrainedTokenizerFast:
    """Lower case, split at spaces and punctuation; a word that is not in the list becomes [UNK].

    One text becomes `[CLS] text [SEP]`; a pair `[CLS] question [SEP] candidate [SEP]`, the
    candidate of token type 2.
    """
    pieces = dict.fromkeys((*SPECIAL_TOKENS, *OBJECT_TAGS, *words))
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a word piece, no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([*SPECIAL_TOKENS, *OBJECT_TAGS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:2 [SEP]:2",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106 - a word piece, no password
        unk_token="[UNK]",  # noqa: S106 - a word piece, no password
        cls_token="[CLS]",  # noqa: S106 - a word piece, no password
        sep_token="[SEP]",  # noqa: S106 - a word piece, no password
        mask_token="[MASK]",  # noqa: S106 - a word piece, no password
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask", "token_type_ids"],
    )
