"""Repositories whose weights are pickles: the hub's own conversion of them to safetensors.

Opening a pickle can run code, so such weights are never fetched. For many older models the hub's
converter has offered the same weights as safetensors, in a pull request that nobody merged.
"""

from huggingface_hub import HfApi

from vl_core.checkpoints.listing import Listed, Listing, has_weights, listing
from vl_core.checkpoints.naming import HubName
from vl_core.errors import ModelError

_CONVERTER = "SFconvertbot"


def converted(api: HfApi, name: HubName, held: Listing) -> Listing:
    """The commit of the pull request that offers these very weights as safetensors.

    Raises ModelError if there is none, and what huggingface_hub raises.
    """
    for request in api.get_repo_discussions(
        name.repository,
        author=_CONVERTER,
        discussion_type="pull_request",
        discussion_status="open",
    ):
        # Anybody may open a pull request; only the converter's is known to be of these weights.
        if request.author == _CONVERTER and request.git_reference:
            offered = listing(api, HubName(name.repository, request.git_reference))
            if has_weights(offered.files) and _pickles(offered) == _pickles(held):
                return offered
    raise ModelError(_refusal(name, held))


def _pickles(held: Listing) -> dict[str, Listed]:
    return {
        name: file
        for name, file in held.files.items()
        if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl"))
    }


def _refusal(name: HubName, held: Listing) -> str:
    if found := ", ".join(sorted(_pickles(held))[:3]):
        return (
            f"{name} has its weights as pickles only ({found}). Opening those can run code, so "
            "they are refused. Have them converted with the Space safetensors/convert at Hugging "
            "Face, or load a model that has safetensors."
        )
    return (
        f"{name} has no weights as safetensors: neither model.safetensors nor its index. Wanted: "
        "a model for transformers (no adapter, no GGUF, no ONNX)."
    )
