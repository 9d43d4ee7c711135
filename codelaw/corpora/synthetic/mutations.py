"""Bugs: small changes of a solution that make it wrong, proven by running.

A *bug* is one edit of a program tree after which the program still gives a
result for every input of its problem, in every language the same, but not
always the right one.
"""

from collections.abc import Iterator
import dataclasses
import random
from typing import Any

from codelaw.corpora.synthetic import edits
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

_MOST_ATTEMPTS = 8
_BOUNDARY = {'<': '<=', '<=': '<', '>': '>=', '>=': '>'}
_REVERSED = {'<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '!='}


@dataclasses.dataclass(frozen=True)
class Bug:
  """A wrong program.

  Attributes:
    functions: of the wrong program.
    kind: `boundary`, `comparison`, `connective`, `sign`, `constant`,
      `extreme`, `negation`, `branches`, `missing_case`, `missing_check`,
      `missing_step` or `range`.
    detail: what was there and what is there now, where a word says it: the
      operators or constants of the right and of the wrong program.
    function: place of the function that is wrong.
    failing: inputs that the wrong program does not solve, and what it gives.
    passing: inputs that it solves.
  """

  functions: tuple[program.Function, ...]
  kind: str
  detail: tuple[str, str]
  function: int
  failing: tuple[tuple[rendering.Example, Any], ...]
  passing: tuple[rendering.Example, ...]


@dataclasses.dataclass(frozen=True)
class _Edit:
  path: edits.Path
  new: tuple[Any, ...]
  kind: str
  detail: tuple[str, str] = ('', '')


def find_bug(solved: execution.Solved, rng: random.Random) -> Bug | None:
  """A bug of the solution; None if a few attempts found none.

  Args:
    solved: the problem.
    rng: picks among the edits; kinds of edits are as likely as each other.
  """
  functions = solved.problem.functions
  by_kind: dict[str, list[_Edit]] = {}
  for edit in _edits(functions):
    by_kind.setdefault(edit.kind, []).append(edit)
  for _ in range(_MOST_ATTEMPTS):
    if not by_kind:
      return None
    kind = rng.choice(list(by_kind))
    options = by_kind[kind]
    edit = options.pop(rng.randrange(len(options)))
    if not options:
      del by_kind[kind]
    bug = _tried(solved, edit)
    if bug:
      return bug
  return None


def _tried(solved: execution.Solved, edit: _Edit) -> Bug | None:
  before = solved.problem.functions
  functions = edits.replaced(before, edit.path, *edit.new)
  if edits.idle_names(functions) - edits.idle_names(before):
    return None
  results = execution.outcomes(functions, solved.inputs)
  if results is None:
    return None
  pairs = list(zip(solved.inputs, results, strict=True))
  failing = tuple((item, got) for item, got in pairs if got != item.result)
  if not failing:
    return None
  place = edit.path[0]
  assert isinstance(place, int)
  return Bug(
    functions=functions,
    kind=edit.kind,
    detail=edit.detail,
    function=place,
    failing=failing,
    passing=tuple(item for item, got in pairs if got == item.result),
  )


def _edits(functions: tuple[program.Function, ...]) -> Iterator[_Edit]:
  for path, node in edits.nodes(functions):
    match node:
      case program.Operation():
        yield from _operator_edits(path, node)
      case program.Literal(value=int() as value, type=program.INT):
        for other in (value - 1, value + 1):
          if _must_stay(functions, path, other):
            continue
          yield _Edit(
            path,
            (program.lift(other),),
            'constant',
            (str(value), str(other)),
          )
      case program.Builtin(name='smaller' | 'larger' as name):
        swapped = 'larger' if name == 'smaller' else 'smaller'
        new = dataclasses.replace(node, name=swapped)
        yield _Edit(path, (new,), 'extreme', (name, swapped))
      case program.Not():
        yield _Edit(path, (node.operand,), 'negation')
      case program.Choice():
        new_choice = dataclasses.replace(
          node, then=node.otherwise, otherwise=node.then
        )
        yield _Edit(path, (new_choice,), 'branches')
      case program.If():
        yield from _conditional_edits(path, node)
      case program.Count():
        for shifted in (
          dataclasses.replace(node, start=_shifted(node.start, 1)),
          dataclasses.replace(node, stop=_shifted(node.stop, -1)),
        ):
          yield _Edit(path, (shifted,), 'range')
      case program.Assign() | program.Update() | program.Put():
        # Without its entries, counts and their keys would stand idle.
        counts = getattr(getattr(node, 'container', None), 'type', None)
        if counts in program.KEY:
          continue
        if len(_siblings(functions, path)) > 1:
          yield _Edit(path, (), 'missing_step')


def _operator_edits(
  path: edits.Path, node: program.Operation
) -> Iterator[_Edit]:
  changes = []
  if node.op in _BOUNDARY:
    changes += [('boundary', _BOUNDARY[node.op])]
  if node.op in _REVERSED:
    changes += [('comparison', _REVERSED[node.op])]
  if node.type == program.BOOL and node.op in ('and', 'or'):
    changes += [('connective', 'or' if node.op == 'and' else 'and')]
  if node.type == program.INT and node.op in ('+', '-'):
    changes += [('sign', '-' if node.op == '+' else '+')]
  for kind, op in changes:
    new = dataclasses.replace(node, op=op)
    yield _Edit(path, (new,), kind, (node.op, op))


def _conditional_edits(path: edits.Path, node: program.If) -> Iterator[_Edit]:
  if node.otherwise:
    new = dataclasses.replace(node, otherwise=())
    yield _Edit(path, (new,), 'missing_case')
  elif isinstance(path[-1], int) and not any(
    isinstance(item, (program.Return, program.Break, program.Continue))
    for item in node.then
  ):
    yield _Edit(path, tuple(node.then), 'missing_check')


def _shifted(bound: program.Expression, change: int) -> program.Expression:
  """`bound` plus `change`, written as a person would."""
  if isinstance(bound, program.Literal):
    return program.lift(int(bound.value) + change)
  if (
    isinstance(bound, program.Operation)
    and bound.op in ('+', '-')
    and isinstance(bound.right, program.Literal)
  ):
    sign = 1 if bound.op == '+' else -1
    total = sign * int(bound.right.value) + change
    if not total:
      return bound.left
    return bound.left + total if total > 0 else bound.left - -total
  return bound + change if change > 0 else bound - -change


def _must_stay(part: Any, path: edits.Path, other: int) -> bool:
  """Whether the constant at `path` cannot become `other`."""
  for step in path[:-1]:
    part = getattr(part, step) if isinstance(step, str) else part[step]
    if isinstance(part, program.Builtin) and part.name == 'get':
      return True  # What counts do not have is 0 in every language.
  # Nobody writes n + 0.
  is_arithmetic = isinstance(part, program.Operation)
  return other == 0 and is_arithmetic and part.type == program.INT


def _siblings(part: Any, path: edits.Path) -> tuple[Any, ...]:
  """The sequence of statements that the one at `path` stands in."""
  for step in path[:-1]:
    part = getattr(part, step) if isinstance(step, str) else part[step]
  return tuple(part)
