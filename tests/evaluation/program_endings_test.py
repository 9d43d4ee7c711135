"""Where the last statement of the tests goes, and the tuples of Java."""

import dataclasses
import re
import subprocess

import pytest

from codelaw import errors
from codelaw.evaluation import code_problems
from codelaw.evaluation import java_tuples
from codelaw.evaluation import program_endings
from codelaw.evaluation import sandbox
from codelaw.evaluation import toolchains
from tests.evaluation import code_rows


def _problem(language, **changes):
  (problem,) = code_problems.from_rows([code_rows.MULTIPLE[language]], 'here')
  return dataclasses.replace(problem, **changes)


def _program(language, completion='X', **changes):
  problem = _problem(language, **changes)
  return program_endings.files(problem, completion, 'file')['file']


def test_scripts_end_with_it():
  for language in ('python', 'javascript', 'typescript'):
    text = _program(language)
    assert text.startswith(_problem(language).program('X'))
    assert 'rite' in text[len(_problem(language).program('X')) :]


@pytest.mark.parametrize(
  ('language', 'end'),
  [
    ('java', r'transfer|readAllBytes.*\n\}\n\n\}\n$'),
    ('csharp', r'ReadToEnd\(\)\);\n\}\n\n\}\n\nclass CodelawFailedAssertion'),
    ('go', r'\n\t\}\ncodelawEnding\(t\)\n\}\n$'),
    ('rust', r'stdout\(\)\)\.unwrap\(\);\n\}\n$'),
  ],
)
def test_it_stands_inside_the_last_function(language, end):
  assert re.search(end, _program(language))


def test_braces_of_a_completion_move_nothing():
  """The place is looked for in the tests alone."""
  for language in ('java', 'csharp', 'go', 'rust'):
    tests = _program(language)[len(_problem(language).before) + 1 :]
    for completion in ('}}}}', '', '"}"'):
      assert _program(language, completion).endswith(completion + tests)


@pytest.mark.parametrize('language', ['java', 'csharp', 'go', 'rust'])
def test_tests_of_another_form_are_refused(language):
  with pytest.raises(errors.UserError, match='must end with'):
    _program(language, after='assert(true);')


def test_csharp_and_go_need_their_heads():
  with pytest.raises(errors.UserError, match='static void Main'):
    _program('csharp', after='static int Main() { }\n}\n')
  with pytest.raises(errors.UserError, match='name of its package'):
    _program('go', before='func f() {')


def test_secrets_differ():
  assert len({program_endings.secret() for _ in range(100)}) == 100


def test_tuples_are_there_for_programs_that_name_them():
  assert java_tuples.sources('import java.util.*;') == {}
  names = java_tuples.sources('import org.javatuples.*;').keys()
  assert 'org/javatuples/Pair.java' in names
  assert len(names) == 10


_TUPLES = """import org.javatuples.*;
class Problem { public static void main(String[] a) {
  Pair<Integer, String> pair = Pair.with(1, "x");
  assert pair.getValue0() == 1 && pair.getValue1().equals("x");
  assert pair.equals(Pair.with(1, "x")) && !pair.equals(Pair.with(2, "x"));
  assert !pair.equals(Unit.with(1)) && !pair.equals(null);
  assert pair.hashCode() == Pair.with(1, "x").hashCode();
  assert pair.setAt0(2L).getValue0() == 2L && pair.getValue0() == 1;
  assert Triplet.with(1, 2, 3).toString().equals("[1, 2, 3]");
  int sum = 0;
  for (Object value : Triplet.with(1, 2, 3)) { sum += (Integer) value; }
  assert sum == 6 && Triplet.with(1, 2, 3).contains(3);
  assert Decade.with(0, 1, 2, 3, 4, 5, 6, 7, 8, 9).getValue9() == 9;
  System.out.println("held");
} }
"""


def test_tuples_behave_as_values(tmp_path):
  if toolchains.available('java'):
    pytest.skip('no Java here')
  tools = toolchains.toolchain('java')
  files = java_tuples.sources(_TUPLES) | {tools.source: _TUPLES}
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
  # All ten, with every warning.
  every = [*tools.compile[:-1], '-Xlint:all', '-Werror', *files]
  every.remove('-nowarn')
  done = subprocess.run(every, cwd=tmp_path, capture_output=True, check=False)
  assert done.returncode == 0, done.stderr.decode()
  outcome = sandbox.run(tools.run, tmp_path, sandbox.Limits(seconds=200))
  assert outcome.stdout == b'held\n', outcome.stderr
