"""Pairs of programs, from problems and from tables."""

import collections
import dataclasses
import itertools
import json

import numpy as np
import pyarrow as pa
from pyarrow import parquet
import pytest

from codelaw import errors
from codelaw.corpora import build
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import pairing
from codelaw.corpora import parallel_table
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import reading
from codelaw.corpora import report
from codelaw.corpora.synthetic import pairs
from codelaw.corpora.synthetic import reader
from tests.corpora import collected

TWO = ('python-java', 'java-python')
OTHER_DIRECTIONS = tuple(
  '-'.join(both)
  for both in itertools.permutations(reader.RENDERERS, 2)
  if 'python' not in both
)
PROGRAMS = {'python': 'x = 1  # é\n', 'java': 'int x = 1;\n'}


def _pair(direction, programs=PROGRAMS, **settings):
  settings = {'directions': TWO, **settings}
  return list(
    pairing.Pairing(**settings).pair(direction, programs, 'o', 'MIT', 'g')
  )


def test_direct_pairs_are_one_document():
  (item,) = _pair('python-java')
  assert item.text == 'x = 1  # é\n\nint x = 1;\n'
  assert item.source == 'parallel/python-java'
  assert item.language == 'java'
  assert (item.origin, item.license, item.group) == ('o', 'MIT', 'g')
  assert item.only_split == ''


def test_prompts_name_the_languages():
  prompt = '\n# {source} -> {target}\n'
  programs = {**PROGRAMS, 'csharp': 'var x = 1;\n'}
  (item,) = _pair(
    'python-csharp',
    programs,
    strategy='prompt',
    prompt=prompt,
    directions=['python-csharp'],
  )
  assert item.text == 'x = 1  # é\n\n# Python -> C#\nvar x = 1;\n'
  assert item.language == 'c#'  # as readers of files call it


@pytest.mark.parametrize('strategy', ['direct', 'prompt'])
def test_the_prefix_ends_where_the_translation_begins(strategy):
  (item,) = _pair('python-java', strategy=strategy)
  content = item.text.encode()
  assert content[item.prefix_bytes :].decode() == PROGRAMS['java']
  assert content[: item.prefix_bytes].decode().startswith(PROGRAMS['python'])


def test_held_out_pairs_of_shuffled_programs_are_those_of_a_direct_corpus():
  both = [
    _pair(
      'python-java',
      strategy=strategy,
      directions=['java-python'],
      held_out_directions=['python-java'],
    )
    for strategy in ('shuffled', 'direct')
  ]
  assert both[0] == both[1]
  assert [item.only_split for item in both[0]] == ['validation']


def test_shuffled_pairs_are_two_documents_of_one_group():
  program, translation = _pair('python-java', strategy='shuffled')
  assert (program.text, program.language) == (PROGRAMS['python'], 'python')
  assert (translation.text, translation.language) == (PROGRAMS['java'], 'java')
  assert program.group == translation.group == 'g'
  assert program.prefix_bytes == translation.prefix_bytes == 0


@pytest.mark.parametrize('strategy', pairing.STRATEGIES)
def test_held_out_directions_are_whole_and_for_validation(strategy):
  (item,) = _pair(
    'java-python',
    strategy=strategy,
    directions=['python-java'],
    held_out_directions=['java-python'],
  )
  assert item.only_split == 'validation'
  assert item.text.encode()[item.prefix_bytes :].decode() == 'x = 1  # é\n'


def test_default_directions_are_those_of_the_paper():
  every = {
    f'{source}-{target}'
    for source, target in itertools.permutations(reader.RENDERERS, 2)
  }
  python = {name for name in every if 'python' in name.split('-')}
  assert set(pairing.PIVOT_DIRECTIONS) == python
  assert len(python) == len(pairing.PIVOT_DIRECTIONS) == 12
  assert set(OTHER_DIRECTIONS) == every - python


def test_sets_are_spread_over_directions_evenly():
  settings = pairing.Pairing(
    held_out_directions=OTHER_DIRECTIONS, directions_per_set=2
  )
  counts = collections.Counter()
  for number in range(3000):
    chosen = list(settings.chosen(f'{number}', reader.RENDERERS))
    assert len(set(chosen)) == 4
    counts.update(chosen)
  for direction in pairing.PIVOT_DIRECTIONS:
    # 500 expected, with a standard deviation of 20.
    assert 400 < counts[direction] < 600
  for direction in OTHER_DIRECTIONS:
    assert 140 < counts[direction] < 260


def test_sets_are_written_only_in_directions_they_have():
  settings = pairing.Pairing(directions_per_set=12)
  assert set(settings.chosen('k', ['python', 'go', 'rust'])) == {
    *('python-go', 'go-python', 'python-rust', 'rust-python')
  }
  assert not list(settings.chosen('k', ['go', 'rust']))


def _synthetic(num_problems=40, seed=0, **settings):
  return pairs.SyntheticPairs(num_problems, pairing.Pairing(**settings), seed)


def test_synthetic_pairs_are_renderings_of_one_problem():
  found = collected.by_source(_synthetic())
  assert list(found) == [f'parallel/{d}' for d in pairing.PIVOT_DIRECTIONS]
  assert sum(map(len, found.values())) == 40
  for source, items in found.items():
    first, target = source.removeprefix('parallel/').split('-')
    for item in items:
      problem = reader.problem(0, int(item.origin.rpartition('/')[2]))
      program = reader.RENDERERS[first]().document(problem)
      translation = reader.RENDERERS[target]().document(problem)
      assert item.text == f'{program}\n{translation}'


def test_more_problems_extend_the_pairs():
  few = collected.by_source(_synthetic(20))
  many = collected.by_source(_synthetic(40))
  for source, items in few.items():
    assert many[source][: len(items)] == items


def test_full_sources_cost_nothing(monkeypatch):
  def fail(*_):
    raise AssertionError('a problem was made')

  monkeypatch.setattr(reader, 'solved', fail)
  assert not list(_synthetic().read(range(5), lambda source: True))


def _build(tmp_path, *readers, **changes):
  out = tmp_path / 'corpus'
  settings = {
    'readers': readers,
    'output_dir': str(out),
    'deduplication': deduplication.Deduplication(),
    'validation_fraction': 0.3,
    'min_bytes_per_source': 1000,
    **changes,
  }
  build.build(plan_lib.CorpusPlan(**settings))
  return {
    split: [
      item
      for source in documents.sources(out)
      for item in documents.read_documents(out, source, split)
    ]
    for split in report.SPLITS
  }


HELD_OUT = {
  'directions': TWO,
  'held_out_directions': ('java-go', 'go-rust'),
}


def test_one_corpus_may_hold_pairs_written_in_several_ways():
  settings = {'directions': TWO, 'source': 'parallel/prompt'}
  names = ('parallel/prompt/python-java', 'parallel/prompt/java-python')
  assert pairing.Pairing(**settings).source_names() == names
  (item,) = _pair('python-java', **settings)
  assert item.source == names[0]
  with pytest.raises(errors.UserError, match='named in lower case'):
    pairing.Pairing(source='Parallel/')


def test_a_source_that_is_full_gets_no_more_and_others_do():
  settings = pairing.Pairing(directions=TWO, source='parallel/direct')
  full, other = settings.source_names()
  written = pairs.SyntheticPairs(20, settings)
  items = list(written.read(range(20), lambda source: source == full))
  everything = [i for i in collected.items(written) if i.source == other]
  assert items == everything
  assert 0 < len(items) < 20


def test_seeds_choose_directions_of_their_own():
  settings = pairing.Pairing(directions=TWO)
  chosen = [
    [item.source for item in collected.items(written)]
    for written in (pairs.SyntheticPairs(20, settings, s) for s in (0, 1))
  ]
  assert chosen[0] != chosen[1]


def _number(item):
  return int(item.origin.rpartition('/')[2])


def test_no_part_of_a_held_out_pair_is_trained_on(tmp_path):
  corpus = _build(
    tmp_path,
    _synthetic(150, **HELD_OUT),
    # Other problems, and among them the same.
    reader.SyntheticPrograms(150, ['python', 'java', 'go', 'rust']),
  )
  trained = {item.text for item in corpus['train']}
  held_out = {
    _number(item)
    for item in corpus['validation']
    if item.source.startswith('parallel/')
  }
  assert len(held_out) > 20
  assert not held_out & {_number(item) for item in corpus['train']}
  for item in corpus['validation']:
    program = item.text.encode()[: item.prefix_bytes].decode()
    translation = item.text.encode()[item.prefix_bytes :].decode()
    for text in filter(None, (program.strip(), translation.strip())):
      assert not any(text in other for other in trained)
  sources = {item.source for item in corpus['train']}
  assert not sources & {'parallel/java-go', 'parallel/go-rust'}
  evaluated = {item.source for item in corpus['validation']}
  assert {'parallel/java-go', 'parallel/go-rust'} <= evaluated
  # Near-copies as well: similarities of the sets of shingles, all by all.
  shingles = {
    split: [
      set(deduplication.shingle_hashes(item.text).tolist())
      for item in corpus[split][:150]
    ]
    for split in report.SPLITS
  }
  most = max(
    len(one & other) / len(one | other)
    for one in shingles['train']
    for other in shingles['validation']
  )
  assert most < 0.75  # The estimate's error above the threshold of .7.


def test_strategies_hold_out_the_same_problems(tmp_path):
  found = []
  for strategy in pairing.STRATEGIES:
    corpus = _build(
      tmp_path / strategy, _synthetic(80, strategy=strategy, directions=TWO)
    )
    found.append({_number(item) for item in corpus['validation']})
  assert found[0] == found[1] == found[2]
  assert len(found[0]) > 10


ROWS = [
  {'py': 'a = 1\n', 'jv': 'int a = 1;\n', 'go': None},
  {'py': 'b = 2\n', 'jv': 'int b = 2;\n', 'go': 'b := 2\n'},
  {'py': 'c = 3\n', 'jv': '', 'go': None},
]
COLUMNS = {'python': 'py', 'java': 'jv', 'go': 'go'}


def _write(path, rows):
  if path.suffix == '.parquet':
    parquet.write_table(pa.Table.from_pylist(rows), path)
  else:
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
  return str(path)


def _table(path, columns=None, **settings):
  settings = {
    'directions': (*TWO, 'python-go', 'go-python'),
    'directions_per_set': 4,
    **settings,
  }
  return parallel_table.ParallelTable(
    [path], columns or COLUMNS, pairing.Pairing(**settings), 'MIT'
  )


@pytest.mark.parametrize('name', ['rows.parquet', 'rows.jsonl'])
def test_tables_give_the_pairs_that_their_rows_have(tmp_path, name):
  items = list(collected.items(_table(_write(tmp_path / name, ROWS))))
  found = collections.defaultdict(list)
  for item in items:
    if isinstance(item, documents.RawDocument):
      found[item.source.removeprefix('parallel/')].append(item.text)
      assert item.license == 'MIT'
  assert found == {
    'python-java': ['a = 1\n\nint a = 1;\n', 'b = 2\n\nint b = 2;\n'],
    'java-python': ['int a = 1;\n\na = 1\n', 'int b = 2;\n\nb = 2\n'],
    'python-go': ['b = 2\n\nb := 2\n'],
    'go-python': ['b := 2\n\nb = 2\n'],
  }
  (skipped,) = (item for item in items if isinstance(item, reading.Skipped))
  assert skipped.reason == 'too few languages'
  assert not skipped.damaged
  groups = {
    item.group for item in items if isinstance(item, documents.RawDocument)
  }
  assert len(groups) == 2


def test_damaged_rows_of_tables_are_named(tmp_path):
  path = tmp_path / 'rows.jsonl'
  text = json.dumps(ROWS[0]) + '\n{"py": \n' + json.dumps({'py': 7}) + '\n'
  path.write_text(text)
  items = list(
    collected.items(
      _table(str(path), {'python': 'py', 'java': 'jv'}, directions=TWO)
    )
  )
  skipped = [item for item in items if isinstance(item, reading.Skipped)]
  assert [item.reason for item in skipped] == ['not JSON', 'py is not text']
  assert all(item.damaged for item in skipped)
  assert len(items) == 4


def test_tables_become_corpora(tmp_path):
  rng = np.random.default_rng(0)
  rows = []
  for _ in range(60):
    names = [f'name{n}' for n in rng.integers(10**6, size=30)]
    rows.append(
      {'py': ' = '.join(names) + '\n', 'jv': ' == '.join(names[::-1]) + ';\n'}
    )
  path = _write(tmp_path / 'rows.parquet', rows)
  corpus = _build(
    tmp_path,
    _table(
      path,
      {'python': 'py', 'java': 'jv'},
      directions=TWO,
      directions_per_set=1,
    ),
  )
  assert sum(map(len, corpus.values())) == 60


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'strategy': 'woven'}, "one of shuffled, direct, prompt; got 'woven'"),
    ({'directions': 'python-java'}, "like \\['python-java'\\]"),
    ({'directions': ['python']}, 'two different languages'),
    ({'directions': ['go-go']}, 'two different languages'),
    ({'directions': ['go-rust', 'go-rust']}, 'twice'),
    ({'held_out_directions': ['python-go']}, 'which is in'),
    ({'directions_per_set': 0}, 'above 0'),
    ({'prompt': 'now in another:'}, 'as {target}'),
    ({'prompt': '{target} {user}'}, 'nothing else in braces'),
    ({'prompt': '{target'}, 'must be a template'),
  ],
)
def test_mistakes_in_pairing_are_explained(settings, message):
  with pytest.raises(errors.UserError, match=message):
    pairing.Pairing(**settings)


def test_mistakes_in_readers_are_explained(tmp_path):
  plan = pairing.Pairing(directions=['python-cobol'])
  with pytest.raises(errors.UserError, match='with cobol; there are programs'):
    pairs.SyntheticPairs(5, plan)
  with pytest.raises(errors.UserError, match='with cobol; there are columns'):
    parallel_table.ParallelTable(['a.jsonl'], COLUMNS, plan)
  with pytest.raises(errors.UserError, match='two or more languages'):
    parallel_table.ParallelTable(['a.jsonl'], {'python': 'py'}, plan)
  with pytest.raises(errors.UserError, match='must be @Pairing'):
    pairs.SyntheticPairs(5, 'direct')
  with pytest.raises(errors.UserError, match='must name at least one'):
    pairs.SyntheticPairs(5, pairing.Pairing(directions=[]))
  path = _write(tmp_path / 'rows.jsonl', ROWS)
  table = _table(path, {**COLUMNS, 'rust': 'rs'})
  with pytest.raises(errors.UserError, match='the column rs'):
    list(collected.items(table))


def test_settings_of_pairs_are_part_of_a_plan():
  def settings(**changes):
    return plan_lib.CorpusPlan(
      [_synthetic(5, **changes)], 'out', deduplication.Deduplication()
    ).settings()

  assert json.loads(json.dumps(settings())) == settings()
  assert settings() != settings(strategy='prompt')
  fields = {field.name for field in dataclasses.fields(pairing.Pairing)}
  assert set(settings()['readers'][0]['pairing']) == fields
