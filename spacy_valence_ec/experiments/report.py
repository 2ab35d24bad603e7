"""The report: Markdown, HTML, CSV and LaTeX from the records of runs.

A report is a list of sections of blocks, written the same way in Markdown and in HTML. It holds no
text of a narrative, unless someone asks for that of the worst units, and no date: from the same
records comes the same file.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from ..corpus.split import PARTS
from ..corpus.statistics import CoOccurrence
from ..files import atomic_write
from ..first_step import PREDICTED
from ..schema import INVALID_ATTR, VALENCES, Narrative
from ..temperature import LEAST, Fit, Predictions, ReliabilityBin, reliability
from . import figures
from .modes import GENERATIVE
from .record import CARRIERS, VALENCE, Record
from .statistics import mean_and_deviation
from .summary import (
    END_TO_END,
    JOINT,
    MAIN,
    MEASURES,
    Measure,
    System,
    Tested,
    both_arms,
    calibration,
    challenge_scores,
    co_occurrences,
    comparisons,
    confusion,
    headline,
    learning_curves,
    noise_curves,
    systems_of,
    worst_units,
)

TITLE = "Valence and emotion carriers: experiments"
LEVEL = 0.05  # of significance
DASH = "–"
GIVEN = "given"  # in place of a score
TEMPERED = "after the temperature"


@dataclass(frozen=True)
class Cell:
    """Of a table."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Block:
    """A paragraph, a table or a figure, by `kind`."""

    kind: str
    text: str = ""
    caption: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    svg: str = ""


@dataclass
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: list[Block] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.blocks.append(Block("text", text=text))

    def tabulate(
        self, heads: Sequence[str], rows: Iterable[Sequence[str | Cell]], caption: str = ""
    ) -> None:
        cells = tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows)
        self.blocks.append(Block("table", heads=tuple(heads), rows=cells, caption=caption))

    def draw(self, svg: str, caption: str) -> None:
        self.blocks.append(Block("figure", svg=svg, caption=caption))


def write_report(
    records: Sequence[Record],
    output: Path,
    *,
    folder: Path,
    reference: str | None = None,
    texts: Sequence[Narrative] | None = None,
) -> list[Path]:
    """Write report.md, report.html, results.csv, comparisons.csv and results.tex into `output`.

    folder: of the records, for messages.
    reference: the setting that the others are compared with; None for the single task, or the
        joint model where that was not run.
    texts: the narratives, to quote the worst units; without, they are named by id and offsets.

    Raises: ValenceECError E010 without matplotlib, E011 for records of different data.
    """
    figures.check_matplotlib()
    systems = systems_of(records, folder)
    shown = headline(systems)
    tested = comparisons(shown, reference)
    sections = [
        _results(shown, tested),
        _tests(tested),
        _costs(shown),
        _both_arms(shown),
        _co_occurrence(shown),
        _learning(systems),
        _noise(systems),
        _confusions(shown),
        _challenge(shown),
        _calibration(shown),
        _worst(shown, texts),
        _environment(records),
    ]
    kept = [section for section in sections if section.blocks]
    content = {
        "report.md": to_markdown(kept),
        "report.html": to_html(kept),
        "results.csv": results_csv(systems),
        "comparisons.csv": comparisons_csv(tested),
        "results.tex": to_latex(_main_table(shown, MEASURES, tested)),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        with atomic_write(output / name) as handle:
            handle.write(text)
    return [output / name for name in content]


def _main_table(
    systems: Sequence[System], measures: Sequence[Measure], tested: Sequence[Tested]
) -> Block:
    """Mean and deviation of each measure; the best mean of those that were given nothing bold,
    marks of significance."""
    marks = {
        (id(t.system), t.measure.key): "*" if t.comparison.difference > 0 else "†"
        for t in tested
        if t.adjusted < LEVEL
    }
    best: dict[str, float] = {}
    for measure in measures:
        means = {
            round(float(np.mean(values)), 3)
            for s in systems
            if s.given is None and (values := s.values(measure.key))
        }
        # Where all are alike none is the best.
        best[measure.key] = max(means) if len(means) > 1 else float("inf")
    rows = []
    for system in systems:
        row: list[Cell] = [Cell(system.name), Cell(str(len(system.runs)))]
        for measure in measures:
            values = system.values(measure.key)
            text = _spread(values) + marks.get((id(system), measure.key), "")
            is_best = bool(values) and round(float(np.mean(values)), 3) == best[measure.key]
            is_given = bool(values) and measure.task == system.given
            row.append(Cell(GIVEN) if is_given else Cell(text, is_best and system.given is None))
        if any(cell.text not in (DASH, GIVEN) for cell in row[2:]):
            rows.append(tuple(row))
    heads = ("system", "runs", *(measure.title for measure in measures))
    return Block("table", heads=heads, rows=tuple(rows))


def _spread(values: Sequence[float], digits: int = 3) -> str:
    if not values:
        return DASH
    mean, deviation = mean_and_deviation(values)
    return f"{mean:.{digits}f}" + (f" ± {deviation:.{digits}f}" if deviation is not None else "")


def _results(systems: Sequence[System], tested: Sequence[Tested]) -> Section:
    section = Section("Results")
    parts = systems[0].runs[0]["data"]["parts"]
    sizes = ", ".join(
        f"{name} {parts[name]['narratives']:,} narratives by {parts[name]['narrators']:,} narrators"
        for name in PARTS
    )
    folds = sorted({run["run"]["fold"] for s in systems for run in s.runs} - {None})
    section.say(
        f"Parts{' of the first fold' if folds else ''}: {sizes}; no narrator is in two. Mean and "
        "standard deviation over runs (seeds" + (" and folds). " if folds else "). ") + "The best "
        "mean of a column is bold, but for systems that are given gold labels. Against the "
        f"reference, after Holm's correction: * better, † worse (p < {LEVEL})."
    )
    table = _main_table(systems, MEASURES, tested)
    section.tabulate(table.heads, table.rows, "On gold units, as in the paper")
    table = _main_table(systems, END_TO_END, ())
    if table.rows:
        section.tabulate(table.heads, table.rows, "End to end: on units that the system cuts")
    return section


def _tests(tested: Sequence[Tested]) -> Section:
    section = Section("Comparisons")
    if not tested:
        return section
    section.say(
        "Difference of the means over seeds, with a 95% interval from 5,000 bootstrap samples of "
        "narratives; p from approximate randomization over narratives (9,999 exchanges; all of "
        f"them for few narratives), then with Holm's correction for the {len(tested)} comparisons. "
        "Cohen's d and Cliff's delta are over runs, and show how far the seeds lie apart."
    )
    rows: list[list[str | Cell]] = [
        [
            f"{t.system.name} over {t.reference.name}",
            t.measure.title,
            f"{t.comparison.difference:+.3f}",
            f"{t.comparison.low:+.3f} to {t.comparison.high:+.3f}",
            f"{t.comparison.p_value:.4f}",
            Cell(f"{t.adjusted:.4f}", t.adjusted < LEVEL),
            DASH if t.cohen_d is None else f"{t.cohen_d:+.2f}",
            f"{t.cliffs_delta:+.2f}",
        ]
        for t in tested
    ]
    heads = ("systems", "measure", "difference", "95% interval", "p", "p, Holm", "d", "delta")
    section.tabulate(heads, rows)
    return section


# Of each, how many decimals are shown.
COSTS = {"parameters": 0, "training, s": 1, "prediction, s": 2, "peak memory, MB": 0}


def _costs_of(system: System) -> list[float | None]:
    """`COSTS`, means over runs; None for what is not known of every run."""
    memory = [run["peak_gpu_memory"] or run["peak_memory"] for run in system.runs]
    found: tuple[list[float | None], ...] = (
        [run["parameters"] for run in system.runs],
        [run["train_seconds"] for run in system.runs],
        [evaluation["inference_seconds"] for evaluation in system.evaluations],
        [None if peak is None else peak / 1e6 for peak in memory],
    )
    known = ([value for value in values if value is not None] for values in found)
    return [float(np.mean(values)) if len(values) == len(system.runs) else None for values in known]


def _shown_costs(costs: Sequence[float | None]) -> list[str]:
    return [
        DASH if cost is None else f"{cost:,.{digits}f}"
        for cost, digits in zip(costs, COSTS.values(), strict=True)
    ]


def _costs(systems: Sequence[System]) -> Section:
    section = Section("What it costs")
    systems = [system for system in systems if system.mode == PREDICTED]
    heads = ("system", *COSTS)
    found = {system.name: (system, _costs_of(system)) for system in systems}
    rows = [[name, *_shown_costs(costs)] for name, (_, costs) in found.items()]
    section.say(
        "Means over runs. Prediction is that of the whole test part, end to end where the system "
        "cuts units, else on gold ones. Training has the choice on dev in it. Memory is that of "
        "the whole process, libraries included (on a GPU, what PyTorch held there)."
    )
    section.tabulate(heads, rows)
    by_backbone: dict[str | None, dict[str, list[float | None]]] = {}
    for system, values in found.values():
        by_backbone.setdefault(system.backbone, {})[system.setting] = values
    for (backbone, settings), kind in product(by_backbone.items(), ("", GENERATIVE)):
        names = [kind + name for name in (JOINT, "single-valence", "single-ec")]
        if set(names) <= settings.keys():
            ratios = [
                DASH if None in (joint, a, b) else f"{joint / (a + b):.2f}"
                for joint, a, b in zip(*(settings[name] for name in names), strict=True)
            ]
            row = [f"{names[0]} / ({names[1]} + {names[2]}), {backbone}", *ratios]
            section.tabulate(heads, [row], "The joint model over the two single ones together")
    return section


def _both_arms(systems: Sequence[System]) -> Section:
    section = Section("Discriminative and generative")
    pairs = both_arms(systems)
    if not pairs:
        return section
    section.say(
        "Every setting that was run in both arms, on the same narratives: how good, mean and "
        "standard deviation over runs, and the difference of the means, generative minus "
        "discriminative; then how expensive, means over runs, and the ratio, generative over "
        "discriminative."
    )
    measures = [m for m in MEASURES if any(s.values(m.key) for pair in pairs for s in pair)]
    scores: list[list[str | Cell]] = []
    costs: list[list[str | Cell]] = []
    for one, other in pairs:
        names = [one.name, other.name, "difference"]
        columns = [[s.values(measure.key) for s in (one, other)] for measure in measures]
        cells = [
            (GIVEN, GIVEN, DASH)
            if one.given == measure.task and all(values)
            else (*map(_spread, values), _difference(*values))
            for measure, values in zip(measures, columns, strict=True)
        ]
        scores += [list(row) for row in zip(names, *cells, strict=True)]
        if one.mode == PREDICTED:
            both = [_costs_of(one), _costs_of(other)]
            costs += [[s.name, *_shown_costs(c)] for s, c in zip((one, other), both, strict=True)]
            costs.append(["ratio", *(_ratio(a, b) for a, b in zip(*both, strict=True))])
    heads = ("system", *(measure.title for measure in measures))
    section.tabulate(heads, scores, "How good, on gold units")
    if costs:
        section.tabulate(("system", *COSTS), costs, "How expensive")
    invalid = [(s.name, found) for _, s in pairs if (found := s.values(INVALID_ATTR))]
    if invalid:
        section.tabulate(
            ("system", "invalid answers"),
            [[name, f"{np.mean(found):.1%}"] for name, found in invalid],
            "Units whose freely written answer could not be read",
        )
    return section


def _difference(one: Sequence[float], other: Sequence[float]) -> str:
    return f"{np.mean(other) - np.mean(one):+.3f}" if one and other else DASH


def _ratio(one: float | None, other: float | None) -> str:
    return f"{other / one:.2f}" if one and other is not None else DASH


def _co_occurrence(systems: Sequence[System]) -> Section:
    section = Section("Co-occurrence of valence and carriers")
    found = co_occurrences(systems)
    if not found:
        return section
    section.say(
        "Whether a unit is neutral, and whether it holds a carrier: in the gold data, and in what "
        "each system predicts on gold units (all runs together). The annotation guide allows no "
        "carrier in a neutral unit: for an empty cell 0.5 is added to all four."
    )
    section.tabulate(
        ("", "carrier in non-neutral", "carrier in neutral", "odds ratio"),
        [[name, *_cells(cells)] for name, cells in found],
    )
    return section


def _cells(found: CoOccurrence) -> list[str]:
    def share(a: int, b: int) -> str:
        return f"{a / (a + b):.1%} of {a + b:,}" if a + b else DASH

    ratio = DASH if found.odds_ratio is None else f"{found.odds_ratio:,.1f}"
    return [
        share(found.non_neutral_with, found.non_neutral_without),
        share(found.neutral_with, found.neutral_without),
        ratio + (" (corrected)" if found.corrected else ""),
    ]


def _learning(systems: Sequence[System]) -> Section:
    section = Section("Learning curves")
    for measure in MAIN.values():
        found = learning_curves(systems, measure)
        if found:
            svg = figures.curves(found, "training narratives", measure.title)
            section.draw(svg, f"{measure.title}: mean and standard deviation over runs.")
            rows = [
                [curve.name, f"{x:,.0f}", _spread(values)]
                for curve in found
                for x, values in zip(curve.x, curve.y, strict=True)
            ]
            section.tabulate(("system", "narratives", measure.title), rows)
    return section


def _noise(systems: Sequence[System]) -> Section:
    section = Section("Noise in the first step")
    found = noise_curves(systems)
    if not found:
        return section
    section.draw(
        figures.noise(found),
        "The second step when a share of the gold labels of the first is replaced; dotted, with a "
        "band of a standard deviation: the single task.",
    )
    rows = [
        [
            item.curve.name,
            item.measure.title,
            item.reference or DASH,
            *(_even(item.even.rate, item.even.low, item.even.high) if item.even else (DASH, DASH)),
        ]
        for item in found
    ]
    heads = ("setting, noise", "measure", "single task", "break-even", "95% band")
    section.tabulate(heads, rows, "Where two steps fall below the single task")
    return section


def _even(rate: float | None, low: float, high: float) -> tuple[str, str]:
    def shown(value: float | None) -> str:
        return "never" if value is None or value == float("inf") else f"{value:.0%}"

    return shown(rate), f"{shown(low)} to {shown(high)}"


def _confusions(systems: Sequence[System]) -> Section:
    section = Section("Confusions of the valence")
    for system in systems:
        if VALENCE in system.tasks and system.given != VALENCE:
            table = confusion(system)
            rows: list[list[str | Cell]] = []
            for label, row in zip(VALENCES, table.tolist(), strict=True):
                total = sum(row) or 1
                shown = [f"{n:,} ({n / total:.0%})" for n in row]
                own = VALENCES.index(label)
                rows.append([label, *(Cell(s, i == own) for i, s in enumerate(shown))])
            heads = ("gold, predicted", *VALENCES)
            section.tabulate(heads, rows, f"{system.name}, units of all runs")
    return section


def _challenge(systems: Sequence[System]) -> Section:
    section = Section("The difficult set")
    found = challenge_scores(systems)
    if found:
        names = list(dict.fromkeys(name for scores in found.values() for name in scores))
        section.say("Share of the target units whose valence is right, mean over runs.")
        rows = [
            [name, *(f"{s[name]:.0%}" if name in s else DASH for s in found.values())]
            for name in names
        ]
        section.tabulate(("system", *found), rows)
    return section


def _calibration(systems: Sequence[System]) -> Section:
    section = Section("Calibration")
    rows = []
    for task, title in ((VALENCE, "valence of gold units"), (CARRIERS, "predicted carriers")):
        drawn: dict[str, list[tuple[str, list[ReliabilityBin]]]] = {"as it is": [], TEMPERED: []}
        for system in systems:
            found = calibration(system, task)
            if found is None:
                continue
            for stage, given in zip(drawn, (found.before, found.after), strict=True):
                if given is not None:
                    bins, _ = reliability(given.confidence, given.right)
                    drawn[stage].append((system.name, bins))
            before, after = found.before, found.after or Predictions.joined([])
            rows.append(
                [
                    system.name,
                    title,
                    f"{len(before):,}",
                    _temperature(found.fits),
                    _rounded(before.calibration_error),
                    _rounded(after.calibration_error),
                    _rounded(before.negative_log_likelihood),
                    _rounded(after.negative_log_likelihood),
                ]
            )
        for stage, curves in drawn.items():
            if curves:
                caption = (
                    f"Reliability of the {title}, {stage}: on the diagonal, confidence is the "
                    "share right."
                )
                section.draw(figures.reliability(curves, f"{title}, {stage}"), caption)
    if rows:
        section.say(
            "As the systems are, and after a temperature T that is fitted for each run to its "
            "predictions on the dev part, by negative log-likelihood (NLL); the test part, which "
            "is shown, chooses nothing. For the valence the logits are divided by T. A carrier "
            "counts as right when it overlaps a gold one; the logit of its probability is divided "
            "by T, all else being fixed (Platt scaling without an offset). T is left at 1 for "
            f"fewer than {LEAST} predictions on dev, and where all of them are right or wrong. "
            "ECE is the expected calibration error in ten bins."
        )
        heads = ("system", "of", "predictions", "T", "ECE", "after", "NLL", "after")
        section.tabulate(heads, rows)
    return section


def _rounded(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _temperature(fits: Sequence[Fit]) -> str:
    """Mean and deviation over runs, and in how many of them it was fitted."""
    fitted = [fit.temperature for fit in fits if fit.kept is None]
    text = _spread(fitted, 2)
    return text if len(fitted) in (0, len(fits)) else f"{text} ({len(fitted)} of {len(fits)} runs)"


def _worst(systems: Sequence[System], texts: Sequence[Narrative] | None) -> Section:
    section = Section("Errors worth reading")
    key = MAIN[VALENCE].key
    own = [system for system in systems if system.given is None and system.values(key)]
    for system in sorted(own, key=lambda s: float(np.mean(s.values(key))), reverse=True):
        found = worst_units(system)
        if not found:
            continue
        section.say(
            f"The {len(found)} units whose gold label gets least from {system.name}, mean "
            "probability over seeds; id and offsets of the narrative."
        )
        by_id = {narrative.id: narrative.text for narrative in texts or ()}
        heads = ["narrative", "from", "to", "gold", "predicted", "P(gold)"]
        rows = [
            [u.id, str(u.start), str(u.end), u.gold, u.predicted, f"{u.score:.3f}"] for u in found
        ]
        if texts is not None:
            heads.append("text")
            for row, unit in zip(rows, found, strict=True):
                row.append(by_id.get(unit.id, "")[unit.start : unit.end])
        section.tabulate(heads, rows)
        break
    return section


def _environment(records: Sequence[Record]) -> Section:
    section = Section("Environment")
    facts: dict[str, set[str]] = {}
    for record in records:
        environment = record["environment"]
        for name, value in (
            ("data, SHA-256", record["data"]["sha256"]),
            ("revision", environment["revision"]),
            ("Python", environment["python"]),
            ("hardware", environment["hardware"]),
            *environment["libraries"].items(),
        ):
            facts.setdefault(name, set()).add(str(value) if value is not None else DASH)
    rows = [[name, "; ".join(sorted(values))] for name, values in facts.items()]
    section.say(f"{len(records)} runs. A + behind a revision: files had been altered.")
    section.tabulate(("", "value"), rows)
    return section


def to_html(sections: Sequence[Section]) -> str:
    """One page that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2").render(title=TITLE, sections=sections)


def to_markdown(sections: Sequence[Section]) -> str:
    """Figures are in the page alone."""
    lines = [f"# {TITLE}", ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            if block.kind == "text":
                lines += [_escaped(block.text), ""]
            elif block.kind == "figure":
                lines += [f"*{_escaped(block.caption)}* (in report.html)", ""]
            else:
                if block.caption:
                    lines += [f"**{_escaped(block.caption)}**", ""]
                lines.append("| " + " | ".join(map(_escaped, block.heads)) + " |")
                lines.append("| --- " + "| ---: " * (len(block.heads) - 1) + "|")
                for row in block.rows:
                    cells = (_escaped(c.text) for c in row)
                    shown = (
                        f"**{text}**" if c.bold else text
                        for c, text in zip(row, cells, strict=True)
                    )
                    lines.append("| " + " | ".join(shown) + " |")
                lines.append("")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Plain text in Markdown: no markup, no tag, one line."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]|])", r"\\\1", text)


LATEX = {"\\": r"\textbackslash{}", "–": "--", "±": r"$\pm$", "†": r"$\dagger$", "*": "$^{*}$"}
LATEX |= {char: "\\" + char for char in "&%$#_{}"} | {"~": r"\textasciitilde{}"}
LATEX |= {"^": r"\textasciicircum{}"}


def to_latex(table: Block) -> str:
    """A tabular environment with booktabs' rules."""

    def cell(found: Cell) -> str:
        text = "".join(LATEX.get(char, char) for char in found.text)
        return rf"\textbf{{{text}}}" if found.bold else text

    lines = [r"\begin{tabular}{l" + "r" * (len(table.heads) - 1) + "}", r"\toprule"]
    lines.append(" & ".join(cell(Cell(head)) for head in table.heads) + r" \\")
    lines.append(r"\midrule")
    lines += [" & ".join(map(cell, row)) + r" \\" for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def results_csv(systems: Sequence[System]) -> str:
    """One line a run and mode, with every metric."""
    keys = sorted({key for s in systems for e in s.evaluations for key in e["metrics"]})
    own = ("setting", "backbone", "mode", "seed", "fold", "train_share")
    costs = ("parameters", "train_seconds", "peak_memory")
    rows: list[Mapping[str, object]] = [
        {
            **{name: run["run"][name] for name in own if name != "mode"},
            "mode": system.mode,
            **{name: run[name] for name in costs},
            "inference_seconds": evaluation["inference_seconds"],
            **evaluation["metrics"],
        }
        for system in systems
        for run, evaluation in zip(system.runs, system.evaluations, strict=True)
    ]
    return _csv([*own, *costs, "inference_seconds", *keys], rows)


def comparisons_csv(tested: Sequence[Tested]) -> str:
    """One line a comparison."""
    names = ("system", "reference", "measure", "difference", "low", "high", "p", "p_holm", "d")
    rows = [
        {
            "system": t.system.name,
            "reference": t.reference.name,
            "measure": t.measure.key,
            "difference": t.comparison.difference,
            "low": t.comparison.low,
            "high": t.comparison.high,
            "p": t.comparison.p_value,
            "p_holm": t.adjusted,
            "d": t.cohen_d,
            "delta": t.cliffs_delta,
        }
        for t in tested
    ]
    return _csv([*names, "delta"], rows)


def _csv(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
