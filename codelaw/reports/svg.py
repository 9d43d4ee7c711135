"""Figures as SVG inside a page: its ink, its font, names that do not clash."""

import html
import io
import re
from typing import Any

import matplotlib
from matplotlib import figure as figure_lib

from codelaw.reports import figures

_INKS = {
  figures.INK: 'var(--ink)',
  figures.MUTED: 'var(--muted)',
  figures.GRID: 'var(--grid)',
}


def inline(figure: figure_lib.Figure, name: str, description: str) -> str:
  """The figure as one `<svg>` element, the same text for the same figure.

  Args:
    figure: to draw; its neutral inks become the page's CSS variables.
    name: unique in the page; keeps the element ids of figures apart.
    description: for readers who do not see it.
  """
  stream = io.StringIO()
  # Text stays text: smaller, searchable, in the page's own font.
  settings: Any = {'svg.fonttype': 'none', 'svg.hashsalt': name}
  with matplotlib.rc_context(settings):
    figure.savefig(
      stream, format='svg', transparent=True, metadata={'Date': None}
    )
  text = stream.getvalue()
  text = text[text.index('<svg') :]
  text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
  for colour, variable in _INKS.items():
    text = text.replace(colour, variable)
  # Ids that matplotlib does not salt, and that nothing refers to.
  text = re.sub(
    r' id="(?:figure|axes|patch|text|line2d|xtick|ytick|matplotlib'
    r'|legend|LineCollection|QuadMesh|FillBetween\w*|PolyCollection'
    r')[^"]*"',
    '',
    text,
  )
  label = html.escape(description)
  return text.replace('<svg ', f'<svg role="img" aria-label="{label}" ', 1)
