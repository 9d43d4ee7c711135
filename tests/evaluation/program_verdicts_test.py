"""Right completions pass and broken ones fail, in every language here."""

import itertools
import shutil
import tempfile

import pytest

from codelaw.evaluation import code_problems
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import sandbox
from codelaw.evaluation import toolchains
from tests.evaluation import code_rows

# Of the processor, which a loaded machine does not stretch; completions that
# end take less than a second of it.
_LIMITS = sandbox.Limits(seconds=200)
_ENDLESS = sandbox.Limits(seconds=200, cpu_seconds=0.5)
_OUTCOMES = {
  'right': program_verdicts.PASSED,
  'wrong': program_verdicts.FAILED,
  'refused': program_verdicts.COMPILE_ERROR,
  'endless': program_verdicts.TIMEOUT,
  'crash': program_verdicts.FAILED,
  'leaves': program_verdicts.LEFT_EARLY,
}


def _judged(row, completion, limits=_LIMITS):
  (problem,) = code_problems.from_rows([row], 'here')
  reason = toolchains.available(problem.language)
  if reason:
    pytest.skip(reason)
  return program_verdicts.judge(problem, completion, limits)


# Compilers are slow.
_SLOW = {
  (language, kind)
  for language in ('java', 'csharp', 'go')
  for kind in ('crash', 'leaves')
}


@pytest.mark.parametrize(
  ('language', 'kind'),
  [
    pytest.param(
      *case,
      marks=[pytest.mark.slow] if case in _SLOW else [],
      id='-'.join(case),
    )
    for case in itertools.product(toolchains.LANGUAGES, _OUTCOMES)
  ],
)
def test_completions_of_every_kind(language, kind):
  row = code_rows.MULTIPLE[language]
  if (language, kind) == ('go', 'leaves'):
    row = code_rows.GO_LEAVES
  completion = code_rows.COMPLETIONS[language][kind]
  limits = _ENDLESS if kind == 'endless' else _LIMITS
  verdict = _judged(row, completion, limits)
  assert verdict.outcome == _OUTCOMES[kind], verdict.detail
  assert bool(verdict.detail) == (kind in ('wrong', 'refused', 'crash'))


@pytest.mark.parametrize(
  ('body', 'outcome'),
  [
    ('__import__("os").abort()', program_verdicts.CRASHED),
    ('__import__("sys").exit(0)', program_verdicts.LEFT_EARLY),
    ('raise SystemExit', program_verdicts.LEFT_EARLY),
    ('return bytearray(2 ** 29)', 'memory'),
    ('while True: print("x" * 1000)', 'output'),
    ('raise SyntaxError("of its own")', program_verdicts.FAILED),
  ],
)
def test_other_ends_of_python(body, outcome):
  limits = sandbox.Limits(seconds=200, memory_bytes=2**27, output_bytes=2**16)
  verdict = _judged(code_rows.MULTIPLE['python'], f'    {body}\n', limits)
  assert verdict.outcome == outcome, verdict.detail


@pytest.mark.parametrize(
  ('language', 'completion'),
  [
    # A script may return at its top, before the tests that come after it.
    ('javascript', '    return 0;\n}\nreturn;\n'),
    ('python', '    return 0\nimport os\nos._exit(0)\n'),
    # The tests only; the secret is on standard input.
    ('python', '    return 0\nprint("passed", "OK", 6)\nraise SystemExit\n'),
  ],
)
def test_an_end_without_tests_is_no_pass(language, completion):
  verdict = _judged(code_rows.MULTIPLE[language], completion)
  assert verdict.outcome == program_verdicts.LEFT_EARLY


@pytest.mark.parametrize(
  'row', [code_rows.HUMAN_EVAL, code_rows.MBPP, code_rows.MBPP_SANITIZED]
)
def test_solutions_of_the_python_sets_pass(row):
  (problem,) = code_problems.from_rows([row], 'here')
  assert program_verdicts.judge(problem, problem.solution).passed
  wrong = problem.solution.replace('2 *', '3 *')
  verdict = program_verdicts.judge(problem, wrong)
  assert verdict.outcome == program_verdicts.FAILED
  assert 'AssertionError' in verdict.detail


@pytest.mark.parametrize('language', ['javascript', 'typescript'])
def test_a_mistake_of_the_running_program_is_no_compile_error(language):
  completion = '    return JSON.parse("{");\n}\n'
  verdict = _judged(code_rows.MULTIPLE[language], completion)
  assert verdict.outcome == program_verdicts.FAILED
  assert 'SyntaxError' in verdict.detail


def test_tsc_checks_types():
  if shutil.which('tsc') is None:
    pytest.skip('no tsc here')
  verdict = _judged(code_rows.MULTIPLE['typescript'], '    return "6";\n}\n')
  assert verdict.outcome == program_verdicts.COMPILE_ERROR
  assert 'not assignable' in verdict.detail


def test_half_of_a_surrogate_pair_is_no_program():
  verdict = _judged(code_rows.MULTIPLE['python'], '    return "\ud800"\n')
  assert verdict.outcome == program_verdicts.FAILED


def test_nothing_is_left(tmp_path, monkeypatch):
  monkeypatch.setenv('TMPDIR', str(tmp_path))
  tempfile.tempdir = None
  try:
    verdict = _judged(
      code_rows.MULTIPLE['python'],
      '    open("here", "w").close(); return 2 * (a + b)\n',
    )
  finally:
    tempfile.tempdir = None
  assert verdict.passed
  assert list(tmp_path.iterdir()) == []
