"""Problems that the tests of documents share, and their programs in Python."""

import functools

from codelaw.corpora.synthetic import python
from codelaw.corpora.synthetic import reader

NUM_PROBLEMS = 120
PYTHON = {'python': python.PythonRenderer()}
ALL = {name: kind() for name, kind in reader.RENDERERS.items()}


@functools.cache
def solved():
  """Problems with their inputs."""
  return tuple(reader.solved(9, index) for index in range(NUM_PROBLEMS))


def plain(functions):
  """The last function as plain Python runs it, from a list of arguments."""
  solve = python.compile_functions(functions, checked=False)
  return lambda arguments: solve(*arguments)
