import contextlib
import doctest
import io
import itertools
import os
import random
import subprocess
import sys

import pytest

from codelaw import errors
from codelaw.corpora import copies
from codelaw.corpora import deduplication
from codelaw.corpora import languages
from codelaw.corpora.synthetic import python
from codelaw.corpora.synthetic import reader
from tests.corpora import collected


def _documents(num_problems, **settings):
  return collected.by_source(reader.SyntheticPrograms(num_problems, **settings))


def test_sources_hold_the_same_problems():
  found = _documents(20)
  assert list(found) == [
    'synthetic/python',
    'synthetic/javascript',
    'synthetic/java',
  ]
  for triple in zip(*found.values(), strict=True):
    assert len({item.origin for item in triple}) == 1
    assert len({item.group for item in triple}) == 1
    assert len({item.text for item in triple}) == 3
    assert [item.language for item in triple] == [
      'python',
      'javascript',
      'java',
    ]


def test_more_problems_extend_a_corpus_and_seeds_change_it():
  few = _documents(10, languages=['python'])['synthetic/python']
  many = _documents(30, languages=['python'])['synthetic/python']
  other = _documents(10, languages=['python'], seed=1)['synthetic/python']
  assert many[:10] == few
  assert not {item.text for item in few} & {item.text for item in other}


def test_all_kinds_are_about_the_same_problems():
  found = _documents(12, kinds=reader.KINDS, languages=['python', 'go'])
  assert list(found) == [
    'synthetic/python',
    'synthetic/go',
    'synthetic/markup',
    'synthetic/commits',
    'synthetic/questions',
    'synthetic/notebooks',
  ]
  for row in zip(*found.values(), strict=True):
    assert len({item.origin for item in row}) == 1
    assert len({item.group for item in row}) == 1
  assert {i.language for i in found['synthetic/commits']} == {'python', 'go'}
  assert {i.language for i in found['synthetic/questions']} == {'markdown'}


def test_more_problems_and_other_kinds_change_no_document():
  few = _documents(8, kinds=['markup', 'commits', 'questions'])
  many = _documents(16, kinds=reader.KINDS)
  for source, items in few.items():
    assert many[source][:8] == items
  programs = _documents(8)
  assert many['synthetic/java'][:8] == programs['synthetic/java']


def test_kinds_are_varied():
  """No two documents of a kind are near-copies (see also the README)."""
  for source, items in _documents(
    250, kinds=['markup', 'commits', 'questions']
  ).items():
    index = copies.Index(deduplication.Deduplication())
    assert not any(index.add(item)[0] for item in items), source


def test_documents_are_the_same_in_every_process():
  """Nothing depends on the order of sets or on Python's own hashes."""
  script = (
    'from codelaw.corpora.synthetic import reader\n'
    'everything = reader.SyntheticPrograms(40, kinds=reader.KINDS)\n'
    'for item in everything.read(range(40), lambda _: 0):\n'
    '  print(item)\n'
  )
  outputs = {
    subprocess.run(
      [sys.executable, '-c', script],
      env={**os.environ, 'PYTHONHASHSEED': seed},
      capture_output=True,
      check=True,
    ).stdout
    for seed in ('1', '2')
  }
  assert len(outputs) == 1
  assert len(outputs.pop()) > 40_000


def test_problems_are_many_and_varied():
  items = _documents(400, languages=['python'])['synthetic/python']
  assert len({item.text for item in items}) == 400
  assert len({item.group for item in items}) > 250
  assert 400 < sum(len(item.text) for item in items) / 400 < 1500


@pytest.mark.parametrize('family', reader.FAMILIES)
def test_every_family_gives_verified_programs(family):
  made = 0
  for attempt in itertools.count():
    rng = random.Random(attempt)
    draft = family(rng)
    examples = reader._examples(draft, rng)
    if not examples:
      continue
    solve = python.compile_functions(draft.functions, checked=False)
    for example in examples:
      assert solve(*example.arguments) == example.result
    assert len({repr(example.result) for example in examples}) > 1
    made += 1
    if made == 5:
      break
  assert attempt < 50


def test_python_documents_run_as_they_stand():
  """Asserts hold, doctests pass, and printed results are the comments."""
  for index in range(60):
    item = reader.problem(5, index)
    text = python.PythonRenderer().document(item)
    scope = {'__name__': '__main__'}
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
      exec(compile(text, f'problem {index}', 'exec'), scope)
    if item.style == 0:
      parsed = doctest.DocTestParser().get_doctest(
        scope[item.solution.name].__doc__, scope, 'd', None, 0
      )
      assert doctest.DocTestRunner(verbose=False).run(parsed).failed == 0
      assert len(parsed.examples) == len(item.examples)
    if item.style == 2:
      results = [str(example.result) for example in item.examples]
      assert output.getvalue().splitlines() == results


def test_sources_have_the_names_that_a_study_knows_them_by():
  settings = {'kinds': ['programs', 'commits'], 'languages': ['python', 'go']}
  plain = _documents(5, **settings)
  renamed = {
    'synthetic/python': 'code/web',
    'synthetic/go': 'code/web',
    'synthetic/commits': 'commits',
  }
  settings |= {'renamed': renamed}
  everything = reader.SyntheticPrograms(5, **settings)
  assert everything.source_names() == ('code/web', 'commits')
  full = everything.read(range(5), lambda source: source == 'code/web')
  assert {item.source for item in full} == {'commits'}
  found = _documents(5, **settings)
  assert [item.text for item in found['code/web']] == [
    item.text
    for pair in zip(
      plain['synthetic/python'], plain['synthetic/go'], strict=True
    )
    for item in pair
  ]
  assert [(item.text, item.source) for item in found['commits']] == [
    (item.text, 'commits') for item in plain['synthetic/commits']
  ]


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'num_problems': 0}, 'at least 1, got 0'),
    ({'num_problems': 1, 'languages': ['cobol']}, "'cobol'; known are python"),
    ({'num_problems': 1, 'languages': 'python'}, 'must be a list'),
    ({'num_problems': 1, 'kinds': ['poems']}, "'poems'; known are programs"),
    ({'num_problems': 1, 'kinds': []}, 'must be a list with some of'),
    ({'num_problems': 1, 'kinds': ['markup', 'markup']}, 'twice'),
    ({'num_problems': 1, 'seed': 0.5}, 'seed must be a whole number'),
    (
      {'num_problems': 1, 'renamed': {'synthetic/go': 'code/go'}},
      "'synthetic/go'; the sources are synthetic/python, synth",
    ),
    (
      {'num_problems': 1, 'renamed': {'synthetic/java': 'Java'}},
      'named in lower case',
    ),
  ],
)
def test_mistakes_are_explained(settings, message):
  with pytest.raises(errors.UserError, match=message):
    reader.SyntheticPrograms(**settings)


def test_languages_are_called_as_readers_of_files_call_them():
  found = _documents(3, languages=list(reader.RENDERERS))
  called = {item.language for items in found.values() for item in items}
  assert called <= set(languages.LANGUAGES)
  assert len(called) == len(reader.RENDERERS)
