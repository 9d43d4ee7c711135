"""Records as gin text, without importing gin.

A run directory's `operative_config.gin` and every file in `generated/` are
rendered here, so that what a run was and what the next run will be are
written in one way. Launching the text again builds an equal record.
"""

from collections.abc import Mapping
import dataclasses
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
  their `name`, and everything below them inherits that scope; what is equal
  below all members is bound once without it, because gin's scopes fall back
  to unscoped bindings: one line then swaps the mixture of every stage.
  """
  prefix = f'{scope}/' if scope else ''
  kind = type(record).__name__
  own, nested = [], []
  for field in dataclasses.fields(record):
    value = getattr(record, field.name)
    target = f'{prefix}{kind}.{field.name}'
    if dataclasses.is_dataclass(value):
      own.append(f'{target} = @{prefix}{type(value).__name__}()\n')
      nested.append(bindings(value, scope))
    elif isinstance(value, (tuple, list)) and any(
      dataclasses.is_dataclass(item) for item in value
    ):
      references = ', '.join(
        f'@{prefix}{item.name}/{type(item).__name__}()' for item in value
      )
      own.append(f'{target} = [{references}]\n')
      texts = [bindings(item, prefix + item.name) for item in value]
      below = [
        bindings(item, scope).partition('\n\n')[2].strip() for item in value
      ]
      if below[0] and len(set(below)) == 1:
        nested += [text.partition('\n\n')[0] + '\n' for text in texts]
        nested.append(below[0] + '\n')
      else:
        nested += texts
    else:
      own.append(binding(target, value))
  return ''.join(own) + ''.join('\n' + text for text in nested)


def train_settings(plan: Any, model_dir: str) -> str:
  """A whole gin file for `codelaw train`: `plan` in `model_dir`."""
  return (
    binding('TrainSettings.model_dir', model_dir)
    + 'TrainSettings.plan = @RunPlan()\n\n'
    + bindings(plan)
  )


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
