"""A report as one HTML file that needs nothing but a browser."""

from collections.abc import Sequence
from typing import Any

import jinja2

from codelaw.reports import downloads
from codelaw.reports import layout
from codelaw.reports import svg
from codelaw.reports import tables


def render(page: layout.Page) -> str:
  """HTML: conclusion, warnings, answer, figures and tables, next steps.

  Everything is inline, also the files to download; the page loads no other
  resource, runs no script, follows the reader's light or dark setting, and
  is the same text for the same content.
  """
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('codelaw.reports', ''),
    autoescape=True,
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  sections = [
    {
      'title': section.title,
      'pictures': [_picture(picture) for picture in section.pictures],
      'tables': [
        _table(table, f'{section.title} {table.title}')
        for table in section.tables
      ],
    }
    for section in page.sections
  ]
  return environment.get_template('page.html.j2').render(
    name=page.name,
    answer=page.answer,
    warnings=page.warnings,
    sections=sections,
    commands=page.commands,
    provenance=_table(page.provenance, 'provenance'),
    files=[downloads.of_json(name, text) for name, text in page.files],
  )


def _picture(picture: layout.Picture) -> dict[str, Any]:
  data = picture.data
  return {
    'name': picture.name.replace('_', ' '),
    'svg': svg.inline(picture.figure, picture.name, picture.caption),
    'caption': picture.caption,
    'link': None if data is None else downloads.of_table(picture.name, data),
  }


def _table(table: tables.Table, name: str) -> dict[str, Any]:
  return {
    'title': table.title,
    'caption': table.caption,
    'headings': table.headings,
    'rows': table.rows,
    'words': [_words(cells) for cells in zip(*table.rows, strict=True)],
    'link': downloads.of_table(name, table.numbers),
  }


def _words(cells: Sequence[str]) -> bool:
  """Whether a column holds words, which read better from the left."""
  return any(cell and cell[0] not in '+-–.0123456789' for cell in cells)
