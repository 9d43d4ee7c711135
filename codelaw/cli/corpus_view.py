"""How a corpus looks on a terminal: tables of its report, and samples.

Everything fits 80 columns; exact numbers are in `corpus.json`.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from rich import console as rich_console
from rich import syntax
from rich import table as rich_table
from rich import text as rich_text

from codelaw.cli import terminal
from codelaw.corpora import damage
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib

_MOST_NAMED = 20
_MOST_KINDS = 12
_SAMPLE_LINES = 12
# Names that the highlighter has for our languages.
_LEXERS = {'c++': 'cpp', 'c#': 'csharp', 'rmarkdown': 'markdown'}


def tables(
  content: report.CorpusReport,
  corpus_dir: str,
  manifest: manifest_lib.Manifest | None = None,
) -> Iterator[rich_console.RenderableType]:
  """What a corpus holds, what it does not and why.

  Args:
    content: its report.
    corpus_dir: where it is.
    manifest: of shards that were packed from it, to show tokens too.
  """
  yield _plain(f'Corpus {corpus_dir}, fingerprint {content.fingerprint}\n')
  found = [_held(content)]
  if manifest is not None:
    found.append(_tokens(manifest))
  found += [_left_out(content), _dropped(content), _skipped(content)]
  found += [_damaged(content), _clusters(content)]
  for title, field in (('Languages', 'languages'), ('Licences', 'licenses')):
    found.append(_kinds(content, title, field))
  for rows in found:
    if rows.row_count:
      yield terminal.titled(rows)


def _plain(text: str) -> rich_text.Text:
  return rich_text.Text(text)


def _held(content: report.CorpusReport) -> rich_table.Table:
  numbers = ('documents', 'share', 'bytes', 'share', 'train', 'validation')
  rows = terminal.table('Held, by source', ['source'], numbers)
  sources = content.sources.values()
  all_documents = sum(source.documents for source in sources)
  all_bytes = sum(source.bytes for source in sources)
  for name, source in content.sources.items():
    rows.add_row(
      name,
      terminal.count(source.documents),
      terminal.share(source.documents, all_documents),
      terminal.size(source.bytes),
      terminal.share(source.bytes, all_bytes),
      *(
        terminal.count(source.splits[split].documents)
        for split in report.SPLITS
      ),
    )
  rows.add_section()
  rows.add_row(
    'all',
    terminal.count(all_documents),
    '',
    terminal.size(all_bytes),
    '',
    *(
      terminal.count(sum(source.splits[split].documents for source in sources))
      for split in report.SPLITS
    ),
  )
  return rows


def _tokens(manifest: manifest_lib.Manifest) -> rich_table.Table:
  numbers = ('tokens', 'share', 'train', 'validation', 'bytes/token')
  rows = terminal.table('Tokens in the shards, by source', ['source'], numbers)
  tokens = {
    source: {split: shards.tokens for split, shards in splits.items()}
    for source, splits in manifest.sources.items()
  }
  total = sum(sum(of_source.values()) for of_source in tokens.values())
  for source, of_split in tokens.items():
    held = sum(of_split.values())
    num_bytes = sum(s.bytes for s in manifest.sources[source].values())
    rows.add_row(
      source,
      terminal.count(held),
      terminal.share(held, total),
      *(terminal.count(of_split.get(split, 0)) for split in report.SPLITS),
      f'{num_bytes / held:.2f}' if held else '-',
    )
  rows.add_section()
  rows.add_row('all', terminal.count(total), '', '', '', '')
  return rows


def _left_out(content: report.CorpusReport) -> rich_table.Table:
  """Small sources; those of which there was nothing share a row."""
  rows = terminal.table(
    'Left out', ['source', 'reason'], ['documents', 'bytes', 'damaged']
  )
  absent = []
  for name, source in content.left_out.items():
    if not source.documents_read and not source.damaged:
      absent.append(name)
      continue
    rows.add_row(
      name,
      source.reason,
      terminal.count(source.documents),
      terminal.size(source.bytes),
      terminal.count(sum(source.damaged.values())),
    )
  if absent:
    rows.add_row(_plain(', '.join(absent)), 'nothing found', '0', '0 B', '0')
  return rows


def _dropped(content: report.CorpusReport) -> rich_table.Table:
  """Documents read and not kept, by each reason that dropped any."""
  numbers = ('documents', 'of read', 'bytes', 'of read')
  rows = terminal.table(
    'Dropped, by the first reason', ['source', 'reason'], numbers
  )
  for name, source in content.sources.items():
    read_bytes = source.bytes + sum(d.bytes for d in source.dropped.values())
    for reason, lost in source.dropped.items():
      rows.add_row(
        name,
        reason,
        terminal.count(lost.documents),
        terminal.share(lost.documents, source.documents_read),
        terminal.size(lost.bytes),
        terminal.share(lost.bytes, read_bytes),
      )
  return rows


def _read(
  content: report.CorpusReport,
) -> Iterator[tuple[str, report.SourceReport | report.LeftOutReport]]:
  """All sources of the readers, those that were left out last."""
  yield from content.sources.items()
  yield from content.left_out.items()


def _skipped(content: report.CorpusReport) -> rich_table.Table:
  """Files, rows and records that gave no document."""
  rows = terminal.table(
    'Not documents', ['source', 'reason'], ['items', 'damaged']
  )
  for name, source in _read(content):
    for reason, number in source.damaged.items():
      rows.add_row(name, reason, terminal.count(number), 'yes')
    for reason, number in source.skipped.items():
      rows.add_row(name, reason, terminal.count(number), 'no')
  return rows


def _damaged(content: report.CorpusReport) -> rich_table.Table:
  """The first damaged items by name."""
  total = sum(sum(source.damaged.values()) for _, source in _read(content))
  shown = content.damaged[:_MOST_NAMED]
  title = f'Damaged, by name ({len(shown):,} of {total:,}'
  if len(content.damaged) > len(shown):
    title += f'; {len(content.damaged):,} are in {report.INDEX_NAME}'
  rows = terminal.table(f'{title})', ['source', 'name', 'reason'], [])
  for item in shown:
    name = _plain(damage.one_line(item.origin))
    rows.add_row(item.source, name, _plain(damage.one_line(item.reason)))
  return rows


def _clusters(content: report.CorpusReport) -> rich_table.Table:
  """Sources with documents that must share a split."""
  numbers = ('largest cluster', 'of documents', 'near-copies kept')
  rows = terminal.table('Documents that share a split', ['source'], numbers)
  for name, source in content.sources.items():
    if source.largest_cluster > 1:
      rows.add_row(
        name,
        terminal.count(source.largest_cluster),
        terminal.share(source.largest_cluster, source.documents),
        terminal.count(source.copies_kept),
      )
  return rows


def _kinds(
  content: report.CorpusReport, title: str, field: str
) -> rich_table.Table:
  """Documents of each source by language or licence, the most first."""
  rows = terminal.table(f'{title}, in documents', ['source', title.lower()], [])
  for name, source in content.sources.items():
    kinds: Mapping[str, int] = getattr(source, field)
    parts = [
      f'{damage.one_line(kind) or "unknown"} {terminal.count(number)}'
      for kind, number in list(kinds.items())[:_MOST_KINDS]
    ]
    if len(kinds) > _MOST_KINDS:
      others = sum(kinds.values()) - sum([*kinds.values()][:_MOST_KINDS])
      parts.append(
        f'{len(kinds) - _MOST_KINDS:,} others {terminal.count(others)}'
      )
    rows.add_row(name, _plain(', '.join(parts)))
  return rows


def show_samples(
  samples: Iterable[documents.Document], out: rich_console.Console
) -> None:
  """Shows the first lines of documents, cut at the width of the terminal."""
  for item in samples:
    origin = damage.one_line(item.origin)
    about = f'{item.source} {item.split}: {origin} ({item.language})'
    out.rule(_plain(about), align='left')
    lines = item.text.split('\n')
    head = '\n'.join(map(_printable, lines[:_SAMPLE_LINES]))
    lexer = _LEXERS.get(item.language, item.language)
    code = syntax.Syntax(
      head, lexer, theme='ansi_dark', background_color='default'
    )
    for line in code.highlight(head).split('\n'):
      line.expand_tabs(4)
      line.truncate(out.width, overflow='ellipsis')
      out.print(line, no_wrap=True)
    if len(lines) > _SAMPLE_LINES:
      out.print(f'... {len(lines) - _SAMPLE_LINES:,} more lines', style='dim')


def _printable(line: str) -> str:
  """A line without what would move a terminal's cursor or change its state."""
  # No more than is shown of a line of a megabyte.
  return ''.join(
    character if character.isprintable() or character == '\t' else '\ufffd'
    for character in line[:1000]
  )
