"""One loop for an encoder and a decoder: from prepared text to a folder that `from_pretrained`
reads."""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from errno import ENOTDIR
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import Errors, ValenceECError
from ..files import atomic_folder
from .card import render_card
from .checkpoints import (
    State,
    checkpoint_folder,
    load_state,
    load_tokenizer,
    load_weights,
    save_checkpoint,
)
from .environment import describe_environment
from .masking import Vocabulary, mask_spans, rate_at
from .models import WEIGHTS, build_model, guess, parameter_groups, save_model
from .packing import IGNORED, Batches, Packed, encode, pack, separators_of
from .settings import Settings, TrainingSettings
from .text import Text, read_text
from .tokenizer import train_tokenizer

LOG, CARD = "log.json", "README.md"

Log = dict[str, Any]
OnStep = Callable[[int, dict[str, float] | None], None]


def pretrain(
    settings: Settings,
    text_folder: Path,
    output: Path,
    *,
    gpu: int = -1,
    restart: bool = False,
    stop_after: float | None = None,
    on_step: OnStep | None = None,
) -> Log | None:
    """Pretrain a model on what `prepare_text` wrote, and write it to the folder `output`.

    gpu: id of the GPU, used with bfloat16; -1 for the processor.
    restart: begin anew; otherwise a run that was interrupted is gone on with, and ends with the
        same weights as one that was not (on the processor; a GPU adds up in no fixed order).
    stop_after: seconds of training after which to stop, with a checkpoint, to be gone on with.
    on_step: called after each step with its number, from 1 on, and the last line of the log when
        there is a new one.

    The folder holds the weights in half precision, the tokenizer, `log.json` and a model card; the
    checkpoint, a folder beside it, is removed in the end. Returns: the log; None when stopped.

    Raises: ValenceECError P005 for text that is not as it was written, P006 or P012 for a
    checkpoint of another run or a broken one, P007 if there is no such GPU, P008 for too little
    text, P009 when the loss is no number; OSError.
    """
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(output))
    device = find_device(gpu)
    text = read_text(text_folder)
    run = sha256(f"{settings.fingerprint} {text.counts['sha256']}".encode()).hexdigest()
    folder = checkpoint_folder(output)
    if restart and folder.exists():
        shutil.rmtree(folder)
    is_new = not folder.exists()
    if is_new:
        state = State(run, 0, 0.0, [], [])
        tokenizer = train_tokenizer(_repeated(text, settings), settings)
    else:
        state = load_state(folder, run)
        tokenizer = load_tokenizer(folder)
    trainer = Trainer(settings, text, tokenizer, device)
    if is_new:
        # At once: a folder that cannot be written must not be found out in the end.
        save_checkpoint(folder, state, trainer.model, trainer.optimizer, tokenizer)
    else:
        load_weights(folder, trainer.model, trainer.optimizer)
    if not _run(trainer, state, folder, stop_after, on_step):
        return None

    with atomic_folder(output) as new:
        save_model(trainer.model, tokenizer, new)
        # After the rounding: of the weights as they are given away.
        final = trainer.evaluate_all()
        log = _make_log(trainer, state, text, final, (new / WEIGHTS).stat().st_size)
        (new / LOG).write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
        (new / CARD).write_text(render_card(output.name, text.counts, log), encoding="utf-8")
    shutil.rmtree(folder)
    return log


def find_device(gpu: int) -> torch.device:
    """Raises: ValenceECError P007."""
    if gpu < 0:
        return torch.device("cpu")
    if gpu >= torch.cuda.device_count():
        raise ValenceECError(Errors.P007.format(gpu=gpu))
    return torch.device("cuda", gpu)


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """The rate of a step, counted from 0: up on a line, then down on half a cosine."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / (settings.warmup_steps + 1)
    done = (step - settings.warmup_steps) / max(1, settings.steps - 1 - settings.warmup_steps)
    height = settings.learning_rate - settings.last_learning_rate
    return settings.last_learning_rate + height * (1 + math.cos(math.pi * done)) / 2


class Trainer:
    """Model, optimizer and batches. What a step does depends on its number and the weights alone:
    all that is random is drawn from generators seeded with it."""

    def __init__(self, settings: Settings, text: Text, tokenizer: Any, device: torch.device):
        self.settings = settings
        self.tokenizer = tokenizer
        self.device = device
        self.separators = separators_of(tokenizer, settings.model.type)
        self.vocabulary = Vocabulary.of(tokenizer) if settings.masking else None
        repeats = [settings.text.repeats[source] for source, _ in text.train]
        self.batches = Batches(
            encode(tokenizer, [document for _, document in text.train]),
            repeats,
            settings,
            self.separators,
        )
        self.dev_sources = [source for source, _ in text.dev]
        self.dev_documents = encode(tokenizer, [document for _, document in text.dev])
        self._dev: dict[int, Packed] = {}
        self.model = build_model(settings, self.separators).to(device)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, settings.training.weight_decay),
            lr=settings.training.learning_rate,
            betas=(0.9, settings.training.beta2),
        )

    def step(self, step: int) -> torch.Tensor:
        """One step of the optimizer: the mean loss in nats."""
        training = self.settings.training
        packed = self.batches[step]
        inputs, labels = self._task(packed, self._rate(step), [training.seed, step])
        n = int((labels != IGNORED).sum())
        rows = max(1, training.pieces_per_pass // packed.ids.shape[1])
        total = torch.zeros((), device=self.device)
        self.model.train()
        for start in range(0, len(inputs), rows):
            seed = np.random.SeedSequence([training.seed, step, start])
            torch.manual_seed(int(seed.generate_state(1)[0]))  # of the dropout
            part = slice(start, start + rows)
            with self._precision():
                guesses = guess(
                    self.model, *self._tensors(inputs[part], labels[part], packed.is_text[part])
                )
                loss = guesses.loss / max(1, n)
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.grad_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, training)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    def evaluate(self, length: int) -> dict[str, float]:
        """Loss, perplexity and accuracy on a sample of the held-out text, in sequences of a length
        the model has been trained on."""
        if length not in self._dev:
            self._dev[length] = self._shuffled(self.dev_documents, length)
        packed = self._dev[length]
        n = max(1, self.settings.training.dev_pieces // length)
        return {"length": length, **self._score(Packed(packed.ids[:n], packed.is_text[:n]))}

    def evaluate_all(self) -> dict[str, Any]:
        """The same on all of it, in the longest sequences; and for each source alone."""
        length = self.settings.model.positions
        by_source = {}
        for source in dict.fromkeys(self.dev_sources):
            pairs = zip(self.dev_sources, self.dev_documents, strict=True)
            chosen = [document for name, document in pairs if name == source]
            by_source[source] = self._score(self._shuffled(chosen, length))
        everything = self._score(self._shuffled(self.dev_documents, length))
        return {"length": length, **everything, "by_source": by_source}

    def _shuffled(self, documents: list[np.ndarray], length: int) -> Packed:
        packed = pack(documents, length, self.separators)
        order = np.random.default_rng(0).permutation(len(packed.ids))
        return Packed(packed.ids[order], packed.is_text[order])

    @torch.no_grad()
    def _score(self, packed: Packed) -> dict[str, float]:
        masking = self.settings.masking
        # The same pieces are masked at every evaluation.
        inputs, labels = self._task(packed, masking.last_rate if masking else 0.0, [0])
        rows = max(1, self.settings.training.pieces_per_pass // packed.ids.shape[1])
        loss, right, n = 0.0, 0, 0
        self.model.eval()
        for start in range(0, len(inputs), rows):
            part = slice(start, start + rows)
            with self._precision():
                guesses = guess(
                    self.model, *self._tensors(inputs[part], labels[part], packed.is_text[part])
                )
            loss += float(guesses.loss)
            right += int(guesses.right)
            n += int(guesses.n)
        mean = loss / max(1, n)
        return {
            "loss": mean,
            "perplexity": math.exp(min(mean, 700.0)),
            "accuracy": right / max(1, n),
            "guesses": n,
        }

    def _rate(self, step: int) -> float:
        masking = self.settings.masking
        return rate_at(step, self.settings.training.steps, masking) if masking else 0.0

    def _task(self, packed: Packed, rate: float, seed: list[int]) -> tuple[np.ndarray, np.ndarray]:
        if self.settings.masking is None or self.vocabulary is None:
            return packed.ids, np.where(packed.is_text, packed.ids, IGNORED)
        rng = np.random.default_rng(seed)
        return mask_spans(packed, rate, self.settings.masking, self.vocabulary, rng)

    def _tensors(
        self, inputs: np.ndarray, labels: np.ndarray, is_text: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        return (
            torch.from_numpy(inputs).to(self.device),
            torch.from_numpy(labels).to(self.device),
            None if is_text.all() else torch.from_numpy(is_text).to(self.device),
        )

    def _precision(self) -> AbstractContextManager[Any]:
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()


def _run(
    trainer: Trainer,
    state: State,
    folder: Path,
    stop_after: float | None,
    on_step: OnStep | None,
) -> bool:
    """All steps that are left; whether they are done, and not stopped."""
    settings = trainer.settings.training
    start, before = time.monotonic(), state.seconds
    losses: list[torch.Tensor] = []
    for step in range(state.step, settings.steps):
        losses.append(trainer.step(step))
        state.step = done = step + 1
        is_last = done == settings.steps
        news = None
        if done % settings.log_every == 0 or is_last:
            news = _mean_of(losses, trainer, step)
            losses.clear()
        if done % settings.eval_every == 0 and not is_last:
            length = trainer.batches.phase_of(step).length
            state.dev.append({"step": done, **trainer.evaluate(length)})
        state.seconds = before + time.monotonic() - start
        if news:
            state.curve.append({**news, "seconds": round(state.seconds, 3)})
        stops = stop_after is not None and state.seconds - before >= stop_after and not is_last
        # Between two lines of the log a checkpoint would lose what goes into the next one.
        if news and (done % settings.checkpoint_every == 0 or stops or is_last):
            save_checkpoint(folder, state, trainer.model, trainer.optimizer, trainer.tokenizer)
        if on_step:
            on_step(done, state.curve[-1] if news else None)
        if stops and news:
            return False
    return True


def _mean_of(losses: list[torch.Tensor], trainer: Trainer, step: int) -> dict[str, float]:
    """A line of the curve: the mean loss since the last one, and the state of the schedules."""
    mean = float(torch.stack(losses).mean())
    if not math.isfinite(mean):
        raise ValenceECError(Errors.P009.format(step=step + 1))
    line = {
        "step": step + 1,
        "loss": mean,
        "learning_rate": learning_rate(step, trainer.settings.training),
        "length": trainer.batches.phase_of(step).length,
    }
    if trainer.settings.masking:
        line["mask_rate"] = rate_at(step, trainer.settings.training.steps, trainer.settings.masking)
    return line


def _repeated(text: Text, settings: Settings) -> Iterator[str]:
    """The training text, paragraph by paragraph, each as often as a pass over it reads it."""
    for source, document in text.train:
        for _ in range(settings.text.repeats[source]):
            yield from document.split("\n")


def _make_log(trainer: Trainer, state: State, text: Text, final: dict[str, Any], size: int) -> Log:
    read = sum(
        (phase.last - phase.first) * phase.n_sequences * phase.length
        for phase in trainer.batches.phases
    )
    return {
        "settings": asdict(trainer.settings),
        "data_sha256": text.counts["sha256"],
        "environment": describe_environment(trainer.device),
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "bytes": size,
        "seconds": round(state.seconds, 3),
        "pieces_of_a_pass": trainer.batches.n_pieces,
        "pieces_read": read,
        "final": final,
        "dev": state.dev,
        "curve": state.curve,
    }
