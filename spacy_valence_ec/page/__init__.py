"""What a psychologist reads: a page of analyzed narratives, figures of each person, and plots."""

from .people import People, summarize_people
from .plots import write_plots
from .render import render_page, write_page

__all__ = ["People", "render_page", "summarize_people", "write_page", "write_plots"]
