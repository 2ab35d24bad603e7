"""Analyzed narratives that tests of the page share: figures that can be followed by hand."""

from typing import Any

NEGATIVE, NEUTRAL, POSITIVE = "negative", "neutral", "positive"

Record = dict[str, Any]

# By valence: probabilities of negative, neutral, positive.
SURE = {NEGATIVE: (0.9, 0.1, 0.0), NEUTRAL: (0.1, 0.8, 0.1), POSITIVE: (0.0, 0.1, 0.9)}
DOUBTFUL = (0.45, 0.40, 0.15)  # negative, by a margin of 0.05


def a_record(identity: str, *units: tuple[str, str, str], **fields: Any) -> Record:
    """units: text, its valence ("doubtful": negative by a small margin), its carrier or nothing."""
    record: Record = {"id": identity, "text": "", "units": [], "carriers": []} | fields
    for text, valence, carrier in units:
        start = len(record["text"])
        record["text"] += text
        row = DOUBTFUL if valence == "doubtful" else SURE[valence]
        record["units"].append(
            {
                "start": start,
                "end": start + len(text),
                "valence": NEGATIVE if valence == "doubtful" else valence,
                "scores": dict(zip((NEGATIVE, NEUTRAL, POSITIVE), row, strict=True)),
            }
        )
        if carrier:
            at = record["text"].index(carrier, start)
            record["carriers"].append({"start": at, "end": at + len(carrier), "score": 0.75})
        record["text"] += " "
    return record


def some_records() -> list[Record]:
    """Three of Anna, in another order than that of time, two of Bruno, one of nobody."""
    return [
        a_record(
            "a2",
            ("Il treno era in ritardo.", NEGATIVE, "Il treno"),
            ("Poi a casa.", NEUTRAL, ""),
            narrator="Anna",
            date="2024-03-01",
            lang="it",
        ),
        a_record(
            "a1",
            ("Che gioia, perché è tornata.", POSITIVE, "è tornata"),
            narrator="Anna",
            date="2024-01-15",
        ),
        a_record(
            "a3",
            ("Forse il treno, forse no 🎉.", "doubtful", "il treno"),
            narrator="Anna",
            date="2024-03-20",
            mode="typed",
        ),
        a_record("b1", ("Sono uscito.", NEUTRAL, ""), narrator="Bruno", date="ieri"),
        {"id": "b2", "text": "Solo testo, senza analisi.", "narrator": "Bruno"},
        a_record("x", ("Brutto.", NEGATIVE, ""), ("Bello.", POSITIVE, "Bello")),
    ]


HOSTILE = "</script><script>document.title='taken'</script><!--<script><img src=x onerror=alert(1)>"
ATTRIBUTE = "\" onmouseover='document.title=1' x=\"&lt;"
# Turns the direction of writing and does not turn it back; a NUL; what ends a line in a program.
CONTROL = "a\x00b \u202eotlom \u2066 \u2028 \u2029 \x07\x1b[31m fine"


def hostile_records() -> list[Record]:
    long = ("Ieri sono andata al mare e mi sono annoiata. ", "neutral", "")
    return [
        a_record(HOSTILE, (HOSTILE, "negative", "alert"), narrator=HOSTILE, date=HOSTILE),
        a_record("attribute", (ATTRIBUTE, "positive", ""), narrator=ATTRIBUTE, lang=ATTRIBUTE),
        a_record("control", (CONTROL, "positive", "otlom"), note={"half": "\ud83c", "x": [1]}),
        a_record("long", *[long] * 1100, narrator="long"),
        a_record("empty", narrator=" ", date=None),
        a_record("emoji", ("👩‍👩‍👧 e 🎉", "neutral", ""), (" torta", "positive", "torta")),
    ]
