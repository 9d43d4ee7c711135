"""Test programs for translations of generated programs.

A generated problem has verified inputs; a translation is right when its
solution gives their results. A translation is a whole file, so its test
program is the file with a test after it, in the shape that `program_endings`
knows of each language. What must change in the file for that:

  Java: the class is not public, since the file is not called after it.
  C#, Rust: the entry point gets another name; the test has its own.
  Go: the package gets the name that the test is in. The test's own imports
    have names that no program has.

A translation may call its class (Java, C#) as it likes, and may export its
function or not (Go); the solution itself must have the name that the language
gives to the source's name (`renderer.name`). What the file says of its own
examples (assertions, tests) must hold as well.
"""

from collections.abc import Callable
from collections.abc import Mapping
import re

from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import reader
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import rust
from codelaw.evaluation import code_problems

_DATASET = 'translation'
_CLASS = re.compile(r'\bclass\s+(\w+)')
_PUBLIC_CLASS = re.compile(r'\bpublic\s+(?=(?:\w+\s+)*class\b)')
_CSHARP_MAIN = re.compile(r'\bMain\s*(?=\()')
_RUST_MAIN = re.compile(r'\bfn\s+main\s*(?=\()')
_GO_PACKAGE = re.compile(r'^package[ \t]+\w+[ \t]*$', re.MULTILINE)
_GO_BEFORE = (
  'package solution\n\nimport (\n\tcodelawFormat "fmt"\n\tcodelawTesting'
  ' "testing"\n)\n'
)


def test_program(
  solved: execution.Solved, language: str, translation: str
) -> tuple[code_problems.Problem, str]:
  """What `program_verdicts.judge` takes.

  Args:
    solved: the problem behind the program that was translated.
    language: that it was translated into.
    translation: as the model wrote it.

  Returns:
    A problem whose completion is a whole file, and that file.
  """
  before, adapt, test = _LANGUAGES[language]
  text = adapt(translation)
  problem = code_problems.Problem(
    problem_id=solved.origin,
    dataset=_DATASET,
    language=language,
    prompt='',
    before=before,
    after=test(solved, text),
    stop=(),
  )
  return problem, text


test_program.__test__ = False  # type: ignore[attr-defined] # no test of pytest


def _calls(
  solved: execution.Solved, renderer: rendering.Renderer
) -> list[tuple[str, str]]:
  return [
    (renderer.call(solved.problem, one), renderer.literal(one.result))
    for one in solved.inputs
  ]


def _unchanged(text: str) -> str:
  return text


def _python(solved: execution.Solved, text: str) -> str:
  del text
  calls = _calls(solved, reader.RENDERERS['python']())
  return ''.join(f'assert {call} == {result}\n' for call, result in calls)


def _script(solved: execution.Solved, text: str) -> str:
  """Of JavaScript and TypeScript, whose values are written alike."""
  del text
  return ''.join(
    f'if (JSON.stringify({call}) !== JSON.stringify({result}))'
    ' { throw new Error("wrong"); }\n'
    for call, result in _calls(solved, reader.RENDERERS['javascript']())
  )


def _not_public(text: str) -> str:
  return _PUBLIC_CLASS.sub('', text)


def _class(text: str) -> str:
  match = _CLASS.search(text)
  return match[1] if match else 'Missing'


def _java(solved: execution.Solved, text: str) -> str:
  owner = _class(text)
  lines = ['class Problem {', '  public static void main(String[] a) {']
  for call, result in _calls(solved, reader.RENDERERS['java']()):
    equal = f'java.util.Objects.equals({owner}.{call}, {result})'
    lines += [f'    if (!{equal}) throw new AssertionError();']
  return '\n'.join([*lines, '  }', '}', ''])


def _without_csharp_main(text: str) -> str:
  return _CSHARP_MAIN.sub('TranslatedMain', text)


def _csharp(solved: execution.Solved, text: str) -> str:
  owner = _class(text)
  is_list = solved.problem.solution.returns in (program.INTS, program.TEXTS)
  equals = 'SequenceEqual' if is_list else 'Equals'
  lines = ['class Problem {', '  public static void Main(string[] args) {']
  for call, result in _calls(solved, reader.RENDERERS['csharp']()):
    lines += [
      f'    if (!{owner}.{call}.{equals}({result}))'
      ' throw new Exception("wrong");'
    ]
  return '\n'.join([*lines, '  }', '}', ''])


def _without_go_package(text: str) -> str:
  return _GO_PACKAGE.sub('', text, count=1)


def _go(solved: execution.Solved, text: str) -> str:
  renderer = go.GoRenderer()
  name = solved.problem.solution.name
  if re.search(rf'\bfunc {rendering.pascal_case(name)}\(', text):
    renderer.exported = name
  # Printed alike: a nil slice is as good as an empty one.
  returns = solved.problem.solution.returns
  form = '%q' if returns == program.TEXTS else '%v'
  lines = ['func TestTranslation(t *codelawTesting.T) {']
  for call, result in _calls(solved, renderer):
    both = (
      f'codelawFormat.Sprintf("{form}", {value})' for value in (call, result)
    )
    lines += [f'\tif {" != ".join(both)} {{', '\t\tt.Fatal("wrong")', '\t}']
  return '\n'.join([*lines, '}', ''])


def _without_rust_main(text: str) -> str:
  return _RUST_MAIN.sub('fn translated_main', text)


def _rust(solved: execution.Solved, text: str) -> str:
  del text
  renderer = rust.RustRenderer()
  lines = ['fn main() {']
  for one in solved.inputs:
    call = renderer.call(solved.problem, one)
    lines += [f'    assert_eq!({call}, {renderer.result(one.result)});']
  return '\n'.join([*lines, '}', ''])


_USING = (
  'using System;\nusing System.Collections.Generic;\nusing System.Linq;\n'
)
# Language -> (text before the translation, what becomes of it, its test).
_LANGUAGES: Mapping[
  str,
  tuple[str, Callable[[str], str], Callable[[execution.Solved, str], str]],
] = {
  'python': ('', _unchanged, _python),
  'javascript': ('', _unchanged, _script),
  'typescript': ('', _unchanged, _script),
  'java': ('import java.util.*;\n', _not_public, _java),
  'csharp': (_USING, _without_csharp_main, _csharp),
  'go': (_GO_BEFORE, _without_go_package, _go),
  'rust': ('', _without_rust_main, _rust),
}
