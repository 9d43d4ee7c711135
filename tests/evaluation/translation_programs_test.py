"""Right translations pass in every language, wrong ones do not."""

import dataclasses
import shutil

import pytest

from codelaw.corpora.synthetic import reader
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
@pytest.mark.parametrize('style', [0, 1, 2])
@pytest.mark.parametrize('language', reader.RENDERERS)
def test_other_programs_do_not(items, language, style):
  item, other = items[style], items[(style + 1) % 3]
  verdict = _verdict(item, language, other.programs[language])
  assert not verdict.passed
