import io

from rich import console as rich_console

from codelaw.cli import terminal


def test_sizes_have_three_digits():
  found = [terminal.size(n) for n in (0, 999, 1000, 99_949, 99_951, 10**12)]
  assert found == ['0 B', '999 B', '1.00 kB', '99.9 kB', '100 kB', '1.00 TB']
  assert terminal.count(9_999_999) == '9,999,999'
  assert terminal.count(12_345_678) == '12.3 M'


def _lines(width):
  rows = terminal.table('A long title of it', ['source'], ['tokens', 'share'])
  rows.add_row('code/python', '1,234,567', terminal.share(1, 3))
  rows.add_row('code/a_longer_name', '89', terminal.share(1, 0))
  out = rich_console.Console(file=io.StringIO(), width=width)
  out.print(terminal.titled(rows))
  return [line.rstrip() for line in out.file.getvalue().split('\n')]


def test_names_fold_and_numbers_do_not():
  lines = _lines(28)
  assert lines[0] == 'A long title of it'
  shown = '\n'.join(lines)
  assert '1,234,567' in shown
  assert '33.3%' in shown
  assert 'code/a_longer_name' not in shown
  assert '\u2026' not in shown


def test_a_title_is_as_wide_as_the_terminal():
  assert _lines(20)[0] == 'A long title of it'
