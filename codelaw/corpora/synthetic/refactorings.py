"""Changes of a solution that change no answer, proven by running.

A *refactoring* gives another program for the same problem: other names, a
helper, a loop of another form. Each is tried on every input of the problem
and dropped if an answer differs.
"""

from collections.abc import Callable
import dataclasses
import random
from typing import Any

from codelaw.corpora.synthetic import edits
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import notation
from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

_VERBS = ('compute', 'find', 'get', 'evaluate')
# What names of solutions and helpers begin with that says what they do.
_KNOWN_VERBS = frozenset(
  (
    *_VERBS,
    *('check', 'collect', 'combine', 'count', 'describe', 'encode', 'gather'),
    *('is', 'mirror', 'pick', 'rewrite', 'select', 'shift', 'sort', 'sum'),
  )
)
_JOINING = ('and', 'or', 'of', 'if', 'by', 'base', 'to', 'at', 'not', 'from')
_TEST_NAMES = ('is_wanted', 'accepts', 'qualifies', 'matches_rule', 'is_hit')
_VALUE_NAMES = ('new_value', 'adjusted', 'contribution', 'mapped', 'measure')
_HELPER_TYPES = (program.INT, program.CHAR)
_ORDERS = ('<', '<=', '>', '>=')
_CONSTANT_NAMES = {
  '<': ('threshold', 'cutoff'),
  '=': ('wanted', 'target'),
  '+': ('offset', 'increment'),
  '>': ('threshold', 'cutoff'),
  '-': ('offset', 'decrement'),
  '*': ('factor', 'multiplier', 'weight'),
  '%': ('modulus', 'period'),
  '//': ('divisor', 'unit'),
}


@dataclasses.dataclass(frozen=True)
class Refactoring:
  """A program that does what the solution does.

  Attributes:
    functions: of the program, helpers first.
    kind: `rename_variable`, `rename_function`, `helper`, `constant`,
      `by_index`, `assignment`, `nested` or `parameter`.
    names: what the change is about: old and new names, in snake case.
    function: place of the function that changed, in the solution.
    examples: of the problem, for the new program; a new parameter adds an
      argument to each.
  """

  functions: tuple[program.Function, ...]
  kind: str
  names: tuple[str, ...]
  function: int
  examples: tuple[rendering.Example, ...]

  def spelled(self, renderer: rendering.Renderer) -> list[str]:
    """The names as a language spells them."""
    if self.kind in ('rename_function', 'helper'):
      return [notation.function_name(renderer, name) for name in self.names]
    return [
      renderer.name(name) if name.isidentifier() else name
      for name in self.names
    ]


@dataclasses.dataclass(frozen=True)
class _Change:
  functions: tuple[program.Function, ...]
  names: tuple[str, ...]
  function: int
  extra: tuple[Any, ...] = ()


def find_refactoring(
  solved: execution.Solved, rng: random.Random
) -> Refactoring:
  """A refactoring of the solution; kinds are as likely as each other."""
  functions = tuple(
    dataclasses.replace(f, body=tuple(f.body)) for f in solved.problem.functions
  )
  for kind in rng.sample(list(_KINDS), len(_KINDS)):
    change = _KINDS[kind](functions, rng)
    if change is None:
      continue
    extend = _extender(change.extra)
    if execution.agrees(change.functions, tuple(map(extend, solved.inputs))):
      return Refactoring(
        functions=change.functions,
        kind=kind,
        names=change.names,
        function=change.function,
        examples=tuple(map(extend, solved.problem.examples)),
      )
  raise RuntimeError(f'no refactoring of {functions[-1].name} agrees with it')


def _extender(
  extra: tuple[Any, ...],
) -> Callable[[rendering.Example], rendering.Example]:
  return lambda example: rendering.Example(
    (*example.arguments, *extra), example.result
  )


def _rename_variable(functions, rng):
  place = rng.randrange(len(functions))
  function = functions[place]
  taken = edits.names(functions)
  options = [
    (name, other)
    for name in edits.variables(function)
    for role in phrases.NAMES.values()
    if name in role
    for other in role
    if other not in taken
  ]
  if not options:
    return None
  old, new = rng.choice(options)
  variable = edits.variables(function)[old]
  function = edits.substituted(
    function, old, dataclasses.replace(variable, name=new)
  )
  return _Change(_put(functions, place, function), (old, new), place)


def _rename_function(functions, rng):
  place = rng.randrange(len(functions))
  old = functions[place].name
  words = old.split('_')
  options = [f'{verb}_{old}' for verb in _VERBS if words[0] not in _KNOWN_VERBS]
  if len(words) > 3:
    shorter = ('_'.join(words[:-1]), '_'.join(words[1:]))
    options += [n for n in shorter if n.split('_')[-1] not in _JOINING] * 2
  options = [
    name
    for name in options
    if name not in edits.names(functions) and name[0].isalpha()
  ]
  new = rng.choice(options or [f'my_{old}'])
  renamed = tuple(_with_calls(function, old, new) for function in functions)
  function = dataclasses.replace(renamed[place], name=new)
  return _Change(_put(renamed, place, function), (old, new), place)


def _with_calls(part: Any, old: str, new: str) -> Any:
  for path, node in edits.nodes(part):
    if isinstance(node, program.Call) and node.name == old:
      # Arguments change first where calls are nested: paths stay valid.
      current = _at(part, path)
      part = edits.replaced(part, path, dataclasses.replace(current, name=new))
  return part


def _helper(functions, rng):
  """The condition of an If or a value becomes a function."""
  place = len(functions) - 1
  options = []
  for path, node in edits.nodes(functions[place]):
    if isinstance(node, program.If):
      options.append(((*path, 'condition'), node.condition))
    elif (
      isinstance(node, (program.Assign, program.Declare, program.Update))
      and node.value.type == program.INT
    ):
      options.append(((*path, 'value'), node.value))
  options = [(p, node) for p, node in options if _is_worth_a_name(node)]
  if not options:
    return None
  path, expression = rng.choice(options)
  is_test = expression.type == program.BOOL
  taken = edits.names(functions)
  names = [n for n in (_TEST_NAMES if is_test else _VALUE_NAMES)]
  name = rng.choice([n for n in names if n not in taken])
  parameters = tuple(edits.variables(expression).values())
  solution = functions[place].name
  helper = program.Function(
    name,
    parameters,
    expression.type,
    (program.Return(expression),),
    'Returns whether a condition of the solution holds.'
    if is_test
    else 'Returns a value that the solution needs.',
  )
  call = program.Call(name, parameters, expression.type)
  function = edits.replaced(functions[place], path, call)
  return _Change((*functions[:-1], helper, function), (solution, name), place)


def _is_worth_a_name(expression: program.Expression) -> bool:
  found = edits.variables(expression).values()
  operations = sum(
    isinstance(node, (program.Operation, program.Builtin))
    for _, node in edits.nodes(expression)
  )
  return (
    operations >= 2
    and 0 < len(found) <= 3
    and all(variable.type in _HELPER_TYPES for variable in found)
  )


def _literals(function, least=2):
  """Paths, values and operators of the constants of a function's operations."""
  for path, node in edits.nodes(function):
    if isinstance(node, program.Operation) and isinstance(
      node.right, program.Literal
    ):
      value = node.right.value
      is_plain = node.right.type == program.INT and not isinstance(value, bool)
      if is_plain and int(value) > least:
        yield (*path, 'right'), int(value), node.op


def _named_constant(functions, rng, place):
  options = list(_literals(functions[place]))
  if not options:
    return None
  path, value, op = rng.choice(options)
  op = {'==': '=', '!=': '='}.get(op, op[0] if op in _ORDERS else op)
  taken = edits.names(functions)
  names = [name for name in _CONSTANT_NAMES[op] if name not in taken]
  if not names:
    return None
  return path, value, program.Variable(rng.choice(names), program.INT)


def _constant(functions, rng):
  """A constant inside a loop gets a name in front of it."""
  place = rng.randrange(len(functions))
  found = _named_constant(functions, rng, place)
  if found is None:
    return None
  path, value, variable = found
  function = edits.replaced(functions[place], path, variable)
  body = (program.Declare(variable, program.lift(value)), *function.body)
  function = dataclasses.replace(function, body=body)
  return _Change(
    _put(functions, place, function), (str(value), variable.name), place
  )


def _parameter(functions, rng):
  """A constant of the solution becomes its last parameter."""
  place = len(functions) - 1
  found = _named_constant(functions, rng, place)
  if found is None or _calls_itself(functions[place]):
    return None
  path, value, variable = found
  function = edits.replaced(functions[place], path, variable)
  function = dataclasses.replace(
    function, parameters=(*function.parameters, variable)
  )
  return _Change(
    _put(functions, place, function),
    (str(value), variable.name),
    place,
    (value,),
  )


def _calls_itself(function: program.Function) -> bool:
  return any(
    isinstance(node, program.Call) and node.name == function.name
    for _, node in edits.nodes(function)
  )


def _by_index(functions, rng):
  """A loop over elements becomes one over places."""
  place = len(functions) - 1
  options = [
    (path, node)
    for path, node in edits.nodes(functions[place])
    if isinstance(node, program.Each)
    and isinstance(node.sequence, program.Variable)
  ]
  names = [
    name
    for name in phrases.NAMES['index']
    if name not in edits.names(functions)
  ]
  if not options or not names:
    return None
  path, loop = rng.choice(options)
  index = program.Variable(rng.choice(names), program.INT)
  element = program.Declare(loop.variable, program.at(loop.sequence, index))
  counted = program.Count(
    index,
    program.lift(0),
    program.length(loop.sequence),
    (element, *loop.body),
  )
  function = edits.replaced(functions[place], path, counted)
  return _Change(
    _put(functions, place, function), (loop.variable.name, index.name), place
  )


def _assignment(functions, rng):
  """An update in place is written out."""
  place = rng.randrange(len(functions))
  options = [
    (path, node)
    for path, node in edits.nodes(functions[place])
    if isinstance(node, program.Update)
  ]
  if not options:
    return None
  path, update = rng.choice(options)
  variable = update.variable
  value = program.Operation(update.op, variable, update.value, variable.type)
  function = edits.replaced(
    functions[place], path, program.Assign(variable, value)
  )
  return _Change(
    _put(functions, place, function), (variable.name, update.op), place
  )


def _nested(functions, rng):
  """A condition with `and` becomes two conditions, one in the other."""
  place = rng.randrange(len(functions))
  options = [
    (path, node)
    for path, node in edits.nodes(functions[place])
    if isinstance(node, program.If)
    and not node.otherwise
    and isinstance(node.condition, program.Operation)
    and node.condition.op == 'and'
    # An else-if would take the inner one's place.
    and path[-2:-1] != ('otherwise',)
  ]
  if not options:
    return None
  path, node = rng.choice(options)
  inner = program.If(node.condition.right, node.then)
  function = edits.replaced(
    functions[place], path, program.If(node.condition.left, (inner,))
  )
  return _Change(
    _put(functions, place, function), (functions[place].name,), place
  )


def _put(functions, place, function):
  return (*functions[:place], function, *functions[place + 1 :])


def _at(part: Any, path: edits.Path) -> Any:
  for step in path:
    part = getattr(part, step) if isinstance(step, str) else part[step]
  return part


_KINDS: dict[
  str,
  Callable[[tuple[program.Function, ...], random.Random], _Change | None],
] = {
  'rename_variable': _rename_variable,
  'rename_function': _rename_function,
  'helper': _helper,
  'constant': _constant,
  'parameter': _parameter,
  'by_index': _by_index,
  'assignment': _assignment,
  'nested': _nested,
}
