"""Units of a law's parameters, as text that is also arithmetic.

Fits run in scaled units: every column and the loss are divided by a scale,
so that one set of ranges serves runs of any size. A parameter's unit says how
its estimate goes back: `loss * num_params^alpha` is the product of the scale
of the loss and that of N to the fitted power alpha.
"""

import ast
from collections.abc import Mapping
import functools
import operator
from typing import Any

from codelaw import errors

_OPERATIONS: dict[type[ast.AST], Any] = {
  ast.Add: operator.add,
  ast.Sub: operator.sub,
  ast.Mult: operator.mul,
  ast.Div: operator.truediv,
  ast.Pow: operator.pow,
  ast.USub: operator.neg,
}


def factor(unit: str, values: Mapping[str, Any]) -> Any:
  """What a scaled estimate is multiplied by.

  Args:
    unit: numbers, names and `+ - * / ^ ( )`.
    values: name -> number or array, of the scales and the other parameters.

  >>> factor('loss * num_params^alpha',
  ...        {'loss': 2.0, 'num_params': 9.0, 'alpha': 0.5})
  6.0
  """
  return _evaluate(_parse(unit), values)


def names(unit: str) -> frozenset[str]:
  """Scales and parameters that a unit mentions.

  >>> sorted(names('loss * num_params^(1 / alpha)'))
  ['alpha', 'loss', 'num_params']

  Raises:
    UserError: when the text is no unit.
  """
  return frozenset(
    node.id for node in ast.walk(_parse(unit)) if isinstance(node, ast.Name)
  )


@functools.cache
def _parse(unit: str) -> ast.expr:
  try:
    expression = ast.parse(unit.replace('^', '**'), mode='eval').body
  except SyntaxError:
    expression = None
  allowed = (ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, *_OPERATIONS)
  if expression is None or not all(
    isinstance(node, allowed)
    or (isinstance(node, ast.Constant) and isinstance(node.value, int | float))
    for node in ast.walk(expression)
  ):
    raise errors.UserError(
      'A unit is made of numbers, names and + - * / ^ ( ), like "loss *'
      f' num_params^alpha", or "1" for none; got {unit!r}.'
    )
  return expression


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
  match node:
    case ast.Constant():
      return node.value
    case ast.Name():
      return values[node.id]
    case ast.UnaryOp():
      return _OPERATIONS[type(node.op)](_evaluate(node.operand, values))
    case ast.BinOp():
      return _OPERATIONS[type(node.op)](
        _evaluate(node.left, values), _evaluate(node.right, values)
      )
  raise TypeError(f'{node} is no part of a unit')
