"""Which narratives a run learns from, chooses by, and is measured on."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..corpus.split import DEV, PARTS, TEST, TRAIN, is_challenge, split_by_narrator
from ..errors import Errors, ValenceECError, listed
from ..schema import Narrative

FOLD_FIELD = "fold"

Parts = dict[str, list[Narrative]]


def parts_of(
    narratives: Sequence[Narrative],
    *,
    fold: int | None = None,
    train_share: float = 1.0,
    split_seed: int = 0,
    seed: int = 0,
) -> Parts:
    """The narratives of "train", "dev" and "test".

    fold: None for the split of the corpus (`split_by_narrator`); else the narratives whose field
        `fold` it is are the test part, those of the next fold, in order, the dev part.
    train_share: of the training narratives, drawn with `seed`; a smaller share is part of a larger.

    Raises: ValenceECError E005 if a narrator is held out and trained on, E006 for folds that cannot
    be made, E016 for one that is not there, E014 for an empty part, and what `split_by_narrator`
    raises.
    """
    if fold is None:
        parts = split_by_narrator(narratives, seed=split_seed)
    else:
        parts = _fold(narratives, fold)
    order = np.random.default_rng(seed).permutation(len(parts[TRAIN]))
    chosen = set(order[: math.ceil(train_share * len(order))].tolist())
    parts[TRAIN] = [narrative for i, narrative in enumerate(parts[TRAIN]) if i in chosen]
    check_parts(parts)
    return parts


def check_parts(parts: Mapping[str, Sequence[Narrative]]) -> None:
    """That no part is empty, and that no narrator, id or text is both in training and held out.

    Raises: ValenceECError E014 or E005.
    """
    for part in PARTS:
        if not parts[part]:
            raise ValenceECError(Errors.E014.format(part=part))
    names = {part: {n.narrator or n.id for n in parts[part]} for part in PARTS}
    texts = {part: {n.text: n.id for n in parts[part]} for part in PARTS}
    ids = {part: {n.id for n in parts[part]} for part in PARTS}
    shared: set[str] = set()
    for a, b in ((TRAIN, DEV), (TRAIN, TEST), (DEV, TEST)):
        shared |= (names[a] & names[b]) | (ids[a] & ids[b])
        # A text of a few words ("boh") may well be written twice.
        if TEST in (a, b):
            doubled = texts[a].keys() & texts[b].keys()
            shared |= {texts[b][text] for text in doubled if len(text.split()) > 10}
    if shared:
        raise ValenceECError(Errors.E005.format(names=listed(sorted(shared))))


def _fold(narratives: Sequence[Narrative], fold: int) -> Parts:
    kept = [narrative for narrative in narratives if not is_challenge(narrative)]
    numbers = [narrative.extra.get(FOLD_FIELD) for narrative in kept]
    without = sum(type(number) is not int for number in numbers)
    folds = sorted({number for number in numbers if type(number) is int})
    if without or len(folds) < len(PARTS):
        message = Errors.E006.format(n=without, total=len(kept), folds=len(folds))
        raise ValenceECError(message)
    if fold not in folds:
        known = ", ".join(map(str, folds))
        raise ValenceECError(Errors.E016.format(fold=fold, known=known))
    dev = folds[(folds.index(fold) + 1) % len(folds)]
    part: dict[object, str] = {fold: TEST, dev: DEV}
    parts: Parts = {name: [] for name in PARTS}
    for narrative, number in zip(kept, numbers, strict=True):
        parts[part.get(number, TRAIN)].append(narrative)
    return parts
