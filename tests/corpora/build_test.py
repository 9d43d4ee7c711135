import contextlib
import dataclasses
import hashlib
import itertools
import os
import random
import resource
import signal
import subprocess
import sys

import pytest

from codelaw import errors
from codelaw import storage
from codelaw.corpora import build
from codelaw.corpora import clusters
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import reading
from codelaw.corpora import report
from codelaw.corpora import source_trees
from codelaw.corpora.synthetic import reader


def _program(number):
  rng = random.Random(number)
  names = [f'{rng.choice("abcdef")}{rng.randrange(10**6)}' for _ in range(60)]
  return ''.join(
    f'{n} = f({m})\n' for n, m in zip(names, names[1:], strict=False)
  )


@pytest.fixture
def tree(tmp_path):
  root = tmp_path / 'tree'
  root.mkdir()
  for number in range(30):
    (root / f'p{number}.py').write_text(_program(number))
  (root / 'copy.py').write_text(_program(3))
  (root / 'near.py').write_text(_program(4) + 'one_more = 1\n')
  (root / 'wide.py').write_text('x' * 2000 + '\n')
  return root


def _plan(tree, out, **changes):
  settings = {
    'readers': [
      source_trees.SourceTree([str(tree)], {'code/python': ['python']}),
      reader.SyntheticPrograms(60, languages=['python', 'java']),
    ],
    'output_dir': str(out),
    'deduplication': deduplication.Deduplication(),
    'filters': ['long_lines'],
    'validation_fraction': 0.2,
    'min_bytes_per_source': 10_000,
    **changes,
  }
  return plan_lib.CorpusPlan(**settings)


_ITEMS = {}


@dataclasses.dataclass(frozen=True)
class _Listed:
  """Yields what `_ITEMS` has under its name."""

  name: str
  sources: tuple[str, ...] = ('code/python',)

  def source_names(self):
    return self.sources

  def parts(self, max_bytes_per_source):
    return [None]

  def read(self, part, is_full):
    yield from _ITEMS[self.name]


def _document(text, origin='a.py', source='code/python', **fields):
  return documents.RawDocument(text, source, 'python', origin, **fields)


def _skipped(number, damaged, source='code/python', reason='cut'):
  return reading.Skipped(source, f'bad {number}', reason, damaged)


@pytest.fixture
def listed(tmp_path):
  """Builds a corpus of given items."""

  def build_them(*lists, sources=('code/python',), **changes):
    readers = []
    for number, items in enumerate(lists):
      _ITEMS[f'list {number}'] = items
      readers.append(_Listed(f'list {number}', sources))
    settings = {'validation_fraction': 0.3, 'min_bytes_per_source': 1}
    out = tmp_path / f'listed {len(list(tmp_path.iterdir()))}'
    plan = _plan(None, out, readers=readers, **{**settings, **changes})
    return build.build(plan), out

  return build_them


def _all(out):
  return [
    item
    for source in documents.sources(out)
    for split in report.SPLITS
    for item in documents.read_documents(out, source, split)
  ]


def test_report_equals_what_the_files_hold(tree, tmp_path):
  out = tmp_path / 'corpus'
  content = build.build(_plan(tree, out))
  assert report.read(out) == content
  python = content.sources['code/python']
  assert python.documents_read == 33
  assert python.dropped == {
    'long_lines': report.DroppedReport(1, 2001),
    'exact_duplicate': report.DroppedReport(1, len(_program(3))),
    'near_duplicate': report.DroppedReport(1, len(_program(4))),
  }
  assert python.documents == 30
  for name, source in content.sources.items():
    for split, held in source.splits.items():
      found = list(documents.read_documents(out, name, split))
      assert len(found) == held.documents > 0
      assert sum(len(d.text.encode()) for d in found) == held.bytes
      assert {d.split for d in found} == {split}
      assert {d.source for d in found} == {name}
  for item in _all(out):
    assert item.bytes == len(item.text.encode())
    digest = hashlib.sha256(item.text.encode()).hexdigest()
    assert item.content_sha256 == digest


def test_same_plan_gives_the_same_corpus_whatever_the_file_order(
  tree, tmp_path, monkeypatch
):
  first = build.build(_plan(tree, tmp_path / 'one'))
  walk = os.walk

  def reversed_walk(root):
    for folder, folders, names in walk(root):
      yield folder, folders, names[::-1]

  monkeypatch.setattr(os, 'walk', reversed_walk)
  second = build.build(_plan(tree, tmp_path / 'two'))
  assert first == second
  assert _all(tmp_path / 'one') == _all(tmp_path / 'two')


def test_same_plan_is_not_built_again(tree, tmp_path):
  out = tmp_path / 'corpus'
  first = build.build(_plan(tree, out))
  before = {p: p.stat().st_mtime_ns for p in out.rglob('*.parquet')}
  told = []
  plan = _plan(tree, out)
  assert build.build(plan, lambda *step: told.append(step)) == first
  assert told == [(f'{out} already holds this corpus', 1.0)]
  assert {p: p.stat().st_mtime_ns for p in out.rglob('*.parquet')} == before


def test_corpus_of_another_plan_is_never_overwritten(tree, tmp_path):
  out = tmp_path / 'corpus'
  first = build.build(_plan(tree, out))
  with pytest.raises(errors.UserError, match='holds a corpus of another plan'):
    build.build(_plan(tree, out, validation_fraction=0.3))
  assert report.read(out) == first


def test_a_stopped_build_leaves_no_corpus_and_the_next_starts_afresh(
  tree, tmp_path
):
  out = tmp_path / 'corpus'

  class StopError(Exception):
    pass

  def stop(message, fraction):
    if 'synthetic/java' in message:
      raise StopError

  with pytest.raises(StopError):
    build.build(_plan(tree, out), stop)
  assert not report.exists(out)
  with pytest.raises(errors.UserError, match='no finished corpus'):
    documents.sources(out)
  left_over = out / 'code/python/documents-00007.parquet'
  left_over.parent.mkdir(parents=True, exist_ok=True)
  left_over.write_bytes(b'left over')
  content = build.build(_plan(tree, out))
  assert content == build.build(_plan(tree, tmp_path / 'fresh'))
  assert not (out / '.staging').exists()
  held = sorted(str(p.relative_to(out)) for p in out.rglob('*.parquet'))
  assert held == sorted(f for s in content.sources.values() for f in s.files)


def test_folder_in_use_is_refused(tree, tmp_path):
  out = tmp_path / 'corpus'
  in_use = pytest.raises(errors.UserError, match='in use by another process')
  with storage.exclusive(out), in_use:
    build.build(_plan(tree, out))


def test_sources_are_cut_at_their_limit(tree, tmp_path):
  out = tmp_path / 'corpus'
  content = build.build(_plan(tree, out, max_bytes_per_source=15_000))
  for source in content.sources.values():
    assert 12_000 < source.bytes <= 15_000


def test_nothing_is_read_past_a_full_source(tmp_path):
  taken = []

  @dataclasses.dataclass(frozen=True)
  class Endless:
    def source_names(self):
      return ('code/python',)

    def parts(self, max_bytes_per_source):
      return [None]

    def read(self, part, is_full):
      for number in itertools.count():
        taken.append(number)
        text = _program(number)
        yield documents.RawDocument(text, 'code/python', 'python', str(number))

  plan = _plan(None, tmp_path, readers=[Endless()], max_bytes_per_source=20_000)
  held = build.build(plan).sources['code/python'].documents
  assert len(taken) == held + 1


def test_two_readers_fill_one_source(tree, tmp_path):
  other = tmp_path / 'other'
  other.mkdir()
  for number in range(100, 110):
    (other / f'q{number}.py').write_text(_program(number))
  readers = [
    source_trees.SourceTree([str(root)], {'code/python': ['python']})
    for root in (tree, other)
  ]
  content = build.build(_plan(tree, tmp_path / 'corpus', readers=readers))
  assert content.sources['code/python'].documents == 40


def test_source_with_too_little_text_is_named(tree, tmp_path):
  out = tmp_path / 'corpus'
  with pytest.raises(errors.UserError, match=r'Source code/python has [\d,]+'):
    build.build(_plan(tree, out, min_bytes_per_source=100_000))
  assert not report.exists(out)
  (tmp_path / 'empty').mkdir()
  with pytest.raises(errors.UserError, match='code/python has 0 bytes'):
    build.build(_plan(tmp_path / 'empty', out))


def test_source_without_validation_documents_is_named(tree, tmp_path):
  with pytest.raises(errors.UserError, match='no validation document'):
    build.build(_plan(tree, tmp_path / 'corpus', validation_fraction=1e-9))


def test_translations_and_programs_of_one_shape_share_a_split(tree, tmp_path):
  out = tmp_path / 'corpus'
  build.build(_plan(tree, out))
  splits = {}
  for item in _all(out):
    if item.source.startswith('synthetic/'):
      splits.setdefault(item.origin, set()).add(item.split)
  assert len(splits) == 60
  assert {len(found) for found in splits.values()} == {1}


def test_near_copies_share_a_split_and_the_first_decides(listed):
  """Also when they stay in the corpus, and whatever order they come in."""
  copies = [
    _document(_program(number) + f'last = {version}\n', f'{number}')
    for version in range(4)
    for number in range(40)
  ]
  for items in (copies, copies[::-1]):
    kept, out = listed(
      items, deduplication=deduplication.Deduplication(drop_near=False)
    )
    source = kept.sources['code/python']
    assert source.documents == 160
    assert source.copies_kept == 120
    assert source.largest_cluster == 4
    assert source.dropped == {}
    splits = {}
    for item in _all(out):
      splits.setdefault(item.origin, set()).add(item.split)
    first = {}
    for item in items:
      key = deduplication.content_key(item.text)
      held = clusters.held_out(clusters.split_place(item, key), 0.3)
      first.setdefault(item.origin, 'validation' if held else 'train')
    assert splits == {origin: {split} for origin, split in first.items()}
    dropped, out = listed(items)
    assert dropped.sources['code/python'].documents == 40
    assert {i.origin: i.split for i in _all(out)} == first
    assert dropped.sources['code/python'].dropped['near_duplicate'] == (
      report.DroppedReport(120, sum(len(i.text) for i in items[40:]))
    )


def test_the_fingerprint_does_not_depend_on_the_order(listed):
  items = [_document(_program(number)) for number in range(40)]
  shuffled = random.Random(0).sample(items, 40)
  one, other = listed(items)[0], listed(shuffled)[0]
  assert one.fingerprint == other.fingerprint
  less = listed(items[:-1])[0]
  assert less.fingerprint != one.fingerprint
  moved = listed(items, validation_fraction=0.5)[0]
  assert moved.fingerprint != one.fingerprint


def test_a_cluster_that_swallows_a_source_is_named(listed):
  items = [_document(_program(n), group='one') for n in range(30)]
  with pytest.raises(errors.UserError, match='largest cluster.* holds 30;'):
    listed(items)
  items += [_document(_program(n)) for n in range(100, 120)]
  assert listed(items)[0].sources['code/python'].largest_cluster == 30


def test_what_readers_skip_is_counted_and_damage_named(listed):
  items = [_document(_program(number)) for number in range(50)]
  items[10:10] = [_skipped(n, damaged=True) for n in range(5)]
  items[20:20] = [_skipped(9, True, reason='not text')]
  items[30:30] = [_skipped(n, False, reason='binary') for n in range(70)]
  items.append(_document('\ud800 is half a character', 'half\udcff.py'))
  content, out = listed(items)
  source = content.sources['code/python']
  assert source.documents_read == 50
  assert source.skipped == {'binary': 70}
  assert source.damaged == {
    'cut': 5,
    'not text': 1,
    'text with code points that are no characters': 1,
  }
  names = [item.origin for item in content.damaged]
  assert names == [*(f'bad {n}' for n in range(5)), 'bad 9', 'half\\xff.py']
  assert report.read(out) == content


def test_odd_names_are_kept_readable(listed):
  items = [_document(_program(n), f'{n}') for n in range(20)]
  items += [
    _document(_program(20), 'new\nline'),
    _document(_program(21), '\udcff'),
  ]
  _, out = listed(items)
  assert {'new\nline', '\\xff'} <= {item.origin for item in _all(out)}


@pytest.mark.parametrize(
  ('damaged', 'stops'), [(10, False), (11, True)], ids=['at', 'above']
)
def test_too_much_damage_stops_at_the_end_of_a_reader(listed, damaged, stops):
  items = [_document(_program(number)) for number in range(40)]
  bad = [_skipped(number, damaged=True) for number in range(damaged)]
  message = (
    '11 of the first 51 items that _Listed found are damaged,'
    r' more than CorpusPlan.max_damaged_fraction = 0.2: bad 0 \(cut\), bad 1'
    r' \(cut\), bad 2 \(cut\), ...; restore'
  )
  expected = pytest.raises(errors.UserError, match=message)
  # Another reader of the source cannot make up for it.
  good = [_document(_program(number)) for number in range(100, 200)]
  with expected if stops else contextlib.nullcontext():
    listed(good, bad + items)
  if stops:
    listed(good, bad + items, max_damaged_fraction=0.22)


def test_too_much_damage_stops_while_reading(listed):
  def endless():
    for number in itertools.count():
      yield _skipped(number, damaged=True)

  with pytest.raises(errors.UserError, match='100 of the first 100 items'):
    listed(endless())
  items = [_skipped(number, True) for number in range(99)]
  with pytest.raises(errors.UserError, match='99 of the first 99 items'):
    listed(items)


def test_the_first_thousand_damaged_items_are_named(listed):
  items = [_document(_program(number)) for number in range(40)]
  items += [_skipped(number, True) for number in range(1100)]
  content = listed(items, max_damaged_fraction=1)[0]
  assert len(content.damaged) == 1000
  assert content.sources['code/python'].damaged == {'cut': 1100}


def test_licenses_that_are_not_allowed_are_dropped(listed):
  names = ('MIT', 'MIT OR X', 'MIT AND X', 'GPL-3.0-only', '')
  items = [
    _document(_program(number), license=name)
    for number, name in enumerate(names * 20)
  ]
  source = listed(items, licenses=['MIT'])[0].sources['code/python']
  assert source.licenses == {'MIT': 20, 'MIT OR X': 20}
  assert source.dropped['license'].documents == 60
  kept = listed(items, licenses=['MIT'], keep_unlicensed=True)[0]
  assert kept.sources['code/python'].licenses[''] == 20
  everything = listed(items)[0].sources['code/python']
  assert everything.documents == 100


def test_documents_without_text_are_dropped(listed):
  items = [_document(_program(number)) for number in range(20)]
  items += [_document(''), _document(' \n\t\n')]
  source = listed(items)[0].sources['code/python']
  assert source.dropped == {'empty': report.DroppedReport(2, 4)}


def test_a_reader_that_cannot_read_on_is_explained(listed):
  def failing():
    yield _document(_program(0))
    raise PermissionError(13, 'Permission denied', 'tree/a.py')

  message = "_Listed cannot read on: .*Permission denied: 'tree/a.py'"
  with pytest.raises(errors.UserError, match=message):
    listed(failing())


@contextlib.contextmanager
def _largest_file(num_bytes):
  """No file of this process can grow beyond that, as on a full disk."""
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize('stage', ['reading', 'writing', 'index'])
def test_a_full_disk_is_explained_and_leaves_no_corpus(
  tree, tmp_path, stage, monkeypatch
):
  out = tmp_path / 'corpus'
  full = contextlib.ExitStack()
  monkeypatch.setattr(documents, 'ROW_GROUP_BYTES', 5000)
  if stage == 'index':
    write = report.write

    def write_when_full(*arguments):
      full.enter_context(_largest_file(100))
      write(*arguments)

    monkeypatch.setattr(report, 'write', write_when_full)

  def tell(message, fraction):
    if message.startswith('writing') and stage == 'writing':
      full.enter_context(_largest_file(5000))

  expected = pytest.raises(errors.UserError, match='Cannot write .*Free space')
  with expected, full:
    if stage == 'reading':
      full.enter_context(_largest_file(5000))
    build.build(_plan(tree, out), tell)
  assert not report.exists(out)
  assert not (out / '.staging').exists()
  monkeypatch.undo()
  assert build.build(_plan(tree, out)) == build.build(
    _plan(tree, tmp_path / 'fresh')
  )


_KILLED = """
import os, signal, sys
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import build, deduplication, documents
from codelaw.corpora import source_trees, staging

documents.ROW_GROUP_BYTES = 5000
calls = 0
method = getattr(staging.Source, sys.argv[3])

def killed(*arguments):
  global calls
  calls += 1
  if calls == int(sys.argv[4]):
    os.kill(os.getpid(), signal.SIGKILL)
  return method(*arguments)

setattr(staging.Source, sys.argv[3], killed)
sources = {'code/python': ['python'], 'code/c': ['c']}
build.build(plan_lib.CorpusPlan(
  [source_trees.SourceTree([sys.argv[1]], sources)], sys.argv[2],
  deduplication.Deduplication(), validation_fraction=0.3,
  min_bytes_per_source=1,
))
"""


@pytest.mark.parametrize(
  ('method', 'call'),
  [('keep', 20), ('publish', 2)],
  ids=['phase one', 'phase two'],
)
def test_a_killed_build_can_be_run_again(tree, tmp_path, method, call):
  for number in range(20):
    (tree / f'{number}.c').write_text(f'int x{number};\n' * 50)
  out = tmp_path / 'corpus'
  done = subprocess.run(
    [sys.executable, '-c', _KILLED, str(tree), str(out), method, str(call)],
    check=False,
  )
  assert done.returncode == -signal.SIGKILL
  assert not report.exists(out)
  assert (out / '.staging').exists()
  assert list(out.glob('code/python/*.parquet')) or method == 'keep'
  content = build.build(_plan(tree, out))
  assert not (out / '.staging').exists()
  assert content == build.build(_plan(tree, tmp_path / 'fresh'))
  held = sorted(str(p.relative_to(out)) for p in out.rglob('*.parquet'))
  assert held == sorted(f for s in content.sources.values() for f in s.files)


def test_progress_rises_to_one(tree, tmp_path):
  told = []
  plan = _plan(tree, tmp_path / 'corpus')
  build.build(plan, lambda message, fraction: told.append(fraction))
  assert told == sorted(told)
  assert told[-1] == 1.0


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'readers': []}, 'at least one'),
    ({'readers': ['src']}, 'must be a list of readers'),
    ({'output_dir': ''}, 'must be the folder to write'),
    ({'filters': ['hex']}, "'hex'"),
    ({'filters': 'hexadecimal'}, 'must be a list of names'),
    ({'deduplication': 0.7}, 'must be @Deduplication'),
    ({'validation_fraction': 0}, 'between 0 and 1'),
    ({'licenses': 'MIT'}, 'must be a list of SPDX identifiers'),
    ({'max_damaged_fraction': 1.5}, 'from 0 to 1'),
    ({'small_sources': 'drop'}, 'must be refuse or leave_out'),
    ({'max_bytes_per_source': 5}, 'at most max_bytes_per_source'),
  ],
)
def test_mistakes_are_explained(tree, tmp_path, changes, message):
  with pytest.raises(errors.UserError, match=message):
    _plan(tree, tmp_path / 'corpus', **changes)
