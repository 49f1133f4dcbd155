"""The processor: a picture and a text in, everything that the model is fed out."""

from transformers import ProcessorMixin


class KDVLPProcessor(ProcessorMixin):
    """Image processor and tokenizer as one; works offline and without torchvision."""

    def __init__(
        self, image_processor: object = None, tokenizer: object = None, **kwargs: object
    ) -> None:
        super().__init__(image_processor, tokenizer, **kwargs)
