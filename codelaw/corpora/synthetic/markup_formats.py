"""Pages of blocks as Markdown, reStructuredText and HTML.

A page is a sequence of blocks. Their sentences mark code with backquotes,
which every format turns into its own notation.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import html
import re
import textwrap

from codelaw.corpora.synthetic import notation

_WIDTH = 79
_CODE = re.compile('`([^`]*)`')


@dataclasses.dataclass(frozen=True)
class Heading:
  """A heading; the title of the page has level 1."""

  text: str
  level: int = 2


@dataclasses.dataclass(frozen=True)
class Paragraph:
  """Sentences."""

  text: str


@dataclasses.dataclass(frozen=True)
class Code:
  """Lines of code of a language."""

  lines: Sequence[str]
  language: str


@dataclasses.dataclass(frozen=True)
class Table:
  """A header and rows of as many cells."""

  header: Sequence[str]
  rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Items:
  """A list, numbered or not."""

  items: Sequence[str]
  is_numbered: bool = False


Block = Heading | Paragraph | Code | Table | Items


def markdown(page: Sequence[Block]) -> str:
  """A page as Markdown with pipe tables and fenced code."""
  return '\n\n'.join(map(_markdown_block, page)) + '\n'


def _markdown_block(block: Block) -> str:
  match block:
    case Heading():
      return f'{"#" * block.level} {block.text}'
    case Paragraph():
      return _wrapped(block.text)
    case Code():
      label = notation.fence_label(block.language)
      return '\n'.join(notation.fenced(block.lines, label))
    case Table():
      rows = [block.header, ['---'] * len(block.header), *block.rows]
      cells = ([cell.replace('|', '\\|') for cell in row] for row in rows)
      return '\n'.join(f'| {" | ".join(row)} |' for row in cells)
    case Items():
      return '\n'.join(
        f'{f"{place}." if block.is_numbered else "-"} {item}'
        for place, item in enumerate(block.items, 1)
      )


def restructured_text(page: Sequence[Block]) -> str:
  """A page as reStructuredText."""
  return '\n\n'.join(map(_rst_block, page)) + '\n'


def _rst_block(block: Block) -> str:
  match block:
    case Heading():
      text = _CODE.sub(r'``\1``', block.text)
      return f'{text}\n{"=-~"[block.level - 1] * len(text)}'
    case Paragraph():
      return _wrapped(_CODE.sub(r'``\1``', block.text))
    case Code():
      label = notation.fence_label(block.language)
      lines = [f'   {line}'.rstrip() for line in block.lines]
      return '\n'.join([f'.. code-block:: {label}', '', *lines])
    case Table():
      lines = ['.. list-table::', '   :header-rows: 1', '']
      for row in (block.header, *block.rows):
        starts = ('   * - ', *('     - ' for _ in row[1:]))
        lines += [
          start + _CODE.sub(r'``\1``', cell)
          for start, cell in zip(starts, row, strict=True)
        ]
      return '\n'.join(lines)
    case Items():
      start = '#. ' if block.is_numbered else '* '
      return '\n'.join(
        start + _CODE.sub(r'``\1``', item) for item in block.items
      )


def web_page(page: Sequence[Block]) -> str:
  """A page as an HTML document; the first heading is its title."""
  titles = [block.text for block in page if isinstance(block, Heading)]
  title = html.escape(titles[0].replace('`', ''))
  return '\n'.join(
    [
      '<!DOCTYPE html>',
      '<html lang="en">',
      '<head>',
      '<meta charset="utf-8">',
      f'<title>{title}</title>',
      '</head>',
      '<body>',
      *map(_html_block, page),
      '</body>',
      '</html>\n',
    ]
  )


def web_fragment(page: Sequence[Block]) -> str:
  """A page as the content of an HTML section."""
  return '\n'.join(['<section>', *map(_html_block, page), '</section>\n'])


def _html_block(block: Block) -> str:
  match block:
    case Heading():
      return f'<h{block.level}>{_inline(block.text)}</h{block.level}>'
    case Paragraph():
      return _wrapped(f'<p>{_inline(block.text)}</p>')
    case Code():
      label = notation.fence_label(block.language)
      text = html.escape('\n'.join(block.lines), quote=False)
      return f'<pre><code class="language-{label}">{text}\n</code></pre>'
    case Table():
      lines = ['<table>', _row(block.header, 'th')]
      lines += [_row(row, 'td') for row in block.rows]
      return '\n'.join([*lines, '</table>'])
    case Items():
      kind = 'ol' if block.is_numbered else 'ul'
      items = [f'  <li>{_inline(item)}</li>' for item in block.items]
      return '\n'.join([f'<{kind}>', *items, f'</{kind}>'])


def _row(cells: Sequence[str], tag: str) -> str:
  inner = ''.join(f'<{tag}>{_inline(cell)}</{tag}>' for cell in cells)
  return f'  <tr>{inner}</tr>'


def _inline(text: str) -> str:
  return _CODE.sub(r'<code>\1</code>', html.escape(text, quote=False))


def _wrapped(text: str) -> str:
  """Lines of at most 79 characters that never break inside code."""
  held = re.sub(
    r'`[^`]*`|<code>.*?</code>',
    lambda match: match[0].replace(' ', '\0'),
    text,
  )
  lines = textwrap.wrap(
    held, _WIDTH, break_long_words=False, break_on_hyphens=False
  )
  return '\n'.join(lines).replace('\0', ' ')


# Language of the document -> how to write it.
FORMATS: Mapping[str, tuple[Callable[[Sequence[Block]], str], ...]] = {
  'markdown': (markdown,),
  'html': (web_page, web_fragment),
  'restructuredtext': (restructured_text,),
}
