"""Tests of generated problems, to stand after a solution in its language.

A generated problem has verified inputs; its tests call the solution with each
and compare what it gives. Results are compared by value: lists element by
element, in Go as they are printed, because a nil slice is as good as an empty
one. In compiled languages the tests are the entry point, in the shape that
`program_endings` knows (of Go a test function), and in Java and C# a class of
their own, `Problem`, which calls the solution in the class that has it.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

# What a file of Go must import for its tests, by names that no program has.
GO_IMPORTS = ('codelawFormat "fmt"', 'codelawTesting "testing"')


def of(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str = ''
) -> str:
  """The tests of a problem.

  Args:
    solved: the problem and its inputs.
    renderer: of the language; it knows how the solution is called.
    owner: class that has the solution, in Java and C#.
  """
  return _LANGUAGES[renderer.language](solved, renderer, owner)


def _calls(
  solved: execution.Solved,
  renderer: rendering.Renderer,
  show: Callable[[Any], str] | None = None,
) -> list[tuple[str, str]]:
  """A call of the solution for every input, and what it has to give."""
  show = show or renderer.literal
  return [
    (renderer.call(solved.problem, example), show(example.result))
    for example in solved.inputs
  ]


def _python(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str
) -> str:
  del owner
  calls = _calls(solved, renderer)
  return ''.join(f'assert {call} == {result}\n' for call, result in calls)


def _javascript(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str
) -> str:
  del owner
  lines = []
  for call, result in _calls(solved, renderer):
    lines += [
      f'if (JSON.stringify({call}) !== JSON.stringify({result})) {{',
      f'  throw new Error({renderer.literal(call)});',
      '}',
    ]
  return '\n'.join([*lines, ''])


def _java(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str
) -> str:
  lines = ['class Problem {', '  public static void main(String[] a) {']
  for call, result in _calls(solved, renderer):
    equal = f'java.util.Objects.equals({owner}.{call}, {result})'
    lines += [f'    if (!{equal}) throw new AssertionError();']
  return '\n'.join([*lines, '  }', '}', ''])


def _csharp(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str
) -> str:
  is_list = solved.problem.solution.returns in (program.INTS, program.TEXTS)
  method = 'SequenceEqual' if is_list else 'Equals'
  lines = ['class Problem {', '  public static void Main(string[] args) {']
  for call, result in _calls(solved, renderer):
    equal = f'{owner}.{call}.{method}({result})'
    lines += [f'    if (!{equal}) throw new Exception("wrong");']
  return '\n'.join([*lines, '  }', '}', ''])


def _go(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str
) -> str:
  del owner
  is_texts = solved.problem.solution.returns == program.TEXTS
  form = '"%q"' if is_texts else '"%v"'
  lines = ['func TestSolution(t *codelawTesting.T) {']
  for call, result in _calls(solved, renderer):
    got, wanted = (
      f'codelawFormat.Sprintf({form}, {value})' for value in (call, result)
    )
    lines += [f'\tif {got} != {wanted} {{', '\t\tt.Fatal("wrong")', '\t}']
  return '\n'.join([*lines, '}', ''])


def _rust(
  solved: execution.Solved, renderer: rendering.Renderer, owner: str
) -> str:
  del owner
  show = renderer.result  # type: ignore[attr-defined]
  lines = ['fn main() {']
  for call, result in _calls(solved, renderer, show):
    lines += [f'    assert_eq!({call}, {result});']
  return '\n'.join([*lines, '}', ''])


_LANGUAGES: Mapping[
  str, Callable[[execution.Solved, rendering.Renderer, str], str]
] = {
  'python': _python,
  'java': _java,
  'javascript': _javascript,
  'typescript': _javascript,
  'csharp': _csharp,
  'go': _go,
  'rust': _rust,
}
