"""Public corpora of a few invented sentences, in the layout of the real ones, and narratives."""

import json
from dataclasses import asdict
from pathlib import Path

from helpers import ROOT

from spacy_valence_ec.pretraining.settings import Settings, check_settings, read_settings

SHARED = "Questa riga sta in due romanzi."
FORBIDDEN = "Il tucano viola ha chiesto la fattura."  # a line of a dev narrative
PLACES = ("Napoli", "Torino", "Bari", "Lecce", "Como", "Siena", "Pisa", "Terni", "Udine", "Asti")


def sentences(person: str) -> list[str]:
    return [
        f"{person} è partita per {place} alle {hour}: «Perché non c'è l'autobus?», chiedeva già."
        for hour, place in enumerate(PLACES, 7)
    ]


def save_sources(root: Path) -> Path:
    """The sources of `corpus.sources`, each of several documents."""
    for name, person in (("Uno", "Anna"), ("Due", "Rosa"), ("Tre", "Lina")):
        write(
            root / f"eltec_ita/Orig/{name}_1880.txt",
            *(f"{line}\n" for line in (*sentences(person), SHARED, "[12] . . . [13]")),
        )
    write(
        root / "common_voice_it/server/data/it/frasi.txt",
        *(f"A {place} è successo di tutto, po' per volta." for place in PLACES),
        SHARED.upper(),
        FORBIDDEN,
    )
    write(
        root / "xed_it/subtitle-retrieval/students/pairs-it.txt",
        *(
            f"en\tfilm{number}\t1\t1\tHi.\t- {line}"
            for number in range(3)
            for line in sentences(f"Ida{number}")
        ),
    )
    write(
        root / "emoita/corpus/EmoITA.csv",
        "id,text,V,A,D",
        *(
            f'doc{i % 5}_{i}_{i + 9},"A {place} che {"gioia" if i % 2 else "rabbia"}, nel {i}.",'
            f"{4.2 if i % 2 else 1.8},3.0,3.0"
            for i, place in enumerate(PLACES * 4)
        ),
    )
    for part, shift in (("train", 0), ("dev", 100)):
        write(
            root / f"ud_twittiro/it_twittiro-ud-{part}.conllu",
            *(tree(i + shift, place) for i, place in enumerate(PLACES)),
        )
    return root


def tree(number: int, place: str) -> str:
    words = [
        ("Che", "DET"),
        (f"bello{number}", "ADJ"),
        ("a", "ADP"),
        (place, "PROPN"),
        ("!", "PUNCT"),
    ]
    rows = [f"{i}\t{word}\t_\t{tag}\t_\t_\t0\t_\t_\t_" for i, (word, tag) in enumerate(words, 1)]
    return "\n".join([f"# text = Che bello{number} a {place}!", *rows, ""])


def save_narratives(path: Path) -> Path:
    """Eight of the corpus's narratives for training, and one each, of ours, for dev and test."""
    lines = (ROOT / "corpus" / "narratives.jsonl").read_text("utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["split"] == "train"][:8]
    for number, part in enumerate(("dev", "test")):
        text = f"{FORBIDDEN}\nPoi zanzibar{number} e basta."
        units = [{"start": 0, "end": len(text), "valence": "neutral"}]
        records.append({"id": f"secret-{part}", "narrator": f"x{number}", "split": part})
        records[-1] |= {"text": text, "units": units, "carriers": []}
    write(path, *map(json.dumps, records))
    return path


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings_of(name: str, **changes: dict[str, object]) -> Settings:
    """A setting of configs/pretraining, with other values in some sections."""
    values = asdict(read_settings(name, ROOT / "configs"))
    for section, fields in changes.items():
        values[section] = {**(values[section] or {}), **fields}
    return check_settings(values, Path(f"{name}.cfg"))
