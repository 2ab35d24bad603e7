"""docs/generative.md against the code that prints its examples."""

import runpy
import textwrap

from helpers import ROOT


def test_the_examples_are_those_of_the_code() -> None:
    printed = runpy.run_path(str(ROOT / "docs" / "make_prompts.py"))["examples"]()
    parts = printed.split("```")
    prompts = [part.removeprefix("text\n").rstrip("\n") for part in parts[1::2]]
    assert len(prompts) == 5
    document = (ROOT / "docs" / "generative.md").read_text("utf-8")
    for heading, prompt in zip(parts[::2], prompts, strict=False):
        assert f"{heading.strip()}\n\n{textwrap.indent(prompt, '    ')}\n" in document
