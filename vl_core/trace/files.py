"""Traces on disk: one safetensors file, arrays beside JSON metadata, no pickle."""

import io
import json
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vl_core.errors import TraceError, VLError
from vl_core.example import Region
from vl_core.pictures import MAX_PIXELS
from vl_core.trace.bias import DistanceBias
from vl_core.trace.blocks import Block, Kept, KeptNothing, KeptQueriesKeys, KeptWeights
from vl_core.trace.example import TracedExample
from vl_core.trace.masks import Mask
from vl_core.trace.provenance import Prediction, Provenance
from vl_core.trace.stack import Stack
from vl_core.trace.stream import Stream
from vl_core.trace.tokens import MASKS, TokenTable

if TYPE_CHECKING:
    from vl_core.trace.whole import Trace

FORMAT = "vl-interpret-trace"
VERSION = 5  # raise it with every change of the layout below

_WORDS = ("texts", "kinds", "views")  # what a table of tokens says in words
_BIAS = ("values", "queries", "keys")  # the arrays of a bias

Arrays = dict[str, np.ndarray]
JSON = dict[str, Any]


@dataclass(frozen=True)
class _Shared:
    """What layers of a stack have in common, which stands in the file once."""

    masks: Sequence[Mask]
    biases: Sequence[DistanceBias | None]


def save(trace: "Trace", path: Path) -> None:
    """Write the trace beside its place and move it there, so that no half file is ever seen.

    Raises OSError where it cannot be written.
    """
    arrays, metadata = _contents(trace)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        # From where the arrays lie: the bytes of the whole file would take as much memory again.
        save_file(arrays, partial, metadata)
        partial.replace(path)
    except SafetensorError as error:
        partial.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be written: {error}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _contents(trace: "Trace") -> tuple[Arrays, dict[str, str]]:
    """The arrays of the file, and what stands beside them."""
    arrays: Arrays = {}
    description = {
        "example": _pack_example(trace.example, arrays),
        "streams": [_pack_stream(stream, arrays) for stream in trace.streams.values()],
        "stacks": [_pack_stack(stack, arrays) for stack in trace.stacks.values()],
        "prediction": asdict(trace.prediction),
        "provenance": trace.provenance.as_dict(),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps(description)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "trace": text,
        "checksum": _checksum(text, contiguous),
    }
    return contiguous, metadata


def _checksum(description: str, arrays: Arrays) -> str:
    """Changes with any byte of the contents: it finds damage, not malice."""
    total = zlib.crc32(description.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), total)
        total = zlib.crc32(array.data, total)
    return f"{total:08x}"


def load(path: Path) -> "Trace":
    """Read a trace; raises TraceError for what is none, is damaged or is of another version."""
    from vl_core.trace.whole import Trace  # noqa: PLC0415 the class that this file stores

    try:
        description, arrays = _read(path)
        example = _unpack_example(description["example"], arrays)
        streams = {d["name"]: _unpack_stream(d, arrays) for d in description["streams"]}
        stacks = {
            d["name"]: _unpack_stack(d, arrays, streams, example.regions)
            for d in description["stacks"]
        }
        return Trace(
            example,
            streams,
            stacks,
            _unpack_prediction(description["prediction"]),
            Provenance(**description["provenance"]),
        )
    except VLError:
        raise
    except Exception as error:
        # A file from elsewhere can break any assumption, in a way that no list foresees.
        raise TraceError(
            f"{path.name} is damaged ({type(error).__name__}: {error}). Analyse the example again."
        ) from error


def _read(path: Path) -> tuple[JSON, Arrays]:
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            _check_format(path, metadata)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 no mapping
    except (SafetensorError, OSError) as error:
        raise TraceError(
            f"{path.name} is no trace that can be read ({error}). Analyse the example again."
        ) from error
    if _checksum(metadata["trace"], arrays) != metadata.get("checksum"):
        raise TraceError(
            f"{path.name} is damaged: its checksum differs. Analyse the example again."
        )
    return json.loads(metadata["trace"]), arrays


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise TraceError(f"{path.name} is a safetensors file, but not a trace of this tool.")
    if metadata.get("version") != str(VERSION):
        raise TraceError(
            f"{path.name} has format version {metadata.get('version')}, this program reads "
            f"{VERSION}. Analyse the example again."
        )


def _pack_example(example: TracedExample, arrays: Arrays) -> JSON:
    for name in ("image", "picture"):
        picture = getattr(example, name)
        if picture is not None:
            arrays[f"example.{name}"] = _png(picture)
    return {
        "text": example.text,
        "original_size": example.original_size,
        "regions": [asdict(region) for region in example.regions],
        "answer": example.answer,
        "task": example.task,
        "breaks": example.breaks,
    }


def _unpack_example(description: JSON, arrays: Arrays) -> TracedExample:
    size = description["original_size"]
    return TracedExample(
        description["text"],
        _picture(arrays.get("example.image")),
        _picture(arrays.get("example.picture")),
        None if size is None else (size[0], size[1]),
        tuple(map(_unpack_region, description["regions"])),
        description["answer"],
        description["task"],
        tuple(description["breaks"]),
    )


def _unpack_region(description: JSON) -> Region:
    span, is_asked = description["span"], description["is_asked"]
    if not isinstance(is_asked, bool):
        raise TraceError(f"a region with is_asked {is_asked!r}; true or false is wanted")
    return Region(
        description["label"],
        tuple(description["box"]),
        None if span is None else tuple(span),
        is_asked,
        description["number"],
        tuple(tuple(map(tuple, outline)) for outline in description["outlines"]),
    )


def _unpack_prediction(description: JSON) -> Prediction:
    return Prediction(
        description["kind"],
        tuple((text, share) for text, share in description["top"]),
        description["similarity"],
        description["text"],
        description.get("is_cut_off", False),  # not in files from before there was this fact
    )


def _png(picture: Image.Image) -> np.ndarray:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return np.frombuffer(content.getvalue(), np.uint8)


def _picture(content: np.ndarray | None) -> Image.Image | None:
    if content is None:
        return None
    picture = Image.open(io.BytesIO(content.tobytes()), formats=("PNG",))
    if picture.width * picture.height > MAX_PIXELS:
        raise ValueError(f"a picture of {picture.width} x {picture.height} pixels")
    picture.load()
    return picture


def _pack_stream(stream: Stream, arrays: Arrays) -> JSON:
    prefix = f"stream.{stream.name}"
    tokens = stream.tokens
    arrays |= {
        f"{prefix}.states": stream.packed_states,
        f"{prefix}.scales": stream.scales,
        f"{prefix}.boxes": tokens.boxes,
        f"{prefix}.spans": tokens.spans,
    } | {f"{prefix}.{mask}": getattr(tokens, mask) for mask in MASKS}
    return {"name": stream.name} | {name: getattr(tokens, name) for name in _WORDS}


def _unpack_stream(description: JSON, arrays: Arrays) -> Stream:
    prefix = f"stream.{description['name']}"
    columns: dict[str, Any] = {name: tuple(description[name]) for name in _WORDS}
    columns |= {name: arrays[f"{prefix}.{name}"] for name in ("boxes", "spans", *MASKS)}
    tokens = TokenTable(**columns)
    states, scales = arrays[f"{prefix}.states"], arrays[f"{prefix}.scales"]
    return Stream(description["name"], tokens, states, scales)


def _pack_stack(stack: Stack, arrays: Arrays) -> JSON:
    prefix = f"stack.{stack.name}"
    for key, values in stack.head_stats.items():
        arrays[f"{prefix}.head_stats.{key}"] = values
    masks = list(dict.fromkeys(block.kept.mask for layer in stack.blocks for block in layer))
    numbers = {mask: i for i, mask in enumerate(masks)}
    biases = list(dict.fromkeys(_bias(block) for layer in stack.blocks for block in layer))
    bias_numbers = {bias: i for i, bias in enumerate(biases)}
    return {
        "name": stack.name,
        "query_stream": stack.query_stream,
        "key_stream": stack.key_stream,
        "layers": stack.layers,
        "head_stats": list(stack.head_stats),
        "masks": [_pack_mask(mask, f"{prefix}.mask.{i}", arrays) for i, mask in enumerate(masks)],
        "biases": [_pack_bias(bias, f"{prefix}.bias.{i}", arrays) for i, bias in enumerate(biases)],
        "blocks": [
            [
                _pack_block(block, f"{prefix}.{i}.{j}", arrays)
                | {"mask": numbers[block.kept.mask], "bias": bias_numbers[_bias(block)]}
                for j, block in enumerate(layer)
            ]
            for i, layer in enumerate(stack.blocks)
        ],
    }


def _bias(block: Block) -> DistanceBias | None:
    return block.kept.bias if isinstance(block.kept, KeptQueriesKeys) else None


def _unpack_stack(
    description: JSON,
    arrays: Arrays,
    streams: Mapping[str, Stream],
    regions: tuple[Region, ...],
) -> Stack:
    prefix = f"stack.{description['name']}"
    # Layers share one object of each, as they did before.
    shared = _Shared(
        [_unpack_mask(d, f"{prefix}.mask.{i}", arrays) for i, d in enumerate(description["masks"])],
        [
            _unpack_bias(d, f"{prefix}.bias.{i}", arrays)
            for i, d in enumerate(description["biases"])
        ],
    )
    return Stack(
        description["name"],
        description["query_stream"],
        description["key_stream"],
        streams[description["query_stream"]].tokens,
        streams[description["key_stream"]].tokens,
        tuple(description["layers"]),
        tuple(
            tuple(
                _unpack_block(d, f"{prefix}.{i}.{j}", arrays, shared) for j, d in enumerate(layer)
            )
            for i, layer in enumerate(description["blocks"])
        ),
        {key: arrays[f"{prefix}.head_stats.{key}"] for key in description["head_stats"]},
        regions,
    )


def _pack_block(block: Block, prefix: str, arrays: Arrays) -> JSON:
    arrays[f"{prefix}.query_positions"] = block.query_positions
    arrays[f"{prefix}.key_positions"] = block.key_positions
    kept = block.kept
    if isinstance(kept, KeptNothing):
        return {"not_kept": kept.shape}
    if isinstance(kept, KeptWeights):
        arrays[f"{prefix}.weights"] = kept.values
        return {}
    arrays[f"{prefix}.queries"] = kept.queries
    arrays[f"{prefix}.keys"] = kept.keys
    return {"scaling": kept.scaling, "softcap": kept.softcap}


def _pack_mask(mask: Mask, prefix: str, arrays: Arrays) -> JSON:
    for name in ("is_padding", "allowed"):
        if getattr(mask, name) is not None:
            arrays[f"{prefix}.{name}"] = getattr(mask, name)
    return {name: getattr(mask, name) for name in ("kind", "offset", "window")}


def _unpack_mask(description: JSON, prefix: str, arrays: Arrays) -> Mask:
    is_padding, allowed = (arrays.get(f"{prefix}.{name}") for name in ("is_padding", "allowed"))
    return Mask(**description, is_padding=is_padding, allowed=allowed)


def _pack_bias(bias: DistanceBias | None, prefix: str, arrays: Arrays) -> bool:
    """Whether there is one."""
    if bias is None:
        return False
    arrays |= {f"{prefix}.{name}": getattr(bias, name) for name in _BIAS}
    return True


def _unpack_bias(is_there: bool, prefix: str, arrays: Arrays) -> DistanceBias | None:  # noqa: FBT001 all of its description
    return (
        DistanceBias(**{name: arrays[f"{prefix}.{name}"] for name in _BIAS}) if is_there else None
    )


def _unpack_block(description: JSON, prefix: str, arrays: Arrays, shared: _Shared) -> Block:
    mask = shared.masks[description["mask"]]
    weights = arrays.get(f"{prefix}.weights")
    kept: Kept
    if "not_kept" in description:
        heads, queries, keys = description["not_kept"]
        kept = KeptNothing((heads, queries, keys), mask)
    elif weights is not None:
        kept = KeptWeights(weights, mask)
    else:
        kept = KeptQueriesKeys(
            arrays[f"{prefix}.queries"],
            arrays[f"{prefix}.keys"],
            description["scaling"],
            description["softcap"],
            mask,
            shared.biases[description["bias"]],
        )
    return Block(arrays[f"{prefix}.query_positions"], arrays[f"{prefix}.key_positions"], kept)
