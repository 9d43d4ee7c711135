"""Held-out problems from the generator of synthetic programs.

The prompt is the document that a corpus has of the problem, cut where the
body of the solution begins; the completion is the body. So a model that was
trained on `synthetic/<language>` sees what it knows: comment, signature and,
in languages that have them on top, the imports of the document. The tests
call the solution with verified inputs and compare its results; some are shown
in prompts of the layout that has examples before the code, others in none.

The test program imports whatever the generator's programs ever do, so that a
solution by other means than the document's compiles as well.

Definitions owned here:
  held out: in the validation split of every corpus whose `CorpusPlan` has at
    least this `validation_fraction` (`corpora.clusters`): the shape of the
    solution, names and constants apart, is in no training document, whatever
    the seeds of corpus and problems.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import itertools
import re

from codelaw import errors
from codelaw.corpora import clusters
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import reader
from codelaw.corpora.synthetic import rendering
from codelaw.evaluation import code_problems
from codelaw.evaluation import generated_tests

DATASET = 'synthetic'
_MARK = 'the body of the solution'
# Examples beyond those of the document; a problem needs some that no prompt
# shows.
_NUM_MORE_INPUTS = 10
_FEWEST_TESTS = 6
# What ends the body of a function: the line of its last brace, or in Python
# the next line that is not indented.
_STOP: Mapping[str, tuple[str, ...]] = {
  'python': tuple(
    f'\n{start}' for start in ('def ', 'class ', 'assert ', 'if ', '#', '\n\n')
  ),
  'java': ('\n    }\n',),
  'csharp': ('\n    }\n',),
  'javascript': ('\n}\n',),
  'typescript': ('\n}\n',),
  'go': ('\n}\n',),
  'rust': ('\n}\n',),
}


@dataclasses.dataclass(frozen=True)
class SyntheticProblems:
  """Generates problems that no corpus of generated programs trained on.

  Attributes:
    num_problems: of the same problems in every language.
    seed: of the problems.
    validation_fraction: at most that of the corpus that was trained on.
    max_lines: of the Python body; longer solutions are left out. None for all
      problems.
    dataset: name in scores.
  """

  num_problems: int = 100
  seed: int = 0
  validation_fraction: float = 0.1
  max_lines: int | None = None
  dataset: str = DATASET

  def __post_init__(self):
    reader.check_problems('SyntheticProblems', self.num_problems, self.seed)
    if not 0 < self.validation_fraction < 1:
      raise errors.UserError(
        'SyntheticProblems.validation_fraction must be between 0 and 1, got'
        f' {self.validation_fraction!r}.'
      )
    if self.max_lines is not None and self.max_lines < 1:
      raise errors.UserError(
        'SyntheticProblems.max_lines must be at least 1, or None for all'
        f' problems; got {self.max_lines!r}.'
      )

  def problems(
    self, languages: Sequence[str]
  ) -> Sequence[code_problems.Problem]:
    """The problems in those languages; empty: in all seven."""
    items = list(itertools.islice(self._held_out(), self.num_problems))
    return [
      dataclasses.replace(problem(item, language), dataset=self.dataset)
      for language in languages or reader.RENDERERS
      for item in items
    ]

  def _held_out(self) -> Iterator[execution.Solved]:
    for index in itertools.count():
      item = reader.solved(self.seed, index, 0)
      place = clusters.place(item.group)
      if not clusters.held_out(place, self.validation_fraction):
        continue
      if self.max_lines is not None:
        lines = _body(reader.RENDERERS['python'](), item.problem.solution)
        if len(lines) > self.max_lines:
          continue
      item = reader.solved(self.seed, index, _NUM_MORE_INPUTS)
      if len(item.inputs) >= _FEWEST_TESTS:
        yield item


def problem(item: execution.Solved, language: str) -> code_problems.Problem:
  """A problem in one of the languages of the generator."""
  renderer = reader.RENDERERS[language]()
  document = renderer.document(item.problem)
  prompt, solution = _cut(document, _body(renderer, item.problem.solution))
  tests = generated_tests.of(item, renderer, _owner(document))
  return code_problems.Problem(
    problem_id=item.origin,
    dataset=DATASET,
    language=language,
    prompt=prompt,
    before=_BEFORE.get(language, lambda text: text)(prompt),
    after=_closed(item, renderer, document) + tests,
    stop=_STOP[language],
    solution=solution,
  )


def _body(
  renderer: rendering.Renderer, function: program.Function
) -> list[str]:
  """The lines of a function's body as the renderer has them."""
  lines = renderer.function(function, '')
  remark = (program.Remark(_MARK),)
  marked = renderer.function(dataclasses.replace(function, body=remark), '')
  (place,) = (n for n, line in enumerate(marked) if _MARK in line)
  return lines[place : len(lines) - (len(marked) - place - 1)]


def _cut(document: str, body: Sequence[str]) -> tuple[str, str]:
  """A document up to the last place of `body`, and the body as it is there.

  The line break before the body belongs to the completion: the tokenizer
  joins it with the indentation.
  """
  for indent in ('', '    '):
    text = '\n' + '\n'.join(f'{indent}{line}'.rstrip() for line in body)
    start = document.rfind(f'{text}\n')
    if start >= 0:
      return document[:start], text
  raise ValueError(f'no body {body} in\n{document}')


def _closed(
  item: execution.Solved, renderer: rendering.Renderer, document: str
) -> str:
  """What ends the solution's function and the document around it."""
  match renderer.language:
    case 'python':
      return ''
    case 'java':
      lines = ['    }']
      for helper in item.problem.functions[:-1]:  # Java's documents end so.
        code = renderer.function(helper, rendering.summary(helper))
        lines += ['', *(f'    {line}'.rstrip() for line in code)]
      return '\n'.join([*lines, '}', '', ''])
    case 'csharp':
      return '    }\n}\n\n'
    case 'go':
      # Functions that Go's library lacks, and uses of all imports.
      uses = (f'var _ = {name}' for name in _GO_USES)
      return '\n'.join(['}', *go.support(_GO_SUPPORT), '', *uses, '', ''])
    case 'rust' if 'use std::collections::HashMap;' not in document:
      return '}\n\nuse std::collections::HashMap;\n\n'
  return '}\n'


def _owner(document: str) -> str:
  """The class that a document of Java or C# has its functions in."""
  match = re.search(r'^public .*\bclass (\w+)', document, re.MULTILINE)
  return match[1] if match else ''


def _java_before(prompt: str) -> str:
  # The file is called after the class that tests.
  text = prompt.replace('public final class ', 'final class ', 1)
  return f'import java.util.*;\n{text}'


def _csharp_before(prompt: str) -> str:
  names = ('System', 'System.Collections.Generic', 'System.Linq')
  return ''.join(f'using {name};\n' for name in names) + prompt


def _go_before(prompt: str) -> str:
  names = sorted({name.partition('.')[0] for name in _GO_USES})
  named = (*generated_tests.GO_IMPORTS, *(f'"{name}"' for name in names))
  imports = '\n'.join(f'\t{name}' for name in named)
  return _GO_HEAD.sub(rf'\1\nimport (\n{imports}\n)\n', prompt, count=1)


_GO_SUPPORT = 'abs( contains( floorDiv( max( min( mod('
_GO_USES = (
  'fmt.Sprintf',
  'reflect.DeepEqual',
  'sort.Ints',
  'strconv.Itoa',
  'strings.Repeat',
  'testing.Short',
  'unicode.IsDigit',
)
_GO_HEAD = re.compile(
  r'^(package \w+\n)(?:\nimport (?:\([^)]*\)|"\w+")\n)?', re.MULTILINE
)
_BEFORE: Mapping[str, Callable[[str], str]] = {
  'java': _java_before,
  'csharp': _csharp_before,
  'go': _go_before,
}
