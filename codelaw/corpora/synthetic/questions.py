"""Question-and-answer threads about generated programs.

A question shows an attempt that is really wrong, with what it gave and what
it should give; or it asks for a program in another language. Answers name
the mistake, which is the very edit that made the attempt, and show code that
was run. Threads are written in Markdown.
"""

from collections.abc import Sequence
import dataclasses
import random

from codelaw.corpora.synthetic import edits
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import mutations
from codelaw.corpora.synthetic import notation
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import refactorings
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import writer as writer_lib

_LOOPS = (program.While, program.Count, program.Each, program.EachEntry)


def thread(
  solved: execution.Solved, renderers: notation.Renderers, rng: random.Random
) -> str:
  """A thread about a problem: question, tags, and answers with scores.

  Args:
    solved: the problem.
    renderers: of the languages that its code may be in.
    rng: picks the mistake, the languages and the words.
  """
  language = rng.choice(list(renderers))
  writer = _Writer(solved, renderers, language, rng)
  bug = mutations.find_bug(solved, rng) if rng.random() < 0.85 else None
  if bug:
    title, body, tags = _wrong_result(writer, bug)
    answers = [_explanation(writer, bug)]
    if rng.random() < 0.55:
      answers.append(_alternative(writer))
  elif len(renderers) > 1 and rng.random() < 0.7:
    other = rng.choice([name for name in renderers if name != language])
    title, body, tags = _port_wanted(writer, other)
    answers = [_port(writer, other)]
  else:
    title, body, tags = _solution_wanted(writer)
    answers = [_solution(writer)]
    if rng.random() < 0.5:
      answers.append(_alternative(writer))
  return _written(writer, title, body, tags, answers)


class _Writer(writer_lib.Writer):
  """The writer of a thread."""

  def code(
    self, functions: Sequence[program.Function], language: str = ''
  ) -> str:
    language = language or self.language
    lines = notation.code(self.renderers[language], functions)
    return '\n'.join(notation.fenced(lines, notation.fence_label(language)))

  def results(self, examples: Sequence[rendering.Example]) -> str:
    """Calls with their results, as lines of code or as a list."""
    pairs = [(self.call(e.arguments), self.literal(e.result)) for e in examples]
    if self.rng.random() < 0.5:
      mark = '#' if self.language == 'python' else '//'
      return '\n'.join(
        notation.fenced(
          [f'{call}  {mark} {result}' for call, result in pairs],
          notation.fence_label(self.language),
        )
      )
    return '\n'.join(f'- `{call}` is `{result}`' for call, result in pairs)


def _written(
  w: _Writer,
  title: str,
  body: Sequence[str],
  tags: Sequence[str],
  answers: Sequence[Sequence[str]],
) -> str:
  score = max(-1, round(w.rng.gauss(4, 5)))
  scores = sorted(
    (max(-1, round(w.rng.gauss(4, 4))) for _ in answers), reverse=True
  )
  parts = [f'# {title}', *body]
  tag_line = ' '.join(f'`{tag}`' for tag in tags)
  parts += [f'{w.say("Tags", "tags", "Tagged")}: {tag_line}', f'Score: {score}']
  accepted = w.rng.random() < 0.7
  for place, (answer, votes) in enumerate(zip(answers, scores, strict=True)):
    mark = ', accepted' if accepted and place == 0 else ''
    parts += [f'## Answer {place + 1} (score {votes}{mark})', *answer]
  return '\n\n'.join(filter(None, parts)) + '\n'


def _tags(w: _Writer) -> list[str]:
  """The language and what the tree shows that the program is about."""
  tags = [notation.fence_label(w.language)]
  kinds = {p.type for p in w.problem.solution.parameters}
  if kinds & {program.TEXT, program.CHAR}:
    tags.append('string')
  if kinds & {program.INTS, program.TEXTS}:
    tags.append('list' if w.language == 'python' else 'arrays')
  found = [node for _, node in edits.nodes(w.problem.functions)]
  if any(isinstance(node, _LOOPS) for node in found):
    tags.append('loops')
  if any(getattr(node, 'op', '') == '%' for node in found):
    tags.append('modulo')
  if any(isinstance(node, program.EachEntry) for node in found):
    tags.append('counting')
  first, *rest = tags
  return [first, *w.rng.sample(rest, min(len(rest), w.rng.randint(1, 3)))]


def _task(w: _Writer) -> str:
  statement = w.problem.statement
  return w.say(
    f'This is the task: {statement}',
    f'{statement} That is what I want to compute.',
    f'I am working on this exercise.\n\n> {statement}',
    f'> {statement}',
    f'My function should do the following. {statement}',
    statement,
  )


def _wrong_result(
  w: _Writer, bug: mutations.Bug
) -> tuple[str, list[str], list[str]]:
  example, got = w.rng.choice(bug.failing)
  call = w.call(example.arguments)
  result, observed = w.literal(example.result), w.literal(got)
  words = w.problem.solution.name.replace('_', ' ')
  titles = [
    f'Wrong result in {w.spoken}: {words}',
    f'Why does my {w.spoken} function {w.name} give a wrong answer?',
    f'{words}: my {w.spoken} code does not give what I expect',
    f'What is wrong with my {w.name}?',
  ]
  if len(result) + len(observed) < 30:
    titles += [
      f'{w.name} returns {observed} instead of {result}',
      f'{w.name} gives {observed}, expected {result}',
    ] * 2
  attempt = w.code(bug.functions)
  seen = w.say(
    f'`{call}` gives `{observed}`, but I expect `{result}`.',
    f'For `{call}` I get `{observed}`. It should be `{result}`.',
    f'Expected for `{call}`: `{result}`\n\nActual: `{observed}`',
    f'The call `{call}` returns `{observed}` and not `{result}`.',
  )
  others = [pair for pair in bug.failing if pair[0] is not example]
  if others and w.rng.random() < 0.5:
    item, value = w.rng.choice(others)
    seen += ('\n\n' if 'Actual' in seen else ' ') + w.say(
      f'Another one: `{w.call(item.arguments)}` should be'
      f' `{w.literal(item.result)}`, not `{w.literal(value)}`.',
      f'Also wrong: `{w.call(item.arguments)}` gives `{w.literal(value)}`'
      f' instead of `{w.literal(item.result)}`.',
    )
  good = ''
  if bug.passing and w.rng.random() < 0.7:
    item = w.rng.choice(bug.passing)
    good = w.say(
      f'It does work for `{w.call(item.arguments)}`, where I get'
      f' `{w.literal(item.result)}`.',
      f'Strangely, `{w.call(item.arguments)}` is right:'
      f' `{w.literal(item.result)}`.',
      f'`{w.call(item.arguments)}` is `{w.literal(item.result)}`, as it'
      ' should be.',
    )
  elif not bug.passing and w.rng.random() < 0.5:
    good = f'None of the {len(bug.failing)} inputs I tried was right.'
  lead = w.say(
    'My code:', 'What I have so far:', 'I wrote this:', 'My attempt:'
  )
  end = w.say(
    'Where is the mistake?',
    'What am I missing?',
    'What is wrong?',
    'I cannot see why.',
    '',
  )
  middle = [f'{lead}\n\n{attempt}', seen]
  if w.rng.random() < 0.3:
    middle.reverse()
  body = [_task(w), *middle, ' '.join(filter(None, (good, end)))]
  return w.say(*titles), body, _tags(w)


_WHY = {
  'boundary': (
    'The comparison treats equal values the wrong way: `{old}` has to be'
    ' `{new}`.',
    'Look at the case where both sides are equal: you need `{new}`, not'
    ' `{old}`.',
  ),
  'comparison': (
    'Your comparison says `{old}` where the task needs `{new}`.',
    'One comparison is the wrong one: `{old}` should be `{new}`.',
  ),
  'connective': (
    'The two conditions are joined by `{old}`; they need `{new}`.',
    'It is a matter of `{old}` and `{new}`: here you need the latter.',
  ),
  'sign': (
    'There is a `{old}` that should be a `{new}`.',
    'The arithmetic is off: `{new}`, not `{old}`.',
  ),
  'constant': (
    'You have {old} in a place where it has to be {new}.',
    'One number is off: {new} is needed, not {old}.',
  ),
  'extreme': (
    'You take the {old} of two values where the {new} one is needed.',
    'It should be the {new} value, not the {old} one.',
  ),
  'negation': (
    'A condition is the wrong way round: the negation is missing.',
    'You forgot to negate a condition.',
  ),
  'branches': (
    'The two values of your conditional expression are swapped.',
    'You mixed up which value belongs to which case.',
  ),
  'missing_case': (
    'You do nothing when the condition fails; that case is missing.',
    'The other branch is missing.',
  ),
  'missing_check': (
    'You do it unconditionally, but it depends on a condition.',
    'A check is missing.',
  ),
  'missing_step': (
    'One step is missing, so a variable keeps an old value.',
    'You never do one of the updates.',
  ),
  'range': (
    'It is an off-by-one error in the bounds of the loop.',
    'The loop covers the wrong range, by one.',
  ),
}


def _explanation(w: _Writer, bug: mutations.Bug) -> list[str]:
  """What is wrong, where, and code that works."""
  right, wrong = bug.detail
  spell = w.renderer.operators
  why = w.say(*_WHY[bug.kind]).format(
    old=spell.get(wrong, wrong), new=spell.get(right, right)
  )
  lines = notation.changed_lines(w.renderer, bug.functions, w.problem.functions)
  parts = [why]
  if lines.new and lines.is_together and len(lines.old + lines.new) <= 6:
    new = '\n'.join(lines.new)
    label = notation.fence_label(w.language)
    if lines.old:
      old = '\n'.join(lines.old)
      style = w.say('both', 'diff', 'new')
      if style == 'diff':
        shown = [f'- {line}' for line in lines.old]
        shown += [f'+ {line}' for line in lines.new]
        parts.append('\n'.join(notation.fenced(shown, 'diff')))
      elif style == 'both':
        parts.append(
          f'You have\n\n```{label}\n{old}\n```\n\n'
          f'{w.say("but need", "and it should be", "Make that")}\n\n'
          f'```{label}\n{new}\n```'
        )
      else:
        parts.append(
          f'{w.say("Write", "You want", "Change it to")}\n\n'
          f'```{label}\n{new}\n```'
        )
    else:
      lead = w.say('What is missing:', 'Add this:', 'You need')
      parts.append(f'{lead}\n\n```{label}\n{new}\n```')
  function = w.problem.functions[bug.function]
  if len(w.problem.functions) > 1:
    parts[0] += (
      f' It is in `{notation.function_name(w.renderer, function.name)}`.'
    )
  whole = [w.problem.functions[bug.function]]
  if w.rng.random() < 0.6:
    whole = list(w.problem.functions)
  lead = w.say('Corrected:', 'This works:', 'The whole thing:', 'So:')
  parts.append(f'{lead}\n\n{w.code(whole)}')
  example, got = bug.failing[0]
  parts.append(
    w.say(
      f'Now `{w.call(example.arguments)}` is `{w.literal(example.result)}`.',
      f'With that, `{w.call(example.arguments)}` gives'
      f' `{w.literal(example.result)}` and no longer `{w.literal(got)}`.',
      f'I ran it on {len(w.solved.inputs)} inputs, all right now.',
      f'Results:\n\n{w.results([pair[0] for pair in bug.failing[:3]])}',
    )
  )
  return parts


def _alternative(w: _Writer) -> list[str]:
  """Another form of the solution, or the solution in another language."""
  others = [name for name in w.renderers if name != w.language]
  if others and w.rng.random() < 0.4:
    other = w.rng.choice(others)
    spoken = notation.shown_language(other)
    lead = w.say(
      f'In case it helps, the same in {spoken}:',
      f'For comparison, here it is in {spoken}:',
      f'I needed this in {spoken} once:',
    )
    return [f'{lead}\n\n{w.code(w.problem.functions, other)}']
  change = refactorings.find_refactoring(w.solved, w.rng)
  names = change.spelled(w.renderer)
  lead = {
    'rename_variable': 'I would also find better names, like `{1}`:',
    'rename_function': 'I would call it `{1}`, but otherwise:',
    'helper': 'I would put part of it into a function of its own, `{1}`:',
    'constant': 'It reads better when {0} has a name:',
    'parameter': 'You could make {0} a parameter, `{1}`:',
    'by_index': 'One can also loop with an index, `{1}`:',
    'assignment': 'The same, with the update of `{0}` written out:',
    'nested': 'Two nested conditions may be easier to follow:',
  }[change.kind].format(*names)
  parts = [f'{lead}\n\n{w.code(change.functions)}']
  example = change.examples[0]
  changed = dataclasses.replace(w.problem, functions=change.functions)
  call = notation.call(w.renderer, changed, example.arguments)
  parts.append(f'`{call}` gives `{w.literal(example.result)}`.')
  return parts


def _port_wanted(w: _Writer, other: str) -> tuple[str, list[str], list[str]]:
  spoken = notation.shown_language(other)
  words = w.problem.solution.name.replace('_', ' ')
  title = w.say(
    f'{w.spoken} to {spoken}: {words}',
    f'How do I write this {w.spoken} function in {spoken}?',
    f'{spoken} version of {w.name}',
    f'Port {w.name} from {w.spoken} to {spoken}',
  )
  lead = w.say(
    f'I have this in {w.spoken} and need it in {spoken}:',
    f'How would one write the following in {spoken}?',
    f'This {w.spoken} code works. What does it look like in {spoken}?',
  )
  body = [
    f'{lead}\n\n{w.code(w.problem.functions)}',
    w.say(_task(w), ''),
    f'{w.say("Some results:", "It gives:", "For testing:")}\n\n'
    f'{w.results(w.problem.examples)}',
  ]
  return title, body, [*_tags(w), notation.fence_label(other)]


def _port(w: _Writer, other: str) -> list[str]:
  renderer = w.renderers[other]
  example = w.rng.choice(w.solved.inputs)
  call = notation.call(renderer, w.problem, example.arguments)
  spoken = notation.shown_language(other)
  return [
    f'{w.say("Like this:", f"In {spoken}:", "Nearly the same:")}\n\n'
    f'{w.code(w.problem.functions, other)}',
    f'`{call}` {w.say("is", "gives", "returns")}'
    f' `{renderer.literal(example.result)}`'
    f'{w.say("", f", as in {w.spoken}")}.',
  ]


def _solution_wanted(w: _Writer) -> tuple[str, list[str], list[str]]:
  words = w.problem.solution.name.replace('_', ' ')
  title = w.say(
    f'How to compute this in {w.spoken}: {words}',
    f'{words} in {w.spoken}',
    f'{w.spoken}: how do I write {w.name}?',
  )
  lead = w.say('Examples:', 'For instance:', 'What I expect:')
  body = [_task(w), f'{lead}\n\n{w.results(w.problem.examples)}']
  return title, body, _tags(w)


def _solution(w: _Writer) -> list[str]:
  lead = w.say('Try this:', 'One way:', 'This does it:', 'A direct solution:')
  parts = [f'{lead}\n\n{w.code(w.problem.functions)}']
  known = len(w.problem.examples)
  more = w.solved.inputs[known : known + w.rng.randint(1, 3)]
  if more:
    parts.append(
      f'{w.say("More results:", "It also gives:")}\n\n{w.results(more)}'
    )
  return parts
