"""Commits: real changes of generated programs, with message and diff.

A commit is a bug that is fixed, a refactoring, a new file, more examples or
a longer description. Fixes and refactorings are proven by running both
versions; a message says what the trees and the runs show.
"""

from collections.abc import Sequence
import dataclasses
import difflib
import random
import re
from typing import Any

from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import mutations
from codelaw.corpora.synthetic import notation
from codelaw.corpora.synthetic import refactorings
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import writer as writer_lib

_FOLDERS = (
  '',
  'src/',
  'lib/',
  'exercises/',
  'solutions/',
  'problems/',
  'practice/',
  'puzzles/',
)
_SUBJECT_WIDTH = 72
# A space inside code, where a line must not break.
_SPACE = '\0'


@dataclasses.dataclass(frozen=True)
class Commit:
  """A change of one file.

  Attributes:
    message: subject, and perhaps a body after an empty line.
    path: of the file.
    language: of the file.
    before: its text; '' if the commit adds it.
    after: its text.
    kind: `fix`, `add`, `examples`, `describe` or a kind of refactoring.
  """

  message: str
  path: str
  language: str
  before: str
  after: str
  kind: str

  @property
  def diff(self) -> str:
    """The change as a unified diff with the header lines of git."""
    old = f'a/{self.path}' if self.before else '/dev/null'
    lines = difflib.unified_diff(
      self.before.splitlines(keepends=True),
      self.after.splitlines(keepends=True),
      old,
      f'b/{self.path}',
    )
    header = [f'diff --git a/{self.path} b/{self.path}\n']
    if not self.before:
      header.append('new file mode 100644\n')
    return ''.join([*header, *lines])

  @property
  def text(self) -> str:
    """The document: message and diff."""
    return f'{self.message}\n\n{self.diff}'


def commit(
  solved: execution.Solved, renderers: notation.Renderers, rng: random.Random
) -> Commit:
  """A commit about a problem's solution.

  Args:
    solved: the problem.
    renderers: of the languages that its file may be in.
    rng: picks the kind of change, the language and the words.
  """
  language = rng.choice(list(renderers))
  writer = _Writer(solved, renderers, language, rng)
  draw = rng.random()
  if draw < 0.45:
    bug = mutations.find_bug(solved, rng)
    if bug:
      return _fix(writer, bug)
  if draw < 0.85:
    return _refactor(writer, refactorings.find_refactoring(solved, rng))
  kind = rng.choice((_add, _more_examples, _describe))
  return kind(writer) or _add(writer)


class _Writer(writer_lib.Writer):
  """The writer of a commit."""

  def __init__(
    self,
    solved: execution.Solved,
    renderers: notation.Renderers,
    language: str,
    rng: random.Random,
  ):
    super().__init__(solved, renderers, language, rng)
    name = self.function.name
    if language in ('java', 'csharp'):
      name = self.name[0].upper() + self.name[1:]
    elif language in ('javascript', 'typescript') and rng.random() < 0.5:
      name = self.name
    self.path = f'{rng.choice(_FOLDERS)}{name}.{notation.extension(language)}'
    # In the way of Conventional Commits, plain, or after the function's name.
    self.convention = rng.choice(('plain', 'plain', 'type', 'scope'))

  def call(self, arguments: Sequence[Any]) -> str:
    """A call that no line is broken in."""
    return super().call(arguments).replace(' ', _SPACE)

  def literal(self, value: Any) -> str:
    """A value that no line is broken in."""
    return super().literal(value).replace(' ', _SPACE)

  def document(self, **changes: Any) -> str:
    return self.renderer.document(dataclasses.replace(self.problem, **changes))

  def commit(
    self,
    kind: str,
    type_: str,
    subject: str,
    body: Sequence[str],
    before: str,
    after: str,
  ) -> Commit:
    """Puts the message together; indented paragraphs of it are code."""
    is_scoped = self.convention == 'scope' and len(self.name) < 24
    if len(subject) > _SUBJECT_WIDTH - 10 or is_scoped:
      for word in ('in', 'of', 'to', 'for', 'from'):
        subject = subject.removesuffix(f' {word} {self.name}')
    if self.convention == 'type':
      subject = f'{type_}: {_lower_first(subject)}'
    elif is_scoped and self.name not in subject:
      subject = f'{self.name}: {_lower_first(subject)}'
    lines = [
      part if part.startswith('  ') else '\n'.join(rendering.wrap(part, '', 72))
      for part in body
    ]
    message = '\n\n'.join([subject, *filter(None, lines)])
    message = message.replace(_SPACE, ' ')
    return Commit(message, self.path, self.language, before, after, kind)


def _lower_first(text: str) -> str:
  """`text` without its capital, unless it starts with a name."""
  return text[0].lower() + text[1:] if text[:2].istitle() else text


_WRONG = {
  'boundary': (
    'Fix the boundary in {name}',
    'Fix {old} that should be {new} in {name}',
    'Correct a comparison in {name}',
    'Treat equality right in {name}',
  ),
  'comparison': (
    'Fix a comparison in {name}',
    'Fix an inverted comparison in {name}',
    'Use {new}, not {old}, in {name}',
  ),
  'connective': (
    'Fix the condition in {name}',
    'Combine the conditions of {name} with {new}',
    'Fix {old} for {new} in a condition of {name}',
  ),
  'sign': (
    'Fix a sign in {name}',
    'Fix {old} for {new} in {name}',
    'Correct the arithmetic of {name}',
  ),
  'constant': (
    'Fix a constant in {name}',
    'Use {new} instead of {old} in {name}',
    'Correct {old} to {new} in {name}',
  ),
  'extreme': (
    'Take the {new} value in {name}',
    'Fix {old} for {new} in {name}',
    'Fix the choice of the {new} value in {name}',
  ),
  'negation': (
    'Add a missing negation in {name}',
    'Fix an inverted condition in {name}',
    'Negate the check in {name}',
  ),
  'branches': (
    'Fix swapped branches in {name}',
    'Swap the two values of a choice in {name}',
  ),
  'missing_case': (
    'Handle the other case in {name}',
    'Add the missing branch of {name}',
    'Do not forget the else case in {name}',
  ),
  'missing_check': (
    'Add a missing check in {name}',
    'Check the condition in {name}',
    'Fix {name}, which skipped a check',
  ),
  'missing_step': (
    'Add a missing step in {name}',
    'Fix {name}, which forgot an update',
    'Restore a lost update in {name}',
  ),
  'range': (
    'Fix an off-by-one error in {name}',
    'Fix the range of a loop in {name}',
    'Loop over the whole range in {name}',
  ),
}


def _fix(w: _Writer, bug: mutations.Bug) -> Commit:
  """A bug that is fixed, perhaps with an example that shows it."""
  function = w.problem.functions[bug.function]
  name = notation.function_name(w.renderer, function.name)
  right, wrong = bug.detail
  spell = w.renderer.operators
  subject = w.say(*_WRONG[bug.kind]).format(
    name=name, old=spell.get(wrong, wrong), new=spell.get(right, right)
  )
  example, got = bug.failing[0]
  call = w.call(example.arguments)
  result, observed = w.literal(example.result), w.literal(got)
  lines = notation.changed_lines(w.renderer, bug.functions, w.problem.functions)
  told = w.say(
    f'{call} returned {observed}; it is {result}.',
    f'For example, {call} gave {observed} instead of {result}.',
    f'{call} must be {result}, but was {observed}.',
    f'Before: {call} is {observed}. Now: {result}.',
  )
  count, tried = len(bug.failing), len(bug.failing) + len(bug.passing)
  if count == tried:
    more = f' All {tried} inputs tried gave a wrong result.'
  else:
    more = (
      f' Of {tried} inputs tried, {notation.number(count)} gave a wrong one.'
    )
  more = w.say(more, '')
  body = [told + more] if w.rng.random() < 0.85 else []
  if len(lines.old) == 1 and len(lines.new) == 1 and w.rng.random() < 0.3:
    where = w.say('The line was', 'It said', 'The mistake was in')
    body += [where, f'    {lines.old[0]}']
  passing = [item for item in w.problem.examples if item in bug.passing]
  shown = passing or list(w.problem.examples)
  after = shown
  if passing and w.rng.random() < 0.6:
    after = [*shown, example]
    if body:
      body += [w.say('Add it as an example.', 'This is now an example, too.')]
  return w.commit(
    'fix',
    'fix',
    subject,
    body,
    w.document(functions=bug.functions, examples=tuple(shown)),
    w.document(examples=tuple(after)),
  )


_REFACTOR = {
  'rename_variable': (
    'Rename {0} to {1}',
    'Rename the variable {0} to {1} in {name}',
    'Call it {1} instead of {0}',
    '{name}: {0} is now {1}',
  ),
  'rename_function': ('Rename {0} to {1}', '{0} is now called {1}'),
  'helper': (
    'Extract {1} from {0}',
    'Move a part of {0} into {1}',
    'Add the helper {1}',
    'Split {1} off {0}',
  ),
  'constant': (
    'Name the constant {0}',
    'Give {0} a name in {name}',
    'Replace the magic number {0} by {1}',
    'Introduce {1} in {name}',
  ),
  'parameter': (
    'Make {1} a parameter of {name}',
    'Let callers of {name} choose {1}',
    'Add the parameter {1} to {name}',
  ),
  'by_index': (
    'Loop over indices in {name}',
    'Use an index in the loop of {name}',
  ),
  'assignment': (
    'Write out the update of {0} in {name}',
    'Use a plain assignment for {0}',
  ),
  'nested': (
    'Split a condition of {name} in two',
    'Nest the conditions in {name}',
  ),
}
_REVERSED = {
  'helper': ('Inline {1} into {0}', 'Remove the helper {1}'),
  'constant': ('Inline {1} in {name}', 'Use {0} in place of {1}'),
  'by_index': (
    'Loop over the elements in {name}',
    'Iterate directly in {name}',
    'Drop the index {1} from {name}',
  ),
  'assignment': (
    'Update {0} in place in {name}',
    'Shorten the update of {0}',
  ),
  'nested': (
    'Merge nested conditions in {name}',
    'Join two conditions of {name}',
  ),
}


def _refactor(w: _Writer, change: refactorings.Refactoring) -> Commit:
  """A refactoring, or one undone."""
  names = change.spelled(w.renderer)
  function = notation.function_name(
    w.renderer, w.problem.functions[change.function].name
  )
  plain = w.document()
  changed = w.document(functions=change.functions, examples=change.examples)
  undone = change.kind in _REVERSED and w.rng.random() < 0.5
  options = (_REVERSED if undone else _REFACTOR)[change.kind]
  subject = w.say(*options).format(*names, name=function)
  count = len(w.solved.inputs)
  type_ = 'refactor'
  body = w.say(
    'No change of behavior.',
    'No functional change.',
    f'Same results on {count} inputs as before.',
    '',
    '',
    '',
  )
  if change.kind == 'parameter':
    type_ = 'feat'
    body = w.say(
      f'It was always {names[0]}.',
      f'Pass {names[0]} to get what {function} returned so far.',
      f'The value used until now, {names[0]}, stays in the examples.',
    )
  if change.kind == 'rename_function' and w.rng.random() < 0.5:
    body = w.say('Callers have to follow.', 'The old name is gone.', body)
  before, after = (changed, plain) if undone else (plain, changed)
  return w.commit(change.kind, type_, subject, [body], before, after)


def _add(w: _Writer) -> Commit:
  """A new file."""
  words = w.problem.solution.name.replace('_', ' ')
  subject = w.say(
    f'Add {w.name}',
    f'Add {w.name} in {w.spoken}',
    f'Solve {words}',
    f'Add a solution for {words}',
    f'New exercise: {words}',
  )
  example = w.rng.choice(w.problem.examples)
  call = w.call(example.arguments)
  body = w.say(
    w.problem.statement,
    '',
    f'{call} is {w.literal(example.result)}.',
  )
  return w.commit('add', 'feat', subject, [body], '', w.document())


def _more_examples(w: _Writer) -> Commit | None:
  """Examples are added."""
  examples = w.problem.examples
  extra = [item for item in w.solved.inputs if item not in examples]
  if not extra:
    return None
  added = tuple(extra[: w.rng.randint(1, 3)])
  count = notation.number(len(added))
  word = 'example' if len(added) == 1 else 'examples'
  subject = w.say(
    f'Add {count} {word} to {w.name}',
    f'More examples for {w.name}',
    f'Cover {count} more {"call" if len(added) == 1 else "calls"} of {w.name}',
  )
  calls = [w.call(item.arguments) for item in added]
  body = w.say('', f'Now also {notation.joined(calls)}.')
  return w.commit(
    'examples',
    'docs',
    subject,
    [body],
    w.document(),
    w.document(examples=(*examples, *added)),
  )


def _describe(w: _Writer) -> Commit | None:
  """The description gets its missing sentences."""
  sentences = re.split(r'(?<=[.]) (?=[A-Z])', w.problem.statement)
  if len(sentences) < 2:
    return None
  known = w.rng.randint(1, len(sentences) - 1)
  subject = w.say(
    f'Complete the description of {w.name}',
    f'Say what {w.name} returns',
    f'Extend the comment of {w.name}',
    f'Document {w.name} in full',
  )
  missing = ' '.join(sentences[known:])
  body = w.say('', f'It left out: {missing}')
  return w.commit(
    'describe',
    'docs',
    subject,
    [body],
    w.document(statement=' '.join(sentences[:known])),
    w.document(),
  )
