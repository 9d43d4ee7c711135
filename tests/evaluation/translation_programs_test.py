"""Right translations pass in every language, wrong ones do not."""

import dataclasses
import random
import re

import pytest

from codelaw.corpora.synthetic import mutations
from codelaw.corpora.synthetic import reader
from codelaw.corpora.synthetic import rendering
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import toolchains
from codelaw.evaluation import translation_programs
from codelaw.evaluation import translation_sets


@pytest.fixture(scope='module')
def items():
  """A problem in each of the three layouts."""
  found = {}
  for item in translation_sets.SyntheticParallel(12, seed=1).items():
    found.setdefault(item.solved.problem.style, item)
  assert set(found) == {0, 1, 2}
  return found


def _verdict(item, language, text):
  reason = toolchains.available(language)
  if reason:
    pytest.skip(reason)
  return program_verdicts.judge(
    *translation_programs.test_program(item.solved, language, text)
  )


@pytest.mark.slow
@pytest.mark.parametrize('style', [0, 1, 2])
@pytest.mark.parametrize('language', reader.RENDERERS)
def test_references_pass(items, language, style):
  item = items[style]
  verdict = _verdict(item, language, item.programs[language])
  assert verdict.outcome == 'passed', verdict.detail


@pytest.mark.slow
@pytest.mark.parametrize('language', reader.RENDERERS)
def test_small_bugs_are_found(items, language):
  """In the layout that says of its examples only in comments."""
  item = items[0]
  bug = mutations.find_bug(item.solved, random.Random(0))
  wrong = dataclasses.replace(item.solved.problem, functions=bug.functions)
  text = reader.RENDERERS[language]().document(wrong)
  assert text != item.programs[language]
  assert _verdict(item, language, text).outcome == 'failed'


@pytest.mark.slow
@pytest.mark.parametrize('language', ['java', 'csharp'])
def test_classes_may_have_any_name(items, language):
  item = items[1]
  text = item.programs[language]
  (name,) = set(re.findall(r'\bclass (\w+)', text))
  verdict = _verdict(item, language, re.sub(rf'\b{name}\b', 'Other', text))
  assert verdict.passed, verdict.detail


@pytest.mark.slow
def test_go_functions_may_be_exported_or_not(items):
  item = items[0]
  name = rendering.camel_case(item.solved.problem.solution.name)
  exported = name[0].upper() + name[1:]
  assert exported in item.programs['go']
  text = item.programs['go'].replace(exported, name)
  verdict = _verdict(item, 'go', text)
  assert verdict.passed, verdict.detail


@pytest.mark.parametrize(
  ('text', 'outcome'),
  [
    ('', 'failed'),
    ('def solution(:', 'compile error'),
    ('import os\nos._exit(0)\n', 'left early'),
  ],
)
def test_no_translation(items, text, outcome):
  assert _verdict(items[0], 'python', text).outcome == outcome


def test_what_becomes_of_files(items):
  """The rest of a translation stays as the model wrote it."""
  changed = {
    'python': ([], []),
    'javascript': ([], []),
    'typescript': ([], []),
    'java': (['public final class '], ['final class ']),
    'csharp': (['static void Main()'], ['static void TranslatedMain()']),
    'go': (['package main\n'], ['\n']),
    'rust': (['fn main()'], ['fn translated_main()']),
  }
  item = items[1]
  for language, (old, new) in changed.items():
    text = item.programs[language]
    expected = text
    for before, after in zip(old, new, strict=True):
      assert expected.count(before) == 1
      expected = expected.replace(before, after)
    problem, completion = translation_programs.test_program(
      item.solved, language, text
    )
    assert completion == expected
    assert text not in problem.before + problem.after
    assert problem.after.count('\n') >= len(item.solved.inputs)
