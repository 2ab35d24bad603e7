"""Run by the tests in a process of its own: use a packaged pipeline where there is no network
and where its encoder's folder is gone, alone and in two worker processes.

Arguments: the folder of the package, the folder that is gone, the start method of the
workers, an empty folder for the results, and the texts.
"""

import json
import multiprocessing
import os
import sys
import warnings
from pathlib import Path
from typing import Any

PACKAGE, GONE, METHOD, RESULTS, *TEXTS = sys.argv[1:]


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
    with (Path(RESULTS) / f"threads-{os.getpid()}").open("a", encoding="utf-8") as file:
        file.write(f"{torch.get_num_threads()}\n")
    return forward(self, *args, **kwargs)


BertModel.forward = counting_forward


def result(doc: Doc) -> dict[str, Any]:
    units = doc.spans["fu"]
    carriers = doc.spans["ec"]
    return {
        "units": [(unit.start, unit.end, unit.label_) for unit in units],
        "scores": units.attrs["scores"].tolist(),
        "carriers": [(carrier.start, carrier.end) for carrier in carriers],
        "carrier_scores": carriers.attrs["scores"].tolist(),
    }


def main() -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(2)
    nlp = it_tiny.load()
    results = {"pid": os.getpid(), "alone": [result(doc) for doc in nlp.pipe(TEXTS)]}
    multiprocessing.set_start_method(METHOD, force=True)
    docs = nlp.pipe(TEXTS, n_process=2, batch_size=1)
    results["workers"] = [result(doc) for doc in docs]
    (Path(RESULTS) / "results.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
