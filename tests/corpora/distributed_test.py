import dataclasses
import functools
import importlib.util
import pathlib
import random
import sys

import numpy as np
import pytest

from codelaw import errors
from codelaw.corpora import beam_copies
from codelaw.corpora import beam_files
from codelaw.corpora import build
from codelaw.corpora import deduplication
from codelaw.corpora import distributed
from codelaw.corpora import documents
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import reading
from codelaw.corpora import report
from codelaw.corpora import source_trees
from codelaw.data import shards

needs_beam = pytest.mark.skipif(
  importlib.util.find_spec('apache_beam') is None,
  reason='Apache Beam is not installed',
)
SOURCES = ('code/java', 'code/python')
# All of its documents may be held out only, or trained on only.
ONE_SPLIT = {'parallel/java-python': 'validation', 'text/train': 'train'}


@dataclasses.dataclass(frozen=True)
class Made:
  """Gives documents of a seed, and more damaged items at the end."""

  seed: int
  num_torn: int = 0
  once: str = ''  # A file that appears with the first reading.
  then: int = 1  # Which items of the first part are there afterwards.

  def source_names(self):
    return (*SOURCES, *ONE_SPLIT)

  def parts(self, max_bytes_per_source):
    return range(len(_items(self.seed)) + 1)

  def read(self, part, is_full):
    if self.once and part == 0:
      if pathlib.Path(self.once).exists():
        yield from _items(self.seed)[0][:: self.then]
        return
      pathlib.Path(self.once).touch()
    if part < len(_items(self.seed)):
      yield from _items(self.seed)[part]
      return
    for number in range(self.num_torn):
      yield reading.Skipped('code/java', f'row {number}', 'torn', damaged=True)


@dataclasses.dataclass(frozen=True)
class Small:
  """Gives sources that are small, damaged, or without one of the splits."""

  def source_names(self):
    return tuple(f'code/{why}' for why in (*_SMALL, *_KEPT))

  def parts(self, max_bytes_per_source):
    return range(3)

  def read(self, part, is_full):
    for number in range(part, 60, 3):
      for why in ('few', 'together', 'torn', 'unheld'):
        if why != 'few' or number < 2:
          yield documents.RawDocument(
            # What code/few has, parts of Made have too.
            ' '.join(_words(number if why == 'few' else (number, why))),
            f'code/{why}',
            why,
            f'{why} {number}',
            group='one' if why == 'together' else '',
            only_split='train' if why == 'unheld' and number > 1 else '',
          )
      if number < 20:
        yield reading.Skipped('code/torn', f'row {number}', 'torn', True)


# Source -> why it is small.
_SMALL = {
  'few': 'fewer than 1,000 bytes',
  'none': 'fewer than 1,000 bytes',
}
_KEPT = ('together', 'torn', 'unheld')


def _words(number, count=60):
  rng = random.Random(str(number))
  return [f'{rng.choice("abcdef")}{rng.randrange(10**6)}' for _ in range(count)]


def _document(text, source='code/python', group='', only=''):
  language = source.split('/')[1]
  license_ = 'MIT' if len(text) % 2 else ''
  return documents.RawDocument(
    text, source, language, text[:9], license_, group, only, len(text) % 7
  )


@functools.cache
def _items(seed):
  """Parts with exact and near copies, chains of them, groups and damage."""
  rng = random.Random(seed)
  made = []
  for number in range(120):
    words = _words(number)
    source = rng.choice(SOURCES)
    made.append(_document(' '.join(words), source))
    if number % 4 == 0:  # An exact copy, but for its white space.
      made.append(_document('\n'.join(words), rng.choice(SOURCES)))
    if number % 5 == 0:  # A chain of copies, each near only the one before.
      for step in range(1, 4):
        words = words[8:] + _words((number, step), 8)
        made.append(_document(' '.join(words), rng.choice(SOURCES)))
    if number % 3 == 0:
      group = f'group {rng.randrange(12)}'
      made.append(_document(f'{number} {group}', source, group))
    if number % 2 == 0:  # One split only: alone, a copy, or of a group.
      only = rng.choice(report.SPLITS)
      words = words[4:] + _words((number, only), 4)
      group = rng.choice(['', f'group {rng.randrange(12)}'])
      made.append(_document(' '.join(words), source, group, only))
    for name, only in ONE_SPLIT.items():
      text = ' '.join(_words((number, name)))
      group = f'group {number % 40}'
      made.append(_document(text, name, group, only))
  made += [_document(text) for text in (' \n', '\ud800', '?!', '? !', 'ü 0x1')]
  made += [
    reading.Skipped('code/java', f'file {n}', 'too large') for n in range(3)
  ]
  made += [
    reading.Skipped('code/python', f'file {n}\udcff', 'torn', damaged=True)
    for n in range(3)
  ]
  rng.shuffle(made)
  borders = [0, *sorted(rng.sample(range(len(made)), 8)), len(made)]
  return tuple(
    tuple(made[a:b]) for a, b in zip(borders, borders[1:], strict=False)
  )


def _plan(out, *readers, **changes):
  settings = {
    'readers': readers,
    'output_dir': str(out),
    'deduplication': deduplication.Deduplication(),
    'filters': ['hexadecimal'],
    'validation_fraction': 0.3,
    'min_bytes_per_source': 1000,
    **changes,
  }
  return plan_lib.CorpusPlan(**settings)


def _without_files(content):
  sources = {
    name: dataclasses.replace(source, files=())
    for name, source in content.sources.items()
  }
  return dataclasses.replace(content, sources=sources)


def _texts(folder):
  return {
    (source, split): [
      item for item in documents.read_documents(folder, source, split)
    ]
    for source in documents.sources(folder)
    for split in report.SPLITS
  }


def _both(tmp_path, *readers, options=(), **changes):
  """Builds in one process and on Beam: the two folders."""
  one, other = tmp_path / 'one', tmp_path / 'other'
  expected = build.build(_plan(one, *readers, **changes))
  found = distributed.build(_plan(other, *readers, **changes), options)
  assert _without_files(found) == _without_files(expected)
  assert report.read(other) == found
  assert _texts(other) == _texts(one)
  return one, other


@needs_beam
@pytest.mark.parametrize('drop_near', [True, False])
def test_the_corpus_is_that_of_one_process(tmp_path, monkeypatch, drop_near):
  monkeypatch.setattr(documents, 'FILE_BYTES', 20_000)
  settings = deduplication.Deduplication(drop_near=drop_near)
  one, other = _both(tmp_path, Made(0), Made(1), deduplication=settings)
  content = report.read(other)
  python = content.sources['code/python']
  # The corpus has what the comparison is about.
  assert python.largest_cluster > 2
  assert python.dropped['exact_duplicate'].documents > 2
  assert python.dropped['empty'].documents == 2
  assert python.damaged == {
    'torn': 6,
    'text with code points that are no characters': 2,
  }
  assert len(content.damaged) == 8
  assert content.sources['code/java'].skipped == {'too large': 6}
  if drop_near:
    assert python.dropped['near_duplicate'].documents > 2
  else:
    assert python.copies_kept > 2
  assert python.dropped['other_split'].documents > 2
  for name, only in ONE_SPLIT.items():
    held = content.sources[name]
    assert held.dropped['other_split'].documents > 2
    assert held.documents == held.splits[only].documents > 2
  assert len(python.files) > 2
  assert not (other / '.staging').exists()


@needs_beam
def test_both_leave_the_same_small_sources_out(tmp_path):
  settings = {'small_sources': 'leave_out', 'validation_fraction': 0.1}
  one, other = _both(tmp_path, Small(), Made(0), **settings)
  content = report.read(other)
  left_out = content.left_out
  assert {
    name.removeprefix('code/'): left.reason for name, left in left_out.items()
  } == _SMALL
  kept = [f'code/{why}' for why in _KEPT]
  assert list(content.sources) == [*kept, *SOURCES, *ONE_SPLIT]
  for source in ('code/together', 'code/unheld'):
    assert not content.sources[source].splits['validation'].documents
  assert (left_out['code/few'].documents, left_out['code/none'].bytes) == (2, 0)
  assert content.sources['code/torn'].damaged == {'torn': 20}
  assert len(content.damaged) == 24
  # A copy of a document that was left out is a copy still.
  texts = {item.text for items in _texts(other).values() for item in items}
  assert not {' '.join(_words(number)) for number in range(2)} & texts
  for folder in (one, other):
    held = {str(path.relative_to(folder)) for path in folder.rglob('*')}
    assert not any('code/' + why in name for why in _SMALL for name in held)
    files = [
      name
      for source in report.read(folder).sources.values()
      for name in source.files
    ]
    assert {name for name in held if name.endswith('.parquet')} == set(files)


@needs_beam
def test_shards_of_both_are_the_same_bytes(tmp_path):
  folders = _both(tmp_path, Made(0))
  written = []
  for folder in folders:
    plan = shards.CachePlan(str(folder), f'{folder}-shards', 300, 32)
    shards.write(plan)
    root = pathlib.Path(plan.shards_dir)
    written.append(
      {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
      }
    )
  assert written[0] == written[1]
  assert len(written[0]) > 5


@needs_beam
@pytest.mark.slow
def test_several_processes_build_the_same(tmp_path):
  flags = ['--direct_num_workers=2', '--direct_running_mode=multi_processing']
  _both(tmp_path, Made(0), Made(1), options=flags)


@needs_beam
def test_a_source_that_one_process_would_cut_is_refused(tmp_path):
  plan = _plan(tmp_path, Made(0), max_bytes_per_source=20_000)
  with pytest.raises(
    errors.UserError,
    match=r'Source code/java keeps [\d,]+ bytes, .* = 20,000 a source is cut',
  ):
    distributed.build(plan)
  assert not report.exists(tmp_path)
  assert not list(tmp_path.rglob('*.json'))


@needs_beam
def test_mistakes_are_told_as_by_one_process(tmp_path):
  tree = source_trees.SourceTree(['/nowhere'], {'code/python': ['python']})
  for plan in (
    _plan(tmp_path, tree),
    _plan(tmp_path, Made(0), min_bytes_per_source=10**6),
    _plan(
      tmp_path,
      Made(0),
      min_bytes_per_source=10**6,
      small_sources='leave_out',
    ),
    _plan(tmp_path, Small(), max_damaged_fraction=0.5, min_bytes_per_source=1),
    _plan(tmp_path, Small()),
  ):
    with pytest.raises(errors.UserError) as expected:
      build.build(plan)
    with pytest.raises(errors.UserError) as found:
      distributed.build(plan)
    assert str(found.value) == str(expected.value)


@needs_beam
def test_damage_is_judged_by_all_that_a_reader_found(tmp_path):
  items = [item for part in _items(0) for item in part]
  # One document holds half a character, which is damage too.
  bad = [
    item
    for item in items
    if getattr(item, 'damaged', '\ud800' in getattr(item, 'text', ''))
  ]
  skipped = [item for item in items if getattr(item, 'damaged', True) is False]
  total = len(items) - len(skipped) + 900
  with pytest.raises(
    errors.UserError,
    match=f'^{len(bad) + 900:,} of the first {total:,} items that Made found'
    r' are damaged.*: .* \(torn\), .*\.\.\.;',
  ):
    distributed.build(_plan(tmp_path, Made(0, num_torn=900)))


@needs_beam
@pytest.mark.parametrize('then', [-1, 2], ids=['other order', 'fewer'])
def test_what_changes_while_it_is_read_is_noticed(tmp_path, then):
  reader = Made(0, once=str(tmp_path / 'read'), then=then)
  with pytest.raises(errors.UserError, match='Made gave other documents'):
    distributed.build(_plan(tmp_path / 'corpus', reader))


@needs_beam
@pytest.mark.parametrize(
  ('flag', 'said'),
  [
    ('--direct_num_worker=2', 'no option --direct_num_worker'),
    ('--direct_num_workers=two', 'does not take'),
    ('--runner=Nothing', 'no runner'),
  ],
)
def test_options_that_beam_does_not_know(tmp_path, flag, said):
  with pytest.raises(errors.UserError, match=said):
    distributed.build(_plan(tmp_path, Made(0)), [flag])


def test_without_beam_it_says_what_to_install(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'apache_beam', None)
  with pytest.raises(errors.UserError, match=r'install the extra `beam`'):
    distributed.build(_plan(tmp_path, Made(0)))


def test_files_are_consecutive_parts(monkeypatch):
  monkeypatch.setattr(documents, 'FILE_BYTES', 100)
  sizes = [((1, 0), 90), ((0, 7), 60), ((0, 2), 40), ((1, 1), 300), ((2, 0), 9)]
  assert list(beam_files.divide((None, sizes))) == [
    ((0, 2), 0),
    ((0, 7), 0),
    ((1, 0), 1),
    ((1, 1), 2),
    ((2, 0), 3),
  ]


def test_a_band_gives_a_pair_per_copy_however_many_are_alike():
  settings = deduplication.Deduplication()
  signature = deduplication.signature(' '.join(_words(0)), settings)
  assert signature is not None
  other = np.arange(len(signature), dtype=np.uint32).tobytes()
  members = [
    ((0, 0, place), bytes([place % 256, place // 256]), signature.tobytes())
    for place in range(700)
  ]
  members.insert(300, ((0, 1, 0), b'other', other))
  random.Random(0).shuffle(members)
  found = list(beam_copies.compare((b'', members), settings))
  near = {key for tag, (key, _) in found if tag == 'near'}
  pairs = [pair for tag, pair in found if tag == 'pair']
  assert near == {key for _, key, _ in members} - {b'\0\0', b'other'}
  assert len(pairs) == 699
  assert not any(b'other' in pair for pair in pairs)
