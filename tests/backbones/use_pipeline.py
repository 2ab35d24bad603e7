"""Run by the tests in a process of its own: use a packaged pipeline where there is no network
and where its encoder's folder is gone, first alone, then in two worker processes of each kind.

Arguments: the folder of the package, the folder that is gone, an empty folder for the results,
and the texts.
"""

import json
import multiprocessing
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

PACKAGE, GONE, RESULTS, *TEXTS = sys.argv[1:]
LIMITS = {"fork": 60, "spawn": 180}  # seconds; a spawned worker first imports everything


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise RuntimeError(f"the network was asked for: {arguments}")
    if event == "open" and str(arguments[0]).startswith(GONE):
        raise RuntimeError(f"the encoder's folder was asked for: {arguments[0]}")


sys.addaudithook(forbid)
sys.path.insert(0, PACKAGE)

import it_tiny  # noqa: E402
import torch  # noqa: E402
from spacy.tokens import Doc  # noqa: E402
from transformers import BertModel  # noqa: E402

forward = BertModel.forward


def counting_forward(self: BertModel, *args: Any, **kwargs: Any) -> Any:
    """Note with how many threads each process runs the encoder."""
    path = Path(RESULTS) / f"{os.environ['WAY']}-{os.getpid()}"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{torch.get_num_threads()}\n")
    return forward(self, *args, **kwargs)


BertModel.forward = counting_forward  # spawned workers import this module too


def result(doc: Doc) -> dict[str, Any]:
    units = doc.spans["fu"]
    carriers = doc.spans["ec"]
    return {
        "units": [(unit.start, unit.end, unit.label_) for unit in units],
        "scores": units.attrs["scores"].tolist(),
        "carriers": [(carrier.start, carrier.end) for carrier in carriers],
        "carrier_scores": carriers.attrs["scores"].tolist(),
    }


def hung(*_: Any) -> None:
    """Leave, and take the workers along, which would hang for ever."""
    print(f"{os.environ['WAY']}: the workers hang", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    warnings.simplefilter("error")
    # Python 3.12 warns of what is tested here.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    torch.set_num_threads(2)
    nlp = it_tiny.load()
    os.environ["WAY"] = "alone"
    results = {"alone": [result(doc) for doc in nlp.pipe(TEXTS)]}
    signal.signal(signal.SIGALRM, hung)
    for way, limit in LIMITS.items():
        os.environ["WAY"] = way
        multiprocessing.set_start_method(way, force=True)
        signal.alarm(limit)
        results[way] = [result(doc) for doc in nlp.pipe(TEXTS, n_process=2, batch_size=1)]
        signal.alarm(0)
    (Path(RESULTS) / "results.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
