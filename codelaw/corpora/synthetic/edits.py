"""Places in program trees: finding nodes, and trees with a node changed.

A *path* leads from a tuple of functions to a node: names of fields and
places in sequences. Trees are frozen, and one node may stand at several
places, so a change is made at a path and gives a new tree.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import scans

Path = tuple[int | str, ...]


def nodes(part: Any) -> list[tuple[Path, Any]]:
  """Every node of `part` with its path, parents first."""
  found: list[tuple[Path, Any]] = []
  _gather(part, (), found)
  return found


def _gather(part: Any, path: Path, found: list[tuple[Path, Any]]) -> None:
  if isinstance(part, (tuple, list)):
    for place, item in enumerate(part):
      _gather(item, (*path, place), found)
  elif isinstance(part, scans.NODES):
    found.append((path, part))
    for name in scans.FIELDS[type(part)]:
      _gather(getattr(part, name), (*path, name), found)


def replaced(part: Any, path: Path, *new: Any) -> Any:
  """`part` with the node at `path` replaced.

  Args:
    part: a tree or a sequence of trees.
    path: of the node.
    *new: what takes its place; several nodes or none only inside a sequence.
  """
  if not path:
    (only,) = new
    return only
  step, *rest = path
  if isinstance(step, str):
    changed = replaced(getattr(part, step), tuple(rest), *new)
    return dataclasses.replace(part, **{step: changed})
  if rest:
    new = (replaced(part[step], tuple(rest), *new),)
  return (*part[:step], *new, *part[step + 1 :])


def substituted(part: Any, name: str, new: program.Expression) -> Any:
  """`part` with every use of the variable `name` replaced."""
  node: Any = part
  if isinstance(part, (tuple, list)):
    return tuple(substituted(item, name, new) for item in part)
  if isinstance(part, program.Variable):
    return new if part.name == name else part
  if isinstance(part, scans.NODES):
    changes = {}
    for field in scans.FIELDS[type(part)]:
      old = getattr(part, field)
      changed = substituted(old, name, new)
      if changed is not old:
        changes[field] = changed
    return dataclasses.replace(node, **changes) if changes else node
  return part


def variables(part: Any) -> dict[str, program.Variable]:
  """Every variable that occurs in `part`, by name, in order."""
  return {
    node.name: node
    for node in scans.nodes(part)
    if isinstance(node, program.Variable)
  }


def names(functions: Iterable[program.Function]) -> set[str]:
  """All names that a program uses for functions and variables."""
  functions = tuple(functions)
  return {f.name for f in functions} | set(variables(functions))


_SETS = {
  program.Declare: ('variable',),
  program.Assign: ('variable',),
  program.Update: ('variable',),
  program.Put: ('container',),
  program.Append: ('container',),
  program.Pop: ('container',),
  program.Sort: ('container',),
  program.Count: ('variable',),
  program.Each: ('variable',),
  program.EachEntry: ('key', 'value'),
}


def idle_names(functions: Sequence[program.Function]) -> set[str]:
  """Names of what is set or defined and never used, which Go refuses.

  The variable of a Count reads itself; of an entry of counts the key or the
  value is enough. Helpers must be called.
  """
  called = {
    node.name
    for node in scans.nodes(functions)
    if isinstance(node, program.Call)
  }
  idle = {function.name for function in functions[:-1]} - called
  for function in functions:
    declared, read = set(), set()
    for node in scans.nodes(function.body):
      if isinstance(node, program.Expression):
        continue
      setting = _SETS.get(type(node), ())
      if isinstance(node, (program.Declare, program.Each)):
        declared.add(node.variable.name)
      if isinstance(node, program.EachEntry):
        names_ = {node.key.name, node.value.name}
        if not names_ & set(variables(node.body)):
          idle |= names_
      for field in scans.FIELDS[type(node)]:
        part = getattr(node, field)
        if field not in setting and isinstance(part, program.Expression):
          read |= set(variables(part))
    idle |= declared - read
  return idle
