"""Each person's line over time and each narrative's arc as files of SVG and PDF."""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..corpus.jsonl import printable
from ..errors import Errors, ValenceECError
from ..files import atomic_write
from ..schema import MIXED, NEGATIVE, NEUTRAL, POSITIVE
from .narratives import AnalyzedNarrative, Record, read_records
from .people import Summary, summarize_narratives

FORMATS = ("svg", "pdf")

# The colors of the page, and a form of the mark for who cannot see them.
COLORS = {NEGATIVE: "#d55e00", NEUTRAL: "#5a646e", POSITIVE: "#0072b2", MIXED: "#5a646e"}
MARKERS = {NEGATIVE: "v", NEUTRAL: "o", POSITIVE: "^", MIXED: "s"}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "spacy_valence_ec",
    "svg.fonttype": "none",  # text that can be read, searched and scaled
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_NO_METADATA: dict[str, Any] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
}
_LONGEST_NAME = 60  # of a file, without its suffix

Draw = Callable[[Any], None]


def write_plots(records: Iterable[Record], folder: str | os.PathLike[str]) -> list[Path]:
    """Write the line of all narratives (overall) and of each person (people/NAME), and the arc of
    each narrative (arcs/ID) as SVG and PDF into `folder`, which is made; return the paths.

    What a file name cannot hold becomes "-"; of two equal names the second one gets a number.

    Raises:
        OSError: a file cannot be written.
        ValenceECError: matplotlib is not installed (E010); `valence-ec analyze` does not write
            such a record (H001).
    """
    _check_matplotlib()
    narratives = read_records(records)
    figures = summarize_narratives(narratives)
    target = Path(folder)
    written: list[Path] = []
    names: set[str] = set()

    def save(part: str, name: str, draw: Draw, size: tuple[float, float]) -> None:
        (target / part).mkdir(parents=True, exist_ok=True)
        written.extend(_save(target / part / _unused(_file_name(name), part, names), draw, size))

    if figures.overall.points:
        save("", "overall", _line(figures.overall, narratives, ""), (7.2, 3.2))
    for person in figures.people:
        if person.points:
            name = person.narrator or "nobody-named"
            save("people", name, _line(person, narratives, person.narrator or ""), (7.2, 3.2))
    for narrative in narratives:
        if narrative.units:
            save("arcs", narrative.id, _arc(narrative), (6.0, 2.4))
    return written


def _check_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        what = "draws the plots"
        raise ValenceECError(Errors.E010.format(name="matplotlib", what=what)) from error


def _file_name(name: str) -> str:
    # In front a dot would hide the file, and a dash would look like an option.
    return re.sub(r"[^\w.-]", "-", name).strip(".-")[:_LONGEST_NAME] or "unnamed"


def _unused(name: str, part: str, names: set[str]) -> str:
    """`name`, with a number where it is taken; some file systems do not tell capitals apart."""
    candidate, number = name, 1
    while f"{part}/{candidate}".casefold() in names:
        number += 1
        candidate = f"{name}-{number}"
    names.add(f"{part}/{candidate}".casefold())
    return candidate


def _save(path: Path, draw: Draw, size: tuple[float, float]) -> list[Path]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    paths = [path.with_name(f"{path.name}.{suffix}") for suffix in FORMATS]
    with rc_context(STYLE), warnings.catch_warnings():
        # A name with an emoji or in a script that the font lacks: boxes, and a file all the same.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_ylim(-1.05, 1.05)
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=0)
        for suffix, file in zip(FORMATS, paths, strict=True):
            with atomic_write(file, binary=True) as handle:
                figure.savefig(handle, format=suffix, metadata=_NO_METADATA[suffix])
    return paths


def _line(summary: Summary, narratives: Sequence[AnalyzedNarrative], title: str) -> Draw:
    """The score of each narrative, with the quartiles of its units, over time, or in order where
    no narrative has a date."""
    chosen = [narratives[point.index] for point in summary.points]
    dates = [narrative.when for narrative in chosen]
    places: list[Any] = [*dates] if None not in dates else [*range(1, len(chosen) + 1)]

    def draw(axes: Any) -> None:
        scores = [point.score for point in summary.points]
        axes.plot(places, scores, color="#999999", linewidth=1)
        for place, point, narrative in zip(places, summary.points, chosen, strict=True):
            color = COLORS.get(narrative.valence, COLORS[NEUTRAL])
            axes.vlines(place, point.low, point.high, color=color, alpha=0.4, linewidth=2)
            _mark(axes, place, point.score, narrative.valence)
        axes.set_ylabel("valence score")
        axes.set_title(printable(title), parse_math=False)
        if isinstance(places[0], int):
            axes.set_xlabel("narrative")
        else:
            axes.tick_params(axis="x", rotation=30)

    return draw


def _arc(narrative: AnalyzedNarrative) -> Draw:
    """The polarity of the units in order."""

    def draw(axes: Any) -> None:
        places = range(1, len(narrative.units) + 1)
        axes.plot(places, [unit.polarity for unit in narrative.units], color="#999999", linewidth=1)
        for place, unit in zip(places, narrative.units, strict=True):
            _mark(axes, place, unit.polarity, unit.valence)
        axes.set(xlabel="functional unit", ylabel="valence score")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(printable(narrative.id), parse_math=False)

    return draw


def _mark(axes: Any, x: Any, y: float, valence: str) -> None:
    """A mark of its valence: a color, and a form. That of a neutral one is hollow."""
    label = valence if valence in MARKERS else NEUTRAL
    face = "white" if label == NEUTRAL else COLORS[label]
    axes.plot(
        [x],
        [y],
        MARKERS[label],
        color=COLORS[label],
        markerfacecolor=face,
        markersize=5,
        linestyle="none",
    )
