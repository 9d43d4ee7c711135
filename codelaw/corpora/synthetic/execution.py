"""Running program trees that may be wrong: with a budget, and refusing.

What documents say about a program is what running it gave. A changed program
may never end, or do what languages answer differently (an index outside a
list, 33-bit integers); such a run is *refused*, and no document tells of it.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import itertools
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import python
from codelaw.corpora.synthetic import rendering

# Solutions take at most some hundred rounds of their loops on what they are
# given; a mutation that takes more is not one to ask about.
MAX_STEPS = 20_000
_LONGEST_TEXT = 200


class Refused(Exception):  # noqa: N818 - an outcome, not a mistake.
  """The run has no result that is the same in every language."""


@dataclasses.dataclass(frozen=True)
class Solved:
  """A problem and what documents about it are made from.

  Attributes:
    problem: with the examples that documents of its programs show.
    inputs: more verified examples; those of `problem` come first.
    group: of all its documents: the shape of its solution.
    origin: of all its documents.
  """

  problem: rendering.Problem
  inputs: tuple[rendering.Example, ...]
  group: str
  origin: str


class _SteppedRenderer(python.CheckedRenderer):
  """Checked Python that takes a step at each call and round of a loop."""

  trace = False

  def statement(self, item: program.Statement) -> list[str]:
    """The lines of a statement; a loop's body starts with a step."""
    lines = super().statement(item)
    if isinstance(
      item, (program.While, program.Count, program.Each, program.EachEntry)
    ):
      lines.insert(1, f'{self.indent}next(_steps)')
      if self.trace:
        lines.insert(2, f'{self.indent}_record(dict(locals()))')
    return lines

  def function(self, function: program.Function, comment: str) -> list[str]:
    """The lines of a function, which start with a step."""
    lines = super().function(function, comment)
    lines.insert(1, f'{self.indent}next(_steps)')
    return lines


def runner(
  functions: tuple[program.Function, ...], max_steps: int = MAX_STEPS
) -> Callable[[Sequence[Any]], Any]:
  """The last function, from its arguments to its result.

  What it returns raises `Refused` for a run that takes more than `max_steps`
  steps or has no result that is the same in every language.
  """
  scope: dict[str, Any] = {}
  solve = python.compiled(_SteppedRenderer(), functions, scope)

  def run(arguments: Sequence[Any]) -> Any:
    scope['_steps'] = itertools.repeat(None, max_steps)
    try:
      result = solve(*arguments)
    except (
      StopIteration,
      ArithmeticError,
      LookupError,
      ValueError,
      UnboundLocalError,
      RecursionError,
    ) as error:
      raise Refused(str(error)) from error
    if not _is_plain(result):
      raise Refused(f'{result!r} is not plain')
    return result

  return run


def outcomes(
  functions: tuple[program.Function, ...],
  inputs: Sequence[rendering.Example],
) -> list[Any] | None:
  """Results for the arguments of `inputs`; None if any run is refused."""
  run = runner(functions)
  try:
    return [run(example.arguments) for example in inputs]
  except Refused:
    return None


def agrees(
  functions: tuple[program.Function, ...],
  inputs: Sequence[rendering.Example],
) -> bool:
  """Whether the program gives the result of every input."""
  return outcomes(functions, inputs) == [item.result for item in inputs]


def rounds(
  functions: tuple[program.Function, ...], arguments: Sequence[Any]
) -> list[dict[str, Any]]:
  """The variables at the start of every round of a loop, all calls in turn.

  Args:
    functions: of a program that ends on `arguments`.
    arguments: of its last function.
  """
  renderer = _SteppedRenderer()
  renderer.trace = True
  found: list[dict[str, Any]] = []

  def record(values: dict[str, Any]) -> None:
    for name, value in values.items():
      if isinstance(value, (list, dict)):
        values[name] = value.copy()
    found.append(values)

  scope: dict[str, Any] = {
    '_record': record,
    '_steps': itertools.repeat(None, MAX_STEPS),
  }
  python.compiled(renderer, functions, scope)(*arguments)
  return found


def _is_plain(result: Any) -> bool:
  """Whether every language prints the result alike: short printable ASCII."""
  if isinstance(result, list):
    return len(result) <= _LONGEST_TEXT and all(map(_is_plain, result))
  if isinstance(result, str):
    printable = result.isascii() and (not result or result.isprintable())
    return printable and len(result) <= _LONGEST_TEXT
  return True
