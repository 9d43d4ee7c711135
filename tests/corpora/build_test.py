import dataclasses
import hashlib
import itertools
import os

import pytest

from codelaw import errors
from codelaw import storage
from codelaw.corpora import build
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.corpora import source_trees
from tests.corpora import built


def test_report_equals_what_the_files_hold(tree, tmp_path):
  out = tmp_path / 'corpus'
  content = build.build(built.plan(tree, out))
  assert report.read(out) == content
  python = content.sources['code/python']
  assert python.documents_read == 33
  assert python.dropped == {
    'long_lines': report.DroppedReport(1, 2001),
    'exact_duplicate': report.DroppedReport(1, len(built.program(3))),
    'near_duplicate': report.DroppedReport(1, len(built.program(4))),
  }
  assert python.documents == 30
  for name, source in content.sources.items():
    for split, held in source.splits.items():
      found = list(documents.read_documents(out, name, split))
      assert len(found) == held.documents > 0
      assert sum(len(d.text.encode()) for d in found) == held.bytes
      assert {d.split for d in found} == {split}
      assert {d.source for d in found} == {name}
  for item in built.everything(out):
    assert item.bytes == len(item.text.encode())
    digest = hashlib.sha256(item.text.encode()).hexdigest()
    assert item.content_sha256 == digest


def test_same_plan_gives_the_same_corpus_whatever_the_file_order(
  tree, tmp_path, monkeypatch
):
  first = build.build(built.plan(tree, tmp_path / 'one'))
  walk = os.walk

  def reversed_walk(root):
    for folder, folders, names in walk(root):
      yield folder, folders, names[::-1]

  monkeypatch.setattr(os, 'walk', reversed_walk)
  second = build.build(built.plan(tree, tmp_path / 'two'))
  assert first == second
  assert built.everything(tmp_path / 'one') == built.everything(
    tmp_path / 'two'
  )


def test_same_plan_is_not_built_again(tree, tmp_path):
  out = tmp_path / 'corpus'
  first = build.build(built.plan(tree, out))
  before = {p: p.stat().st_mtime_ns for p in out.rglob('*.parquet')}
  told = []
  plan = built.plan(tree, out)
  assert build.build(plan, lambda *step: told.append(step)) == first
  assert told == [(f'{out} already holds this corpus', 1.0)]
  assert {p: p.stat().st_mtime_ns for p in out.rglob('*.parquet')} == before


def test_corpus_of_another_plan_is_never_overwritten(tree, tmp_path):
  out = tmp_path / 'corpus'
  first = build.build(built.plan(tree, out))
  with pytest.raises(errors.UserError, match='holds a corpus of another plan'):
    build.build(built.plan(tree, out, validation_fraction=0.3))
  assert report.read(out) == first


def test_folder_in_use_is_refused(tree, tmp_path):
  out = tmp_path / 'corpus'
  in_use = pytest.raises(errors.UserError, match='in use by another process')
  with storage.exclusive(out), in_use:
    build.build(built.plan(tree, out))


def test_sources_are_cut_at_their_limit(tree, tmp_path):
  out = tmp_path / 'corpus'
  content = build.build(built.plan(tree, out, max_bytes_per_source=15_000))
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
        text = built.program(number)
        yield documents.RawDocument(text, 'code/python', 'python', str(number))

  plan = built.plan(
    None, tmp_path, readers=[Endless()], max_bytes_per_source=20_000
  )
  held = build.build(plan).sources['code/python'].documents
  assert len(taken) == held + 1


def test_two_readers_fill_one_source(tree, tmp_path):
  other = tmp_path / 'other'
  other.mkdir()
  for number in range(100, 110):
    (other / f'q{number}.py').write_text(built.program(number))
  readers = [
    source_trees.SourceTree([str(root)], {'code/python': ['python']})
    for root in (tree, other)
  ]
  content = build.build(built.plan(tree, tmp_path / 'corpus', readers=readers))
  assert content.sources['code/python'].documents == 40


def test_source_with_too_little_text_is_named(tree, tmp_path):
  out = tmp_path / 'corpus'
  with pytest.raises(errors.UserError, match=r'Source code/python has [\d,]+'):
    build.build(built.plan(tree, out, min_bytes_per_source=100_000))
  assert not report.exists(out)
  (tmp_path / 'empty').mkdir()
  with pytest.raises(errors.UserError, match='code/python has 0 bytes'):
    build.build(built.plan(tmp_path / 'empty', out))


def test_source_without_validation_documents_is_named(tree, tmp_path):
  with pytest.raises(errors.UserError, match='no validation document'):
    build.build(built.plan(tree, tmp_path / 'corpus', validation_fraction=1e-9))


def test_translations_and_programs_of_one_shape_share_a_split(tree, tmp_path):
  out = tmp_path / 'corpus'
  build.build(built.plan(tree, out))
  splits = {}
  for item in built.everything(out):
    if item.source.startswith('synthetic/'):
      splits.setdefault(item.origin, set()).add(item.split)
  assert len(splits) == 60
  assert {len(found) for found in splits.values()} == {1}


def test_progress_rises_to_one(tree, tmp_path):
  told = []
  plan = built.plan(tree, tmp_path / 'corpus')
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
    built.plan(tree, tmp_path / 'corpus', **changes)
