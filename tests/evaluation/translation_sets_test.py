"""Aligned programs, from files and generated."""

import json

import pyarrow as pa
from pyarrow import parquet
import pytest

from codelaw import errors
from codelaw.corpora import build
from codelaw.corpora import clusters
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import pairing
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report
from codelaw.corpora.synthetic import pairs
from codelaw.corpora.synthetic import reader
from codelaw.evaluation import translation_sets

ROWS = [
  {'py': 'x = 1\n', 'java': 'int x = 1;\n', 'cs': 'var x = 1;\n'},
  {'py': 'y = 2\n', 'java': '  ', 'cs': None},  # one language: no item
  {'py': 'z = 3\n', 'java': 'int z = 3;\n', 'cs': None},
]
COLUMNS = {'python': 'py', 'java': 'java', 'csharp': 'cs'}


@pytest.mark.parametrize('suffix', ['jsonl', 'parquet'])
def test_rows_become_items(tmp_path, suffix):
  path = tmp_path / f'set.{suffix}'
  if suffix == 'jsonl':
    path.write_text('\n'.join(map(json.dumps, ROWS)))
  else:
    parquet.write_table(pa.Table.from_pylist(ROWS), path)
  test_set = translation_sets.ParallelTestSet([str(path)], COLUMNS)
  assert test_set.languages() == ('python', 'java', 'csharp')
  first, second = test_set.items()
  assert first.programs == {
    'python': 'x = 1\n',
    'java': 'int x = 1;\n',
    'csharp': 'var x = 1;\n',
  }
  assert second.programs == {'python': 'z = 3\n', 'java': 'int z = 3;\n'}
  assert first.name != second.name
  assert first.solved is None


def test_damaged_rows_are_refused(tmp_path):
  path = tmp_path / 'set.jsonl'
  path.write_text(json.dumps(ROWS[0]) + '\n{"py": \n')
  test_set = translation_sets.ParallelTestSet([str(path)], COLUMNS)
  with pytest.raises(errors.UserError, match=r'set\.jsonl#1.*correct it'):
    list(test_set.items())


@pytest.mark.parametrize('name', ['c-sharp', 'code/java', '', 'a b'])
def test_names_of_languages_must_make_directions(name):
  with pytest.raises(errors.UserError, match='csharp'):
    translation_sets.ParallelTestSet(['x'], {'python': 'py', name: 'java'})


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'num_problems': 0}, 'num_problems'),
    ({'validation_fraction': 0}, 'between 0 and 1'),
    ({'language_names': ['python', 'cobol']}, 'cobol'),
  ],
)
def test_bad_settings_of_generated_sets(settings, message):
  with pytest.raises(errors.UserError, match=message):
    translation_sets.SyntheticParallel(**settings)


def test_generated_items_are_the_documents_of_problems():
  test_set = translation_sets.SyntheticParallel(4, seed=3)
  items = list(test_set.items())
  assert len(items) == 4
  for item in items:
    assert list(item.programs) == list(reader.RENDERERS)
    index = int(item.name.rpartition('/')[2])
    problem = reader.problem(3, index)
    for language, text in item.programs.items():
      assert text == reader.RENDERERS[language]().document(problem)
    assert len(item.solved.inputs) > len(problem.examples)
  groups = {item.solved.group for item in items}
  assert len(groups) == 4
  assert all(clusters.place(group) < 2**32 / 10 for group in groups)
  assert [item.name for item in test_set.items()] == [
    item.name for item in items
  ]


def test_no_shape_comes_twice():
  # With this seed, problem 22 has the shape of problem 1.
  test_set = translation_sets.SyntheticParallel(
    24, seed=4, validation_fraction=0.999, language_names=['python']
  )
  items = list(test_set.items())
  assert len({item.solved.group for item in items}) == 24
  assert items[-1].name > 'synthetic/4/000023'


def test_too_many_of_different_shapes(monkeypatch):
  monkeypatch.setattr(translation_sets, '_DRAWS_PER_HELD_OUT', 0.2)
  with pytest.raises(errors.UserError, match='ask for fewer than 50'):
    list(translation_sets.SyntheticParallel(50).items())


def test_nothing_of_the_set_is_trained_on(tmp_path):
  """Whatever seed the corpus was made from, the same one included."""
  build.build(
    plan_lib.CorpusPlan(
      readers=[
        pairs.SyntheticPairs(
          300, pairing.Pairing(directions=['python-go']), seed=5
        )
      ],
      output_dir=str(tmp_path / 'corpus'),
      min_bytes_per_source=1,
      validation_fraction=0.1,
      deduplication=deduplication.Deduplication(),
    )
  )
  corpus = {
    split: {
      item.text.encode()[: item.prefix_bytes].decode().strip()
      for item in documents.read_documents(
        tmp_path / 'corpus', 'parallel/python-go', split
      )
    }
    for split in report.SPLITS
  }
  assert len(corpus['train']) > 200
  programs = {
    item.programs['python'].strip()
    for item in translation_sets.SyntheticParallel(20, seed=5).items()
  }
  assert not programs & corpus['train']
  assert len(programs & corpus['validation']) > 10
