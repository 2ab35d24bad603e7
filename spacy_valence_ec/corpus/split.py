"""Parts of a corpus that share no narrator."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..errors import Errors, ValenceECError, listed
from ..schema import NEUTRAL, Narrative

TRAIN, DEV, TEST = PARTS = ("train", "dev", "test")

SPLIT_FIELD = "split"
SET_FIELD = "set"
CHALLENGE = "challenge"

_TRIALS = 2000

_Narrator = tuple[bool, str]  # whether the name is only the id of a narrative without narrator


def is_challenge(narrative: Narrative) -> bool:
    """Whether the narrative is of a challenge set, which is in no part of a split."""
    return narrative.extra.get(SET_FIELD) == CHALLENGE


def split_by_narrator(
    narratives: Iterable[Narrative],
    *,
    ratios: Sequence[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
) -> dict[str, list[Narrative]]:
    """The narratives of "train", "dev" and "test", in the order given; no narrator is in two.

    `ratios` are the parts' shares of the units; a part of ratio 0 stays empty. Of 2000 random
    assignments (each narrator in turn, in random order, goes to the part that is relatively
    the furthest from its size) the one of least cost is taken. The cost is the sum over the parts
    of |share of all units - ratio| and |share of non-neutral units - that of the corpus|. The
    result depends on the narratives and `seed`, not on the order of the narratives.

    A narrative without narrator counts as a narrator of its own. One with `"set": "challenge"` is
    left out. When all have a field `split` that is train, dev or test, that is the
    split, whatever the seed.

    Raises:
        ValenceECError: there are fewer narrators than parts (D003), only some narratives have a
            field `split` (D004), it puts a narrator in two parts (D005), or `ratios` are none
            (D006).
    """
    kept = [narrative for narrative in narratives if not is_challenge(narrative)]
    assigned = _assigned(kept)
    if assigned is None:
        assigned = _best_assignment(kept, _normalized(ratios), seed)
    parts: dict[str, list[Narrative]] = {part: [] for part in PARTS}
    for narrative in kept:
        parts[assigned[_narrator(narrative)]].append(narrative)
    return parts


def _narrator(narrative: Narrative) -> _Narrator:
    if narrative.narrator is None:
        return True, narrative.id
    return False, narrative.narrator


def _normalized(ratios: Sequence[float]) -> np.ndarray:
    values = np.asarray(ratios, dtype=float)
    if values.shape != (len(PARTS),) or not np.isfinite(values).all() or (values < 0).any():
        raise ValenceECError(Errors.D006.format(value=tuple(ratios)))
    if values.sum() == 0:
        raise ValenceECError(Errors.D006.format(value=tuple(ratios)))
    normalized: np.ndarray = values / values.sum()
    return normalized


def _assigned(narratives: Sequence[Narrative]) -> Mapping[_Narrator, str] | None:
    """The part of each narrator by the field `split`; None when no narrative has it."""
    if not any(SPLIT_FIELD in narrative.extra for narrative in narratives):
        return None
    without = [n.id for n in narratives if n.extra.get(SPLIT_FIELD) not in PARTS]
    if without:
        n = len(narratives) - len(without)
        raise ValenceECError(Errors.D004.format(n=n, total=len(narratives), ids=listed(without)))
    assigned: dict[_Narrator, str] = {}
    doubled: dict[str, None] = {}
    for narrative in narratives:
        part = narrative.extra[SPLIT_FIELD]
        if assigned.setdefault(_narrator(narrative), part) != part:
            doubled[_narrator(narrative)[1]] = None
    if doubled:
        raise ValenceECError(Errors.D005.format(narrators=listed([*doubled])))
    return assigned


def _best_assignment(
    narratives: Sequence[Narrative], ratios: np.ndarray, seed: int
) -> Mapping[_Narrator, str]:
    counts: dict[_Narrator, list[int]] = {}
    for narrative in narratives:
        of_narrator = counts.setdefault(_narrator(narrative), [0, 0])
        of_narrator[0] += len(narrative.units)
        of_narrator[1] += sum(unit.valence != NEUTRAL for unit in narrative.units)
    used = [int(part) for part in np.flatnonzero(ratios)]
    if len(counts) < len(used):
        raise ValenceECError(Errors.D003.format(needed=len(used), found=len(counts)))
    # Sorted, so that the order of the lines has no say in what the seed gives.
    narrators = sorted(counts)
    total = max(sum(units for units, _ in counts.values()), 1)
    emotional_share = sum(emotional for _, emotional in counts.values()) / total

    rng = np.random.default_rng(seed)
    best: dict[_Narrator, int] = {}
    best_cost = float("inf")
    for _ in range(_TRIALS):
        units, emotional = [0] * len(PARTS), [0] * len(PARTS)
        narrators_in = [0] * len(PARTS)
        trial: dict[_Narrator, int] = {}
        for index in rng.permutation(len(narrators)):
            narrator = narrators[index]
            # A part without narrator comes first, even when the others have no unit either.
            part = min(used, key=lambda p: (narrators_in[p] > 0, units[p] / ratios[p]))
            trial[narrator] = part
            narrators_in[part] += 1
            units[part] += counts[narrator][0]
            emotional[part] += counts[narrator][1]
        cost = 0.0
        for part in used:
            cost += abs(units[part] / total - ratios[part])
            cost += abs(emotional[part] / max(units[part], 1) - emotional_share)
        if cost < best_cost:
            best, best_cost = trial, cost
    return {narrator: PARTS[part] for narrator, part in best.items()}
