"""`valence-ec pretrain-text`: the text that a small language model is pretrained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ..pretraining.text import Counts

Configs = Annotated[
    Path, typer.Option(help="Folder that holds pretraining/.", exists=True, file_okay=False)
]


def pretrain_text(
    sources: Annotated[
        Path, typer.Argument(help="Folder of the public corpora.", exists=True, file_okay=False)
    ],
    output: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")],
    setting: Annotated[
        str, typer.Option(help="A file of configs/pretraining: its [text] is followed.")
    ] = "mini",
    narratives: Annotated[
        Path, typer.Option(help="Annotated narratives; those with split 'train' are taken.")
    ] = Path("corpus/narratives.jsonl"),
    configs: Configs = Path("configs"),
) -> None:
    """Clean public Italian text, remove duplicates, and hold a part of the documents out.

    Writes train.jsonl, dev.jsonl and counts.json, which has the sizes, the licenses and a hash of
    each file. No text of a dev or test narrative is taken.

    Example: valence-ec pretrain-text sources data/pretraining
    """
    from ..pretraining.settings import read_settings
    from ..pretraining.text import prepare_text

    settings = read_settings(setting, configs)
    counts = prepare_text(sources, narratives, output, settings.text)
    Console().print(_table(counts))


def _table(counts: "Counts") -> Table:
    table = Table("source", "license", "documents", "words", "held out", "duplicates")
    for column in table.columns[2:]:
        column.justify = "right"
    for name, source in counts["sources"].items():
        table.add_row(
            name,
            source["license"],
            f"{source['train']['documents']:,}",
            f"{source['train']['words']:,}",
            f"{source['dev']['words']:,}",
            f"{source['duplicates_removed']:,}",
        )
    table.add_section()
    total = counts["total"]
    table.add_row(
        "total",
        "",
        f"{total['train']['documents']:,}",
        f"{total['train']['words']:,}",
        f"{total['dev']['words']:,}",
        "",
    )
    return table
