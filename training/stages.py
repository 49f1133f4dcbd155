"""All stages in their order, in one process or several."""

from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from training.batches import Batches
from training.group import joined
from training.joint import train
from training.log import Log
from training.pictures import render, training_scenes
from training.recipe import Recipe, config, processor
from training.run import Run
from training.start import has_start, load_start, renew_task_words
from training.steady import seen, steady
from training.warmup import features, freeze, warm_up
from vl_core.families.kdvlp import KDVLPForTasks


def run_all(recipe: Recipe, folder: Path, processes: int) -> None:
    """All stages up to the last checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    if processes == 1:
        stages(0, 1, recipe, folder)
    else:
        torch.multiprocessing.spawn(stages, (processes, recipe, folder), processes)


def stages(rank: int, size: int, recipe: Recipe, folder: Path) -> None:
    """What each process does."""
    log = Log(folder / "log.jsonl", writes=rank == 0)
    run = Run(recipe, joined(rank, size, folder), folder, log)
    torch.manual_seed(recipe.seed)
    model = KDVLPForTasks(config()).to(run.device)
    labelled = training_scenes(recipe)
    pictures = render(run, labelled)
    if has_start(folder):
        load_start(run, model)
        freeze(model)
    else:
        warm_up(run, model, labelled, pictures)
        plain = features(run, model, labelled, pictures, "features")
        _train(run, model, Batches(recipe, recipe.questions, labelled, plain, _tokenizer()))
    if recipe.tasks.sequences:
        steady(run, model, labelled, pictures)
        renew_task_words(model, recipe.seed)
        varied = features(run, model, labelled, pictures, "varied-features", seen)
        _train(run, model, Batches(recipe, recipe.tasks, labelled, varied, _tokenizer()))


def _train(run: Run, model: KDVLPForTasks, batches: Batches) -> None:
    train(replace(run, log=run.log.fresh()), model, batches)


def _tokenizer() -> PreTrainedTokenizerFast:
    return processor().tokenizer
