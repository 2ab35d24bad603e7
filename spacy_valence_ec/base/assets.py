"""The files of the base that are shipped, and their checksums."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


def asset_path(name: str) -> Path:
    return ASSETS / name
