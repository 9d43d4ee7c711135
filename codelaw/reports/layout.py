"""A page: what a report shows, in the order in which it is read.

The HTML page and TensorBoard show the same `Page`.
"""

import dataclasses

from matplotlib import figure as figure_lib
import pandas as pd

from codelaw.reports import findings
from codelaw.reports import tables


@dataclasses.dataclass(frozen=True)
class Picture:
  """A figure and what is said about it.

  Attributes:
    name: unique in a report.
    figure: to draw.
    caption: one or two sentences on how to read it.
    data: the numbers it draws, to download; None where a table beside it
      holds them.
  """

  name: str
  figure: figure_lib.Figure
  caption: str
  data: pd.DataFrame | None = None


@dataclasses.dataclass(frozen=True)
class Section:
  """One step of the study."""

  title: str
  pictures: tuple[Picture, ...]
  tables: tuple[tables.Table, ...]


@dataclasses.dataclass(frozen=True)
class Page:
  """A whole report.

  Attributes:
    name: of what it is about.
    answer: its head.
    warnings: reasons for doubt, in words.
    sections: in the order in which they are read.
    commands: (words, command line) for what to do next.
    provenance: where the numbers come from.
    files: (file name, JSON text) of what the page was made from, to download.
  """

  name: str
  answer: findings.Answer
  warnings: tuple[str, ...]
  sections: tuple[Section, ...]
  commands: tuple[tuple[str, str], ...]
  provenance: tables.Table
  files: tuple[tuple[str, str], ...] = ()
