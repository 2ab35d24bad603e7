"""Run by the tests in a process of its own: use a packaged pipeline where there is no network and
where the first folder of its language model is gone, alone, then in worker processes.

Arguments: the folder of the package, the folder that is gone, the file for the results, the texts.
"""

import json
import multiprocessing
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

LIMIT = 180  # seconds for each kind of worker: a spawned one first imports everything
PACKAGE, GONE, RESULTS, *TEXTS = sys.argv[1:]


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise RuntimeError(f"the network was asked for: {arguments}")
    if event == "open" and str(arguments[0]).startswith(GONE):
        raise RuntimeError(f"the first folder was asked for: {arguments[0]}")


sys.addaudithook(forbid)
sys.path.insert(0, PACKAGE)

import it_generative  # noqa: E402
from spacy.tokens import Doc  # noqa: E402


def result(doc: Doc) -> dict[str, Any]:
    judged = doc.spans["ec_candidates"]
    return {
        "units": [(unit.start, unit.end, unit.label_) for unit in doc.spans["fu"]],
        "scores": doc.spans["fu"].attrs["scores"].tolist(),
        "valence": doc._.valence,
        "arc": doc._.valence_arc,
        "judged": [(span.start, span.end, span.label_) for span in judged],
        "judged_scores": judged.attrs["scores"].tolist(),
        "carriers": [(span.start, span.end) for span in doc._.emotion_carriers],
    }


def hung(*_: Any) -> None:
    """Leave, and take the workers along, which would hang for ever."""
    print("the workers hang", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    warnings.simplefilter("error")
    # Python 3.12 warns of what is tested here.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    nlp = it_generative.load()
    results = {"alone": [result(doc) for doc in nlp.pipe(TEXTS)]}
    signal.signal(signal.SIGALRM, hung)
    for way in ("fork", "spawn"):
        multiprocessing.set_start_method(way, force=True)
        signal.alarm(LIMIT)
        results[way] = [result(doc) for doc in nlp.pipe(TEXTS, n_process=2, batch_size=1)]
        signal.alarm(0)
    Path(RESULTS).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
