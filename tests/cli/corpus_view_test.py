import dataclasses
import io

import pytest
from rich import console as rich_console

from codelaw.cli import corpus_view
from codelaw.corpora import documents
from codelaw.corpora import report

_LONG = 'code/a_source_with_a_very_long_name_indeed'


def _source(number, **fields):
  return report.SourceReport(
    splits={
      'train': report.SplitReport(9 * number, 4321 * number),
      'validation': report.SplitReport(number, 679 * number),
    },
    files=(),
    documents_read=11 * number,
    dropped={'near_duplicate': report.DroppedReport(number, 1000 * number)},
    languages={'python': 10 * number},
    licenses={'MIT': 9 * number, '': number},
    **fields,
  )


def _content(damaged=()):
  return report.CorpusReport(
    sources={
      'code/python': _source(
        10,
        skipped={'binary': 3},
        damaged={'cut': len(damaged)} if damaged else {},
        largest_cluster=50,
        copies_kept=7,
      ),
      _LONG: _source(10**9),
    },
    plan={},
    plan_fingerprint='p',
    fingerprint='f00d',
    codelaw_version='0',
    damaged=damaged,
  )


def _shown(content, width):
  out = rich_console.Console(file=io.StringIO(), width=width, highlight=False)
  for part in corpus_view.tables(content, 'results/c'):
    out.print(part)
  return out.file.getvalue()


@pytest.mark.parametrize('width', [80, 120])
def test_numbers_are_whole_at_common_widths(width):
  shown = _shown(_content(), width)
  assert all(len(line) <= width for line in shown.split('\n'))
  lines = [' '.join(line.split()) for line in shown.split('\n')]
  assert 'code/python 100 0.0% 50.0 kB 0.0% 90 10' in lines
  near = 'code/python near_duplicate 10 9.1% 10.0 kB 16.7%'
  assert near in lines
  assert 'code/python binary 3 no' in lines
  assert 'code/python 50 50.0% 7' in lines
  assert 'code/python MIT 90, unknown 10' in lines
  assert '…' not in shown
  for number in ('10.0 G', '9.00 G', '1.00 G', '5.00 TB'):
    assert number in shown


def _left_out(reason, documents=0, damaged=0):
  return report.LeftOutReport(
    reason=reason,
    documents=documents,
    bytes=100 * documents,
    documents_read=documents,
    dropped={},
    skipped={'too small': 5} if documents else {},
    damaged={'cut': damaged} if damaged else {},
  )


@pytest.mark.parametrize('width', [80, 120])
def test_sources_that_were_left_out_are_told(width):
  content = dataclasses.replace(
    _content((report.DamagedItem('code/lua', 'a.lua', 'cut'),)),
    left_out={
      'code/lua': _left_out('2 of 3 items damaged', 1, 2),
      'code/dart': _left_out('fewer than 10,000 bytes'),
      'markup/restructuredtext': _left_out('no validation document', 3),
      'code/go': _left_out('fewer than 10,000 bytes'),
    },
  )
  shown = _shown(content, width)
  assert all(len(line) <= width for line in shown.split('\n'))
  lines = [' '.join(line.split()) for line in shown.split('\n')]
  assert 'code/lua 2 of 3 items damaged 1 100 B 2' in lines
  rst = 'markup/restructuredtext no validation document 3 300 B 0'
  assert rst in lines
  assert 'code/dart, code/go nothing found 0 0 B 0' in lines
  assert 'code/lua too small 5 no' in lines
  assert 'Damaged, by name (1 of 3)' in lines
  assert 'Left out' not in _shown(_content(), width)


def test_damaged_items_are_listed_by_name():
  items = tuple(
    report.DamagedItem('code/python', f'[b]{n}\n\x1b.py', 'cut')
    for n in range(30)
  )
  shown = _shown(_content(items), 80)
  assert "'[b]0\\n\\x1b.py'" in shown
  assert "'[b]20\\n" not in shown
  assert '(20 of 30; 30 are in corpus.json)' in shown
  assert '\x1b' not in shown


def test_samples_keep_the_text_and_cut_long_lines():
  text = 'if [red]x[/red]:\n\treturn \x1b[31m:smile:\n' + 'y' * 500 + '\n' * 20
  raw = documents.RawDocument(text, 'code/c', 'c++', 'a\n.cc')
  out = rich_console.Console(file=io.StringIO(), width=60)
  corpus_view.show_samples([documents.document(raw, 'train')], out)
  lines = out.file.getvalue().split('\n')
  assert lines[0].startswith("code/c train: 'a\\n.cc' (c++)")
  assert lines[1].rstrip() == 'if [red]x[/red]:'
  assert lines[2].rstrip() == '    return \ufffd[31m:smile:'
  assert lines[3] == 'y' * 59 + '…'
  assert lines[-2].startswith('... 11 more lines')
