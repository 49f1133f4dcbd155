"""KD-VLP-style models, known to transformers' Auto classes once this is imported."""

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForPreTraining,
    AutoModelForVisualQuestionAnswering,
    AutoProcessor,
)

from .configuration import KDVLPConfig
from .image_processing import KDVLPImageProcessor
from .modelling import KDVLPForTasks, KDVLPModel
from .processing import KDVLPProcessor
from .tokenization import word_level_tokenizer

AutoConfig.register(KDVLPConfig.model_type, KDVLPConfig, exist_ok=True)
AutoModel.register(KDVLPConfig, KDVLPModel, exist_ok=True)
AutoModelForPreTraining.register(KDVLPConfig, KDVLPForTasks, exist_ok=True)
AutoModelForVisualQuestionAnswering.register(KDVLPConfig, KDVLPForTasks, exist_ok=True)
AutoImageProcessor.register(
    KDVLPConfig, slow_image_processor_class=KDVLPImageProcessor, exist_ok=True
)
AutoProcessor.register(KDVLPConfig, KDVLPProcessor, exist_ok=True)

__all__ = [
    "KDVLPConfig",
    "KDVLPForTasks",
    "KDVLPImageProcessor",
    "KDVLPModel",
    "KDVLPProcessor",
    "word_level_tokenizer",
]
