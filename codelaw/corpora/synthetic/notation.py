"""How texts about generated programs write languages, types and code.

Owns how a language and a type are called in sentences, how code stands in a
fenced block, and how calls and results are quoted.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import difflib
import textwrap
from typing import Any

from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import rendering

Renderers = Mapping[str, rendering.Renderer]

_LANGUAGES = {
  'python': ('Python', 'python', 'py'),
  'javascript': ('JavaScript', 'javascript', 'js'),
  'typescript': ('TypeScript', 'typescript', 'ts'),
  'java': ('Java', 'java', 'java'),
  'csharp': ('C#', 'csharp', 'cs'),
  'go': ('Go', 'go', 'go'),
  'rust': ('Rust', 'rust', 'rs'),
}
TYPES = {
  program.INT: ('an integer', 'integer', 'integers'),
  program.BOOL: ('a boolean', 'boolean', 'booleans'),
  program.CHAR: ('a character', 'character', 'characters'),
  program.TEXT: ('a text', 'text', 'texts'),
  program.INTS: ('a list of integers', 'list of integers', 'lists'),
  program.TEXTS: ('a list of texts', 'list of texts', 'lists'),
}
_NUMBERS = ('no', 'one', 'two', 'three', 'four', 'five', 'six')


def shown_language(language: str) -> str:
  """A language's name in a sentence.

  >>> shown_language('csharp'), shown_language('kotlin')
  ('C#', 'Kotlin')
  """
  known = _LANGUAGES.get(language)
  return known[0] if known else language.capitalize()


def fence_label(language: str) -> str:
  """A language's name after the fence of a code block."""
  return _LANGUAGES[language][1]


def extension(language: str) -> str:
  """The usual extension of a language's files, without the dot."""
  return _LANGUAGES[language][2]


def number(count: int) -> str:
  """A small count as a word."""
  return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def title_case(snake_case: str) -> str:
  """Words of a name as a heading."""
  words = snake_case.replace('_', ' ')
  return words[0].upper() + words[1:]


def code(
  renderer: rendering.Renderer,
  functions: Sequence[program.Function],
  comment: bool = False,
) -> list[str]:
  """The lines of functions, with an empty line between two.

  Args:
    renderer: of the language.
    functions: in the order to show.
    comment: whether helpers keep what they say of themselves.
  """
  lines: list[str] = []
  for function in functions:
    is_helper = comment and function is not functions[-1]
    text = rendering.summary(function) if is_helper else ''
    lines += [*([''] if lines else []), *renderer.function(function, text)]
  return [*lines, *renderer.support('\n'.join(lines))]


def signature(renderer: rendering.Renderer, function: program.Function) -> str:
  """The line that a function starts with, without its opening."""
  return renderer.function(function, '')[0].rstrip(' {:')


def function_name(renderer: rendering.Renderer, snake_case: str) -> str:
  """A function's name as the language spells it."""
  call_ = program.Call(snake_case, (), program.INT)
  return renderer.expression(call_).removesuffix('()')


def call(
  renderer: rendering.Renderer,
  problem: rendering.Problem,
  arguments: Sequence[Any],
) -> str:
  """A call of a problem's solution with plain values."""
  return renderer.call(problem, rendering.Example(tuple(arguments), None))


def fenced(lines: Sequence[str], label: str = '') -> list[str]:
  """A fenced code block."""
  return [f'```{label}', *lines, '```']


@dataclasses.dataclass(frozen=True)
class ChangedLines:
  """Lines of code that differ between two versions, moved to the left.

  Attributes:
    old: those of the old version.
    new: those of the new version.
    is_together: whether they stand in one place.
  """

  old: tuple[str, ...]
  new: tuple[str, ...]
  is_together: bool


def changed_lines(
  renderer: rendering.Renderer,
  old: Sequence[program.Function],
  new: Sequence[program.Function],
) -> ChangedLines:
  """What differs between two versions of a program in one language."""
  before, after = code(renderer, old), code(renderer, new)
  removed, added, places = [], [], 0
  for line in list(difflib.unified_diff(before, after, n=0))[2:]:
    if line.startswith('-'):
      removed.append(line[1:])
    elif line.startswith('@@'):
      places += 1
    elif line.startswith('+'):
      added.append(line[1:])
  return ChangedLines(_outdented(removed), _outdented(added), places == 1)


def _outdented(lines: Sequence[str]) -> tuple[str, ...]:
  """Lines without their common indent, and without lone brackets."""
  kept = [line for line in lines if _says_something(line)]
  return tuple(textwrap.dedent('\n'.join(kept)).splitlines())


def _says_something(line: str) -> bool:
  return any(character.isalnum() for character in line)


def sentence(text: str) -> str:
  """`text` with a capital first letter."""
  return text[:1].upper() + text[1:]


def joined(parts: Sequence[str]) -> str:
  """`a, b and c`."""
  if len(parts) < 2:
    return ''.join(parts)
  return f'{", ".join(parts[:-1])} and {parts[-1]}'
