"""What a build makes of the items of its readers: copies, damage, licenses."""

import contextlib
import dataclasses
import itertools
import random

import pytest

from codelaw import errors
from codelaw.corpora import build
from codelaw.corpora import clusters
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import report
from tests.corpora import built

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
    plan = built.plan(None, out, readers=readers, **{**settings, **changes})
    return build.build(plan), out

  return build_them


def test_near_copies_share_a_split_and_the_first_decides(listed):
  """Also when they stay in the corpus, and whatever order they come in."""
  copies = [
    _document(built.program(number) + f'last = {version}\n', f'{number}')
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
    for item in built.everything(out):
      splits.setdefault(item.origin, set()).add(item.split)
    first = {}
    for item in items:
      key = deduplication.content_key(item.text)
      held = clusters.held_out(clusters.split_place(item, key), 0.3)
      first.setdefault(item.origin, 'validation' if held else 'train')
    assert splits == {origin: {split} for origin, split in first.items()}
    dropped, out = listed(items)
    assert dropped.sources['code/python'].documents == 40
    assert {i.origin: i.split for i in built.everything(out)} == first
    assert dropped.sources['code/python'].dropped['near_duplicate'] == (
      report.DroppedReport(120, sum(len(i.text) for i in items[40:]))
    )


def test_the_fingerprint_does_not_depend_on_the_order(listed):
  items = [_document(built.program(number)) for number in range(40)]
  shuffled = random.Random(0).sample(items, 40)
  one, other = listed(items)[0], listed(shuffled)[0]
  assert one.fingerprint == other.fingerprint
  less = listed(items[:-1])[0]
  assert less.fingerprint != one.fingerprint
  moved = listed(items, validation_fraction=0.5)[0]
  assert moved.fingerprint != one.fingerprint


def test_a_cluster_that_swallows_a_source_is_named(listed):
  items = [_document(built.program(n), group='one') for n in range(30)]
  with pytest.raises(errors.UserError, match='largest cluster.* holds 30;'):
    listed(items)
  items += [_document(built.program(n)) for n in range(100, 120)]
  assert listed(items)[0].sources['code/python'].largest_cluster == 30


def test_what_readers_skip_is_counted_and_damage_named(listed):
  items = [_document(built.program(number)) for number in range(50)]
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
  items = [_document(built.program(n), f'{n}') for n in range(20)]
  items += [
    _document(built.program(20), 'new\nline'),
    _document(built.program(21), '\udcff'),
  ]
  _, out = listed(items)
  assert {'new\nline', '\\xff'} <= {
    item.origin for item in built.everything(out)
  }


@pytest.mark.parametrize(
  ('damaged', 'stops'), [(10, False), (11, True)], ids=['at', 'above']
)
def test_too_much_damage_stops_at_the_end_of_a_reader(listed, damaged, stops):
  items = [_document(built.program(number)) for number in range(40)]
  bad = [_skipped(number, damaged=True) for number in range(damaged)]
  message = (
    '11 of the first 51 items that _Listed found are damaged,'
    r' more than CorpusPlan.max_damaged_fraction = 0.2: bad 0 \(cut\), bad 1'
    r' \(cut\), bad 2 \(cut\), ...; restore'
  )
  expected = pytest.raises(errors.UserError, match=message)
  # Another reader of the source cannot make up for it.
  good = [_document(built.program(number)) for number in range(100, 200)]
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
  items = [_document(built.program(number)) for number in range(40)]
  items += [_skipped(number, True) for number in range(1100)]
  content = listed(items, max_damaged_fraction=1)[0]
  assert len(content.damaged) == 1000
  assert content.sources['code/python'].damaged == {'cut': 1100}


def test_licenses_that_are_not_allowed_are_dropped(listed):
  names = ('MIT', 'MIT OR X', 'MIT AND X', 'GPL-3.0-only', '')
  items = [
    _document(built.program(number), license=name)
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
  items = [_document(built.program(number)) for number in range(20)]
  items += [_document(''), _document(' \n\t\n')]
  source = listed(items)[0].sources['code/python']
  assert source.dropped == {'empty': report.DroppedReport(2, 4)}


def test_a_reader_that_cannot_read_on_is_explained(listed):
  def failing():
    yield _document(built.program(0))
    raise PermissionError(13, 'Permission denied', 'tree/a.py')

  message = "_Listed cannot read on: .*Permission denied: 'tree/a.py'"
  with pytest.raises(errors.UserError, match=message):
    listed(failing())
