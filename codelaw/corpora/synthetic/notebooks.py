"""Notebooks about generated programs, as scripts in percent format.

A notebook says what is wanted, defines the functions, and calls them; what is
shown under a call was computed by running it. It is written by the reader of
real notebooks (`corpora.notebooks`), so that both are documents of one kind.
"""

import random
from typing import Any

from codelaw.corpora import notebooks
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import notation
from codelaw.corpora.synthetic import writer as writer_lib

_OUTPUT_CHARS = 10_000  # of a call; results are far shorter


def notebook(
  solved: execution.Solved, renderers: notation.Renderers, rng: random.Random
) -> tuple[str, str]:
  """A notebook about a problem's solution, and its language.

  Args:
    solved: the problem.
    renderers: of the languages that its code may be in.
    rng: picks the language, the calls and the words.
  """
  w = writer_lib.Writer(solved, renderers, rng.choice(list(renderers)), rng)
  cells = [_text(f'# {_title(w)}\n\n{w.problem.statement}')]
  for function in w.problem.functions[:-1]:
    name = notation.function_name(w.renderer, function.name)
    cells += [
      _text(w.say(f'A helper, `{name}`:', f'First `{name}`.')),
      _code('\n'.join(notation.code(w.renderer, [function]))),
    ]
  if len(w.problem.functions) > 1 or rng.random() < 0.5:
    cells.append(_text(w.say(f'`{w.name}`:', 'The function itself.')))
  own = notation.code(w.renderer, [w.function], comment=True)
  cells += [_code('\n'.join(own)), *_trials(w)]
  kernel = {'name': notation.fence_label(w.language)}
  _, text = notebooks.script(
    {'cells': cells, 'metadata': {'language_info': kernel}}, _OUTPUT_CHARS
  )
  return text, w.language


def _title(w: writer_lib.Writer) -> str:
  words = notation.title_case(w.function.name)
  return w.say(words, f'{words} in {w.spoken}', f'Trying `{w.name}`')


def _trials(w: writer_lib.Writer) -> list[dict[str, Any]]:
  """Calls with their results, some announced."""
  inputs = w.solved.inputs
  cells = []
  most = min(len(inputs), w.rng.randint(2, 5))
  for place, example in enumerate(w.rng.sample(inputs, most)):
    if w.rng.random() < 0.4:
      again = w.say('And another one.', 'Once more.', 'A further case:')
      first = w.say('Does it work?', 'A first try:', 'Let us call it.')
      cells.append(_text(again if place else first))
    cells.append(_code(w.call(example.arguments), w.literal(example.result)))
  return cells


def _text(text: str) -> dict[str, Any]:
  return {'cell_type': 'markdown', 'source': text}


def _code(text: str, result: str = '') -> dict[str, Any]:
  outputs = [{'data': {'text/plain': result}}] if result else []
  return {'cell_type': 'code', 'source': text, 'outputs': outputs}
