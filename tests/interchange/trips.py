"""There and back: a narrative written in a format and read again; and where the real files are."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from spacy_valence_ec.corpus.jsonl import Problem
from spacy_valence_ec.interchange.formats import FORMATS
from spacy_valence_ec.interchange.narratives import ImportOptions, annotated_narratives
from spacy_valence_ec.interchange.offsets import trim
from spacy_valence_ec.interchange.scored import Scored
from spacy_valence_ec.interchange.tasks import Notes
from spacy_valence_ec.schema import Narrative, Unit

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("VALENCE_EC_FORMATS", ROOT.parent / "shared" / "formats"))


def sample(name: str) -> Path:
    """A file that a tool wrote, such as "brat/news"."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no samples of formats: {SAMPLES.name} (VALENCE_EC_FORMATS)")
    return SAMPLES / name


def imported(
    name: str, path: Path, options: ImportOptions | None = None
) -> tuple[list[Narrative], list[Problem], list[str]]:
    """Narratives, problems and notes of an import without choice of each annotator."""
    chosen, notes = FORMATS[name], Notes()
    found = chosen.read(path, notes)
    results = annotated_narratives(
        found, options or ImportOptions(), chosen.offset_units, notes, path
    )
    assert len(results) == 1
    (result,) = results.values()
    return result.narratives, result.problems, notes.lines()


def exported(name: str, path: Path, narratives: Sequence[Narrative]) -> list[str]:
    """Write what a person annotated: the notes."""
    write, notes = FORMATS[name].write, Notes()
    assert write is not None
    write(path, [Scored(narrative, is_annotated=True) for narrative in narratives], notes)
    return notes.lines()


def trimmed(narrative: Narrative) -> Narrative:
    """What every import gives: spans without white space at their edges, in order, each once."""
    units = []
    for unit in narrative.units:
        span = trim(narrative.text, unit)
        units.append(Unit(span.start, span.end, unit.valence))
    carriers = {trim(narrative.text, span) for span in narrative.carriers}
    return replace(
        narrative,
        units=tuple(units),
        carriers=tuple(sorted(carriers, key=lambda span: (span.start, span.end))),
    )


def originals(*narratives: Narrative) -> ImportOptions:
    """Options by which annotations are put back on `narratives`."""
    return ImportOptions(
        onto={n.id: replace(n, units=(), carriers=(), candidates=None) for n in narratives}
    )
