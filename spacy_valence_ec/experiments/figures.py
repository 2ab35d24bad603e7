"""The figures of the report, as SVG that is the same for the same figures."""

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import Errors, ValenceECError
from ..temperature import ReliabilityBin
from .summary import Curve, NoiseCurve

# Okabe and Ito's colors, which the color-blind can tell apart; in print the markers do.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
MARKERS = "os^Dv<>P*X"
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "spacy_valence_ec",
    "svg.fonttype": "none",  # text that can be read, searched and scaled
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def check_matplotlib() -> None:
    """Raises: ValenceECError E010 without matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        what = "draws the figures of the report"
        raise ValenceECError(Errors.E010.format(name="matplotlib", what=what)) from error


def curves(found: Sequence[Curve], x_title: str, y_title: str) -> str:
    """Mean and spread of each curve."""

    def draw(axes: Any) -> None:
        for i, curve in enumerate(found):
            _draw(axes, curve, i)
        axes.set(xlabel=x_title, ylabel=y_title)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

    return _svg(draw, (7.2, 3.4))


def noise(found: Sequence[NoiseCurve]) -> str:
    """Curves over the noise of the first step, and the level of the single task as a band."""

    def draw(axes: Any) -> None:
        for i, item in enumerate(found):
            _draw(axes, item.curve, i)
            if item.level:
                mean, spread = np.mean(item.level), np.std(item.level)
                axes.axhline(mean, color=COLORS[i % len(COLORS)], linestyle=":", linewidth=1)
                axes.axhspan(
                    mean - spread, mean + spread, color=COLORS[i % len(COLORS)], alpha=0.08
                )
        axes.set(xlabel="share of first-step labels replaced", ylabel="F1")
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

    return _svg(draw, (7.2, 3.4))


def _draw(axes: Any, curve: Curve, i: int) -> None:
    means = [float(np.mean(values)) for values in curve.y]
    spread = [float(np.std(values, ddof=1)) if len(values) > 1 else 0.0 for values in curve.y]
    axes.errorbar(
        curve.x,
        means,
        yerr=spread,
        label=curve.name,
        color=COLORS[i % len(COLORS)],
        marker=MARKERS[i % len(MARKERS)],
        markersize=4,
        linewidth=1.2,
        capsize=2,
    )


def reliability(found: Sequence[tuple[str, list[ReliabilityBin]]], title: str) -> str:
    """How often predictions of each confidence are right; the diagonal would be calibrated."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
        for i, (name, bins) in enumerate(found):
            axes.plot(
                [b.confidence for b in bins],
                [b.accuracy for b in bins],
                label=name,
                color=COLORS[i % len(COLORS)],
                marker=MARKERS[i % len(MARKERS)],
                markersize=4,
                linewidth=1.2,
            )
        axes.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1), title=title)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

    return _svg(draw, (6.0, 3.4))


def _svg(draw: Any, size: tuple[float, float]) -> str:
    """An `<svg>` element that calls nobody and names no date."""
    check_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=size)
        draw(figure.add_subplot())
        buffer = io.StringIO()
        none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=none)
    content = buffer.getvalue()
    return re.sub(r"\s+$", "", content[content.index("<svg") :], flags=re.MULTILINE)
