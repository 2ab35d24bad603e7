"""ELAN: the tiers of an .eaf file that stand on their own, a text for each speaker.

A tier without a parent is one of utterances; its participant, or its name, is the speaker. Tiers
that depend on it (translations, glosses, labels) are left out.
"""

from pathlib import Path
from xml.etree import ElementTree

from .names import stem_of
from .segments import Segment, by_speaker
from .sources import check_xml, read_bytes
from .tasks import Found, MistakeError, Notes, guarded


def read(path: Path, notes: Notes) -> Found:
    """The text of each speaker of a file, the utterances in the order of time."""
    return guarded(str(path), lambda: _read(path, notes))


def _read(path: Path, notes: Notes) -> Found:
    content = read_bytes(path)
    check_xml(content)
    document = ElementTree.fromstring(content)
    if document.tag != "ANNOTATION_DOCUMENT":
        raise MistakeError("elan", "not an ELAN file: its root is no ANNOTATION_DOCUMENT")
    times = _times(document)
    segments: list[Segment] = []
    for tier in document.iter("TIER"):
        if tier.get("PARENT_REF"):
            notes["tiers that depend on another one left out"] += 1
            continue
        speaker = tier.get("PARTICIPANT") or tier.get("TIER_ID")
        for found in tier.iter("ALIGNABLE_ANNOTATION"):
            slots = (found.get("TIME_SLOT_REF1", ""), found.get("TIME_SLOT_REF2", ""))
            if not all(slot in times for slot in slots):
                raise MistakeError("elan", "an annotation names a time slot that is not there")
            text = found.findtext("ANNOTATION_VALUE") or ""
            segments.append(Segment(text, times[slots[0]], times[slots[1]], speaker))
    # A slot without a time lies between its neighbors: it sorts with the one before.
    latest = 0.0
    keys = []
    for segment in segments:
        latest = latest if segment.begin is None else segment.begin
        keys.append(latest)
    ordered = [segments[i] for i in sorted(range(len(segments)), key=keys.__getitem__)]
    yield from by_speaker(str(path), stem_of(path.name, (".eaf",)), ordered)


def _times(document: ElementTree.Element) -> dict[str, float | None]:
    """Seconds of each time slot; None for one without."""
    times: dict[str, float | None] = {}
    for slot in document.iter("TIME_SLOT"):
        value = slot.get("TIME_VALUE")
        try:
            times[slot.get("TIME_SLOT_ID", "")] = None if value is None else int(value) / 1000
        except ValueError:
            raise MistakeError("elan", "the time of a slot is no whole number") from None
    return times
