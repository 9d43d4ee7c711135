"""Records as gin text, without importing gin.

A run directory's `operative_config.gin` and every file in `generated/` are
rendered here, so that what a run was and what the next run will be are
written in one way. Launching the text again builds an equal record.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import re
from typing import Any


def binding(name: str, value: Any) -> str:
  """One gin binding of plain values; a long mapping gets a line per entry."""
  text = _literal(value)
  if isinstance(value, Mapping) and len(name) + len(text) > 77:
    entries = ''.join(
      f'    {key!r}: {_literal(entry)},\n' for key, entry in value.items()
    )
    text = '{\n' + entries + '}'
  return f'{name} = {text}\n'


def bindings(record: Any, scope: str = '') -> str:
  """Gin bindings that rebuild the dataclass `record`.

  Nested records become references. Members of a list of records are scoped by
  their `name` where they have one, and everything below them inherits that
  scope; what is equal below all members is bound once without it, because gin's
  scopes fall back to unscoped bindings: one line then swaps the mixture of
  every stage. Where two fields of a record hold records of one class, the
  second has the field's name as a scope of its own.
  """
  return '\n'.join(block.text for block in _blocks(record, scope))


@dataclasses.dataclass(frozen=True)
class _Block:
  """The bindings of one record's own fields.

  Attributes:
    text: one binding a line.
    is_scoped: whether a field's name is part of their scope.
  """

  text: str
  is_scoped: bool = False


def _blocks(record: Any, scope: str) -> list[_Block]:
  """The record's own block, then those of the records in it."""
  prefix = f'{scope}/' if scope else ''
  kind = type(record).__name__
  own, nested = '', []
  kinds = set()
  for field in dataclasses.fields(record):
    value = getattr(record, field.name)
    target = f'{prefix}{kind}.{field.name}'
    if dataclasses.is_dataclass(value):
      is_scoped = type(value) in kinds
      kinds.add(type(value))
      inner = f'{prefix}{field.name}' if is_scoped else scope
      reference = f'{inner}/' if inner else ''
      own += f'{target} = @{reference}{type(value).__name__}()\n'
      nested += [
        _Block(block.text, block.is_scoped or is_scoped)
        for block in _blocks(value, inner)
      ]
    elif isinstance(value, (tuple, list)) and any(
      dataclasses.is_dataclass(item) for item in value
    ):
      scopes = _scopes(field.name, value)
      members = {
        prefix + name: item
        for name, item in zip(scopes, value, strict=True)
        if dataclasses.is_dataclass(item)
      }
      references = ', '.join(
        f'@{prefix}{name}/{type(item).__name__}()'
        if prefix + name in members
        else _literal(item)
        for name, item in zip(scopes, value, strict=True)
      )
      own += f'{target} = [{references}]\n'
      below = [_blocks(item, scope)[1:] for item in members.values()]
      shared = [
        block
        for block in below[0]
        if not block.is_scoped and all(block in blocks for blocks in below)
      ]
      for (inner, item), blocks in zip(members.items(), below, strict=True):
        first, *others = _blocks(item, inner)
        nested.append(first)
        nested += [
          other
          for other, block in zip(others, blocks, strict=True)
          if block not in shared
        ]
      nested += shared
    else:
      own += binding(target, value)
  return [_Block(own), *nested]


def _scopes(field: str, members: Sequence[Any]) -> list[str]:
  """A scope for each member of a list: its name, as gin takes it.

  Members without a name, or with one that another has too, are counted.
  """
  found: list[str] = []
  for index, member in enumerate(members):
    name = getattr(member, 'name', f'{field}_{index}')
    scope = re.sub(r'\W', '_', name, flags=re.ASCII)
    if not scope or scope[0].isdigit() or scope in found:
      scope = f'{field}_{index}_{scope}'
    found.append(scope)
  return found


def train_settings(
  plan: Any, model_dir: str, execution: Any = None, downstream: Any = None
) -> str:
  """A whole gin file for `codelaw train`: `plan` in `model_dir`.

  Args:
    plan: `RunPlan`.
    model_dir: folder of the run.
    execution: `Execution`; None leaves it automatic.
    downstream: `Evaluation`, what the run is given as it trains; None for
      nothing.
  """
  text = binding('TrainSettings.model_dir', model_dir)
  text += 'TrainSettings.plan = @RunPlan()\n'
  parts = bindings(plan)
  if execution is not None:
    text += 'TrainSettings.execution = @Execution()\n'
    parts += '\n' + bindings(execution)
  if downstream is not None:
    # In a scope, because it has an execution of its own.
    text += 'TrainSettings.downstream = @downstream/Evaluation()\n'
    parts += '\n' + bindings(downstream, 'downstream')
  return text + '\n' + parts


def comment(text: str) -> str:
  """`text` as gin comment lines."""
  return ''.join(f'# {line}'.rstrip() + '\n' for line in text.splitlines())


def _literal(value: Any) -> str:
  if isinstance(value, Mapping):
    inner = ', '.join(f'{k!r}: {_literal(v)}' for k, v in value.items())
    return '{' + inner + '}'
  if isinstance(value, (tuple, list)):
    inner = ', '.join(_literal(v) for v in value)
    return '[' + inner + ']'
  return repr(value)
