"""Documentation of generated programs: references, tutorials, READMEs.

Everything a page says of a function is read off its tree or was computed by
running it: examples, what happens at the edges, how often its loops go
round. How much a call costs is said only where the tree shows it.
"""

from collections.abc import Sequence
import random
from typing import Any

from codelaw.corpora.synthetic import edits
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import markup_formats
from codelaw.corpora.synthetic import notation
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import writer as writer_lib
from codelaw.corpora.synthetic.markup_formats import Block
from codelaw.corpora.synthetic.markup_formats import Code
from codelaw.corpora.synthetic.markup_formats import Heading
from codelaw.corpora.synthetic.markup_formats import Items
from codelaw.corpora.synthetic.markup_formats import Paragraph
from codelaw.corpora.synthetic.markup_formats import Table

_MOST_ROUNDS = 9
_LOOPS = (program.While, program.Count, program.Each, program.EachEntry)
# What these do takes the same time for every argument.
_CONSTANT_TIME = (
  'length',
  'at',
  'last',
  'smaller',
  'larger',
  'magnitude',
  'lower',
  'upper',
  'code',
  'character',
  'is_digit',
  'is_letter',
  'is_upper',
)


def page(
  solved: execution.Solved, renderers: notation.Renderers, rng: random.Random
) -> tuple[str, str]:
  """A page about a problem's solution, and the format's language.

  Args:
    solved: the problem.
    renderers: of the languages that its code may be shown in.
    rng: picks kind, format and words.
  """
  language = rng.choice(list(renderers))
  writer = _Writer(solved, renderers, language, rng)
  kind = rng.choice((_reference, _reference, _tutorial, _readme, _notebook))
  blocks = kind(writer)
  name = rng.choice(('markdown', 'markdown', 'html', 'restructuredtext'))
  write = rng.choice(markup_formats.FORMATS[name])
  return write(blocks), name


class _Writer(writer_lib.Writer):
  """The writer of a page."""

  def code(self, language: str = '') -> Code:
    language = language or self.language
    lines = notation.code(
      self.renderers[language], self.solved.problem.functions, comment=True
    )
    return Code(lines, language)

  def examples(self, most: int) -> tuple[rendering.Example, ...]:
    inputs = self.solved.inputs
    return tuple(self.rng.sample(inputs, min(most, len(inputs))))


def _reference(w: _Writer) -> list[Block]:
  """Signature, parameters, examples, notes."""
  title = w.say(f'`{w.name}`', f'{w.name}()', w.name)
  blocks: list[Block] = [Heading(title, 1)]
  head = Code([notation.signature(w.renderer, w.function)], w.language)
  intro = Paragraph(w.solved.problem.statement)
  blocks += [head, intro] if w.rng.random() < 0.5 else [intro, head]
  sections = [_parameters(w), _examples(w), _edges(w), _facts(w)]
  if w.rng.random() < 0.5:
    w.rng.shuffle(sections)
  if w.rng.random() < 0.6:
    place = w.rng.randint(0, len(sections))
    sections.insert(place, _source(w))
  if w.rng.random() < 0.3:
    sections.append(_other_language(w))
  return [*blocks, *(block for section in sections for block in section)]


def _readme(w: _Writer) -> list[Block]:
  """A title in words, usage, what it does, and the source."""
  title = notation.title_case(w.function.name)
  helpers = len(w.solved.problem.functions) - 1
  intro = w.say(
    f'One function in {w.spoken}, `{w.name}`',
    f'A small {w.spoken} function, `{w.name}`',
    f'`{w.name}` is written in plain {w.spoken}',
  )
  if helpers:
    intro += w.say(', and the helper it needs', ' with its helper')
    intro = intro if helpers == 1 else f'{intro} and others'
  blocks: list[Block] = [Heading(title, 1), Paragraph(f'{intro}.')]
  what = w.say('What it does', 'The task', 'About', 'Purpose', 'Problem')
  sections: list[list[Block]] = [
    [Heading(what), Paragraph(w.solved.problem.statement)],
    _usage(w),
    _edges(w),
    _source(w),
  ]
  if w.rng.random() < 0.5:
    sections.insert(w.rng.randint(1, 3), _parameters(w))
  if w.rng.random() < 0.4:
    sections.append(_other_language(w))
  if w.rng.random() < 0.5:
    sections.append(_facts(w))
  return [*blocks, *(block for section in sections for block in section)]


def _tutorial(w: _Writer) -> list[Block]:
  """The task, the code in steps, and a run of it round by round."""
  words = notation.title_case(w.function.name).lower()
  title = w.say(
    f'Step by step: {words}',
    f'How `{w.name}` works',
    f'Writing `{w.name}` in {w.spoken}',
    f'Walkthrough: {words}',
  )
  first = w.examples(1)[0]
  blocks: list[Block] = [
    Heading(title, 1),
    Paragraph(w.solved.problem.statement),
    Paragraph(
      w.say(
        f'For a start, `{w.call(first.arguments)}` should give'
        f' `{w.literal(first.result)}`.',
        f'An example to keep in mind: `{w.call(first.arguments)}` is'
        f' `{w.literal(first.result)}`.',
        f'We expect `{w.literal(first.result)}` from'
        f' `{w.call(first.arguments)}`.',
      )
    ),
  ]
  for helper in w.solved.problem.functions[:-1]:
    blocks += [
      Heading(w.say('First a helper', 'A helper', 'A function we need')),
      Paragraph(helper.summary),
      Code(notation.code(w.renderer, [helper]), w.language),
    ]
  blocks += [
    Heading(w.say('The function', 'The code', 'Solution', 'Putting it down')),
    Code(notation.code(w.renderer, [w.function]), w.language),
    *_rounds(w),
    *_examples(w),
  ]
  if w.rng.random() < 0.6:
    blocks += _edges(w)
  return blocks


def _notebook(w: _Writer) -> list[Block]:
  """Questions and answers about what the function gives."""
  blocks: list[Block] = [
    Heading(w.say(f'Notes on `{w.name}`', f'`{w.name}`: questions'), 1),
    Paragraph(w.solved.problem.statement),
  ]
  for place, example in enumerate(w.examples(w.rng.randint(2, 4))):
    call = f'`{w.call(example.arguments)}`'
    options = [f'What is {call}?', f'What does {call} return?']
    question = w.say(*options, *([f'And {call}?'] if place else []))
    blocks += [
      Heading(question, 3),
      Paragraph(f'`{w.literal(example.result)}`.'),
    ]
  blocks += _edges(w)
  blocks += _facts(w)
  return [*blocks, *_source(w)]


def _parameters(w: _Writer) -> list[Block]:
  heading = Heading(w.say('Parameters', 'Arguments', 'Input and output'))
  rows = [
    (f'`{w.renderer.name(p.name)}`', notation.TYPES[p.type][1])
    for p in w.function.parameters
  ]
  returned = notation.TYPES[w.function.returns][0]
  result = Paragraph(
    w.say(
      f'Returns {returned}.',
      f'The result is {returned}.',
      f'`{w.name}` returns {returned}.',
    )
  )
  if w.rng.random() < 0.5:
    return [heading, Table(('name', 'type'), rows), result]
  return [heading, Items([f'{name}: {kind}' for name, kind in rows]), result]


def _examples(w: _Writer) -> list[Block]:
  heading = Heading(w.say('Examples', 'Some results', 'Worked examples'))
  found = w.examples(w.rng.randint(3, 6))
  pairs = [(w.call(item.arguments), w.literal(item.result)) for item in found]
  kind = w.say('table', 'code', 'list')
  if kind == 'table':
    header = w.say('call result', 'input output', 'expression value').split()
    rows = [(f'`{call}`', f'`{result}`') for call, result in pairs]
    return [heading, Table(header, rows)]
  if kind == 'code':
    mark = '#' if w.language == 'python' else '//'
    arrow = w.say('->', '=>', 'gives')
    lines = [f'{call}  {mark} {arrow} {result}' for call, result in pairs]
    return [heading, Code(lines, w.language)]
  verb = w.say('gives', 'is', 'returns')
  return [heading, Items([f'`{c}` {verb} `{r}`' for c, r in pairs])]


def _usage(w: _Writer) -> list[Block]:
  found = w.examples(w.rng.randint(1, 3))
  mark = '#' if w.language == 'python' else '//'
  lines = [
    f'{w.call(item.arguments)}  {mark} {w.literal(item.result)}'
    for item in found
  ]
  heading = w.say('Usage', 'Use', 'Quick start', 'Calling it')
  return [Heading(heading), Code(lines, w.language)]


def _source(w: _Writer) -> list[Block]:
  heading = w.say('Source', 'Code', 'Implementation', 'Listing')
  return [Heading(heading), w.code()]


def _other_language(w: _Writer) -> list[Block]:
  others = [name for name in w.renderers if name != w.language]
  if not others:
    return []
  language = w.rng.choice(others)
  spoken = notation.shown_language(language)
  heading = w.say(f'In {spoken}', f'{spoken} version', f'The same in {spoken}')
  return [Heading(heading), w.code(language)]


def _edges(w: _Writer) -> list[Block]:
  """What calls near the edges give, found by making them."""
  run = execution.runner(w.solved.problem.functions)
  found = []
  for words, arguments in _edge_inputs(w):
    try:
      result = run(arguments)
    except execution.Refused:
      continue
    found.append(
      f'{words}: `{w.call(arguments)}` {w.say("gives", "is", "returns")}'
      f' `{w.literal(result)}`.'
    )
  if not found:
    return []
  heading = Heading(w.say('Edge cases', 'Notes', 'Good to know', 'Corners'))
  chosen = found[: w.rng.randint(1, len(found))]
  return [heading, Items(chosen)]


def _edge_inputs(w: _Writer) -> list[tuple[str, list[Any]]]:
  """Descriptions and arguments, in a random order."""
  example = w.examples(1)[0]
  first, *rest = example.arguments
  kind = w.function.parameters[0].type
  options: list[tuple[str, Any]] = []
  if kind in (program.INTS, program.TEXTS, program.TEXT):
    what = 'text' if kind == program.TEXT else 'list'
    options = [
      (f'An empty {what}', first[:0]),
      ('Only the start of it' if what == 'text' else 'One element', first[:1]),
      (
        f'A {what} backwards (forwards it is `{w.literal(example.result)}`)',
        first[::-1],
      ),
      (f'The same {what} twice over', first + first),
    ]
  elif kind == program.INT:
    known = min(item.arguments[0] for item in w.solved.inputs)
    most = max(item.arguments[0] for item in w.solved.inputs)
    options = [
      (
        f'The smallest `{w.renderer.name(w.function.parameters[0].name)}`'
        ' tried here',
        known,
      ),
      ('The largest tried here', most),
    ]
    results = {
      item.arguments[0]: [*item.arguments[1:]] for item in w.solved.inputs
    }
    return [(words, [value, *results[value]]) for words, value in options]
  w.rng.shuffle(options)
  return [(words, [value, *rest]) for words, value in options]


def _facts(w: _Writer) -> list[Block]:
  """Sentences about the code that its tree proves, and counted rounds."""
  sentences = [_loops_sentence(w)]
  if len(w.solved.problem.functions) > 1:
    names = [
      f'`{notation.function_name(w.renderer, f.name)}`'
      for f in w.solved.problem.functions[:-1]
    ]
    word = 'helper' if len(names) == 1 else 'helpers'
    sentences.append(f'It relies on the {word} {notation.joined(names)}.')
  lists = [
    f'`{w.renderer.name(p.name)}`'
    for p in w.function.parameters
    if p.type in (program.INTS, program.TEXTS)
  ]
  if lists and w.rng.random() < 0.6:
    sentences.append(
      w.say(
        f'{notation.joined(lists)}'
        f' {"stays" if len(lists) == 1 else "stay"} as before.',
        f'The function does not change {notation.joined(lists)}.',
      )
    )
  linear = _linear_in(w.solved.problem.functions)
  if linear:
    name = f'`{w.renderer.name(linear)}`'
    sentences.append(
      w.say(
        f'The time it takes grows linearly with the length of {name}.',
        f'{name} is read once from start to end, which takes O(n) time.',
      )
    )
  heading = Heading(w.say('Implementation notes', 'Cost', 'About the code'))
  blocks: list[Block] = [heading, Paragraph(' '.join(filter(None, sentences)))]
  if w.rng.random() < 0.4:
    rows = []
    for item in w.examples(3):
      count = len(execution.rounds(w.solved.problem.functions, item.arguments))
      rows.append((f'`{w.call(item.arguments)}`', str(count)))
    blocks.append(Table(('call', 'rounds of loops'), rows))
  return blocks if blocks[1] != Paragraph('') else []


def _loops_sentence(w: _Writer) -> str:
  loops = [
    path for path, node in edits.nodes(w.function) if isinstance(node, _LOOPS)
  ]
  nested = any(
    inner != outer and inner[: len(outer)] == outer
    for inner in loops
    for outer in loops
  )
  if not loops:
    return w.say('There is no loop in it.', 'It has no loop of its own.')
  if len(loops) == 1:
    return w.say(
      f'`{w.name}` has a single loop.', 'The work is done in one loop.'
    )
  count = notation.number(len(loops))
  end = ', some inside others' if len(loops) > 2 else ', one inside the other'
  return f'There are {count} loops in it{end if nested else ", none nested"}.'


def _linear_in(functions: Sequence[program.Function]) -> str:
  """The parameter whose length the running time follows; '' if not sure."""
  function = functions[-1]
  if len(functions) > 1:
    return ''
  loops = []
  for _, node in edits.nodes(function):
    if isinstance(node, _LOOPS):
      loops.append(node)
    if isinstance(node, program.Builtin) and node.name not in _CONSTANT_TIME:
      return ''
    if isinstance(node, program.Operation) and node.type == program.TEXT:
      return ''
    if isinstance(node, (program.Break, program.Sort)):
      return ''
    if isinstance(node, program.Return) and node is not function.body[-1]:
      return ''
  if len(loops) != 1 or not isinstance(loops[0], program.Each):
    return ''
  sequence = loops[0].sequence
  names = {parameter.name for parameter in function.parameters}
  if isinstance(sequence, program.Variable) and sequence.name in names:
    return sequence.name
  return ''


def _rounds(w: _Writer) -> list[Block]:
  """A table of the variables at the start of each round of the loops."""
  if len(w.solved.problem.functions) > 1:
    return []
  variables = edits.variables(w.function)
  for example in w.examples(4):
    found = execution.rounds(w.solved.problem.functions, example.arguments)
    if not 2 <= len(found) <= _MOST_ROUNDS:
      continue
    parameters = {parameter.name for parameter in w.function.parameters}
    names = [
      name
      for name in found[0]
      if name not in parameters
      and not isinstance(found[0][name], dict)
      and all(name in values for values in found)
    ]
    if not names:
      continue
    heading = w.say('A run, round by round', 'Following one call', 'Trace')
    start = w.say(
      f'At the start of each round of `{w.call(example.arguments)}`:',
      f'Here is what the variables hold when a round of'
      f' `{w.call(example.arguments)}` begins:',
    )
    rows = [
      (str(place), *(f'`{_held(w, variables[n], row[n])}`' for n in names))
      for place, row in enumerate(found, 1)
    ]
    header = ('round', *(f'`{w.renderer.name(name)}`' for name in names))
    end = f'In the end the result is `{w.literal(example.result)}`.'
    return [
      Heading(heading),
      Paragraph(start),
      Table(header, rows),
      Paragraph(end),
    ]
  return []


def _held(w: _Writer, variable: program.Variable, value: Any) -> str:
  if isinstance(value, list):
    return w.literal(value)
  return w.renderer.literal_of(program.Literal(value, variable.type))
