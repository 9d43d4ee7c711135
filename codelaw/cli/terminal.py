"""Tables and numbers on a terminal.

Sizes have three digits, and so have numbers from ten millions: tables are for
80 columns, and exact numbers are in files.
"""

from collections.abc import Sequence

from rich import box
from rich import console as rich_console
from rich import table as rich_table
from rich import text as rich_text

_FILE_WIDTH = 160


def size(num_bytes: int) -> str:
  """Bytes in three digits.

  >>> size(999), size(43_210), size(5_000_000)
  ('999 B', '43.2 kB', '5.00 MB')
  """
  if num_bytes < 1000:
    return f'{num_bytes} B'
  return f'{_three_digits(num_bytes)}B'


def count(number: int) -> str:
  """A number of documents or tokens: exact up to ten millions."""
  return f'{number:,}' if number < 10**7 else _three_digits(number)


def _three_digits(number: float) -> str:
  prefixes = iter(' kMGTP')
  prefix = next(prefixes)
  while number >= 999.5:
    number, prefix = number / 1000, next(prefixes)
  digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
  return f'{number:.{digits}f} {prefix}'


def share(part: float, whole: float) -> str:
  """A part of a whole in percent; a dash for a part of nothing."""
  return f'{part / whole:.1%}' if whole else '-'


def table(
  title: str, names: Sequence[str], numbers: Sequence[str]
) -> rich_table.Table:
  """An empty table.

  Args:
    title: what it shows (see `titled`).
    names: headings of the columns on the left; long entries are folded.
    numbers: headings of the others, whose entries stay whole.
  """
  found = rich_table.Table(
    title=title,
    box=box.SIMPLE_HEAD,
    pad_edge=False,
    padding=(0, 1, 0, 0),
  )
  for name in names:
    found.add_column(name, overflow='fold')
  for name in numbers:
    found.add_column(name, justify='right', no_wrap=True)
  return found


def wide_console() -> rich_console.Console:
  """Shows wide tables whole where it is no terminal that folds them."""
  console = rich_console.Console(highlight=False)
  if not console.is_terminal:
    console.width = max(console.width, _FILE_WIDTH)
  return console


def titled(rows: rich_table.Table) -> rich_console.RenderableType:
  """A table below its title, which is not wrapped at the table's width."""
  title, rows.title = str(rows.title), None
  return rich_console.Group(rich_text.Text(title, style='bold'), rows)
