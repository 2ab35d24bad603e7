"""What an annotated corpus consists of."""

import math
import re
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..schema import NEUTRAL, VALENCES, Narrative

_WORD = re.compile(r"\w+")
_Z95 = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Distribution:
    """Summary of some lengths."""

    mean: float
    min: int
    median: float
    max: int


@dataclass(frozen=True)
class CoOccurrence:
    """Units by whether they are neutral and hold a carrier.

    `odds_ratio` is the odds of a carrier in a non-neutral unit over those in a neutral one, with
    Woolf's 95% confidence interval. Where a cell is 0, 0.5 is added to all four first
    (`corrected`: Haldane-Anscombe). All three are None where a row or a column is empty, for then
    there is nothing to compare.
    """

    non_neutral_with: int
    non_neutral_without: int
    neutral_with: int
    neutral_without: int
    odds_ratio: float | None
    ci_low: float | None
    ci_high: float | None
    corrected: bool


@dataclass(frozen=True)
class CorpusStatistics:
    """Counts, shares (0 to 1) and lengths; `dataclasses.asdict` of it is fit for JSON.

    Words are runs of letters, digits and underscores (`\\w+`), characters are code points. A
    distribution is None where there is nothing to measure.
    """

    narratives: int
    narrators: int
    without_narrator: int
    units: int
    carriers: int
    words: int
    characters: int
    valences: dict[str, int]
    valence_shares: dict[str, float]
    non_neutral_share: float
    units_with_carrier: int
    carrier_share: float
    units_per_narrative: Distribution | None
    words_per_unit: Distribution | None
    words_per_carrier: Distribution | None
    co_occurrence: CoOccurrence


def corpus_statistics(narratives: Iterable[Narrative]) -> CorpusStatistics:
    """Statistics of annotated narratives. A carrier belongs to the unit that it begins in;
    narratives without narrator are not counted as narrators."""
    narrators: set[str] = set()
    without_narrator = words = characters = 0
    units_per_narrative: list[int] = []
    words_per_unit: list[int] = []
    words_per_carrier: list[int] = []
    cells: Counter[tuple[str, bool]] = Counter()
    for narrative in narratives:
        if narrative.narrator is None:
            without_narrator += 1
        else:
            narrators.add(narrative.narrator)
        text = narrative.text
        words += _words(text)
        characters += len(text)
        units_per_narrative.append(len(narrative.units))
        starts = sorted(carrier.start for carrier in narrative.carriers)
        words_per_carrier += [_words(text[c.start : c.end]) for c in narrative.carriers]
        for unit in narrative.units:
            words_per_unit.append(_words(text[unit.start : unit.end]))
            has_carrier = bisect_left(starts, unit.start) < bisect_left(starts, unit.end)
            cells[unit.valence, has_carrier] += 1
    n_units = len(words_per_unit)
    valences = {valence: cells[valence, True] + cells[valence, False] for valence in VALENCES}
    with_carrier = sum(cells[valence, True] for valence in VALENCES)
    shares = {valence: _share(n, n_units) for valence, n in valences.items()}
    emotional = [valence for valence in VALENCES if valence != NEUTRAL]
    return CorpusStatistics(
        narratives=len(units_per_narrative),
        narrators=len(narrators),
        without_narrator=without_narrator,
        units=n_units,
        carriers=len(words_per_carrier),
        words=words,
        characters=characters,
        valences=valences,
        valence_shares=shares,
        non_neutral_share=_share(n_units - valences[NEUTRAL], n_units),
        units_with_carrier=with_carrier,
        carrier_share=_share(with_carrier, n_units),
        units_per_narrative=_distribution(units_per_narrative),
        words_per_unit=_distribution(words_per_unit),
        words_per_carrier=_distribution(words_per_carrier),
        co_occurrence=co_occurrence(
            sum(cells[valence, True] for valence in emotional),
            sum(cells[valence, False] for valence in emotional),
            cells[NEUTRAL, True],
            cells[NEUTRAL, False],
        ),
    )


def co_occurrence(
    non_neutral_with: int, non_neutral_without: int, neutral_with: int, neutral_without: int
) -> CoOccurrence:
    """The odds ratio of a table of counts, as `CoOccurrence` says."""
    table = (non_neutral_with, non_neutral_without, neutral_with, neutral_without)
    a, b, c, d = table
    if 0 in (a + b, c + d, a + c, b + d):
        return CoOccurrence(*table, None, None, None, corrected=False)
    corrected = 0 in table
    # scipy's odds_ratio takes no table with halves, and a guide that forbids carriers in neutral
    # units makes an empty cell the usual case.
    cells = [n + 0.5 for n in table] if corrected else [float(n) for n in table]
    log_odds = math.log(cells[0]) - math.log(cells[1]) - math.log(cells[2]) + math.log(cells[3])
    margin = _Z95 * math.sqrt(sum(1 / n for n in cells))
    low, high = math.exp(log_odds - margin), math.exp(log_odds + margin)
    return CoOccurrence(*table, math.exp(log_odds), low, high, corrected=corrected)


def _words(text: str) -> int:
    return sum(1 for _ in _WORD.finditer(text))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _distribution(lengths: list[int]) -> Distribution | None:
    if not lengths:
        return None
    mean, median = statistics.fmean(lengths), float(statistics.median(lengths))
    return Distribution(mean, min(lengths), median, max(lengths))
