"""Documents from generated programs, the same problems in every form.

`SyntheticPrograms` draws a problem, runs its Python solution to make the
examples, and renders the same tree into each language; pages, commits and
threads are made from the same problems. A problem is kept
only if the solution stays within 32-bit integers on all its inputs and does
not always give the same answer.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import itertools
import random
from typing import Any

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.corpora import documents
from codelaw.corpora import languages
from codelaw.corpora import reading
from codelaw.corpora.synthetic import codes
from codelaw.corpora.synthetic import commits
from codelaw.corpora.synthetic import csharp
from codelaw.corpora.synthetic import divisibility
from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import graphs
from codelaw.corpora.synthetic import grids
from codelaw.corpora.synthetic import java
from codelaw.corpora.synthetic import javascript
from codelaw.corpora.synthetic import lists
from codelaw.corpora.synthetic import machines
from codelaw.corpora.synthetic import markup
from codelaw.corpora.synthetic import notebooks
from codelaw.corpora.synthetic import numbers
from codelaw.corpora.synthetic import numerals
from codelaw.corpora.synthetic import parsing
from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import positions
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import python
from codelaw.corpora.synthetic import questions
from codelaw.corpora.synthetic import recursion
from codelaw.corpora.synthetic import rendering
from codelaw.corpora.synthetic import rust
from codelaw.corpora.synthetic import searching
from codelaw.corpora.synthetic import simulations
from codelaw.corpora.synthetic import stacks
from codelaw.corpora.synthetic import stretches
from codelaw.corpora.synthetic import tables
from codelaw.corpora.synthetic import texts
from codelaw.corpora.synthetic import typescript
from codelaw.corpora.synthetic import wording

FAMILIES = (
  *lists.FAMILIES,
  *positions.FAMILIES,
  *numbers.FAMILIES,
  *divisibility.FAMILIES,
  *texts.FAMILIES,
  *parsing.FAMILIES,
  *codes.FAMILIES,
  *numerals.FAMILIES,
  *stacks.FAMILIES,
  *wording.FAMILIES,
  *searching.FAMILIES,
  *stretches.FAMILIES,
  *grids.FAMILIES,
  *tables.FAMILIES,
  *graphs.FAMILIES,
  *recursion.FAMILIES,
  *simulations.FAMILIES,
  *machines.FAMILIES,
)
RENDERERS = {
  kind.language: kind
  for kind in (
    python.PythonRenderer,
    javascript.JavaScriptRenderer,
    java.JavaRenderer,
    typescript.TypeScriptRenderer,
    csharp.CSharpRenderer,
    go.GoRenderer,
    rust.RustRenderer,
  )
}
KINDS = ('programs', 'markup', 'commits', 'questions', 'notebooks')
LICENSE = 'CC0-1.0'
_NUM_INPUTS = 6
_PROBLEMS_PER_PART = 100
_NUM_STYLES = 3


@dataclasses.dataclass(frozen=True)
class SyntheticPrograms:
  """Generates small problems, and documents about them.

  Problem number i depends on the seed and i alone, so more problems extend
  a corpus without changing what it has. All documents of a problem, and of
  all problems with solutions of one shape (names and constants apart),
  share a split.

  Attributes:
    num_problems: documents per source, at the most.
    languages: of the programs, among `RENDERERS`, and of the code in all
      other documents.
    seed: of the problems.
    kinds: among `KINDS`: `programs` (sources `synthetic/<language>`, all with
      the same problems), `markup`, `commits`, `questions` and `notebooks`
      (sources `synthetic/<kind>`).
    renamed: name of a source as above -> the name it has in the corpus, like
      `{'synthetic/java': 'code/java'}`. Sources of one name become one; where
      two readers fill one corpus, different seeds keep their problems apart.
  """

  num_problems: int
  languages: Sequence[str] = ('python', 'javascript', 'java')
  seed: int = 0
  kinds: Sequence[str] = ('programs',)
  renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    check_problems(type(self).__name__, self.num_problems, self.seed)
    for field, known in (('languages', RENDERERS), ('kinds', KINDS)):
      check_choices(f'SyntheticPrograms.{field}', getattr(self, field), known)
    known_names = list(map(_default_source, self._contents()))
    for default, name in self.renamed.items():
      records.check_source_name(name)
      if default not in known_names:
        raise errors.UserError(
          f'SyntheticPrograms.renamed names {default!r}; the sources are'
          f' {", ".join(known_names)}.'
        )

  def source_names(self) -> tuple[str, ...]:
    """A source per language of programs, and per other kind, as renamed."""
    return tuple(dict.fromkeys(map(self._source, self._contents())))

  def _contents(self) -> tuple[str, ...]:
    """The languages of programs, and the other kinds."""
    names: list[str] = []
    for kind in self.kinds:
      names += self.languages if kind == 'programs' else [kind]
    return tuple(names)

  def _source(self, name: str) -> str:
    default = _default_source(name)
    return self.renamed.get(default, default)

  def parts(self, max_bytes_per_source: int) -> Iterator[range]:
    """Groups of problem numbers."""
    del max_bytes_per_source  # Problems are made one by one.
    return problem_parts(self.num_problems)

  def read(
    self, part: range, is_full: reading.IsFull
  ) -> Iterator[reading.Item]:
    """The documents of a group of problems, of all kinds."""
    for index in part:
      wanted = [
        name for name in self._contents() if not is_full(self._source(name))
      ]
      if not wanted:
        return
      if set(wanted) <= set(self.languages):
        item = solved(self.seed, index, 0)
      else:
        item = solved(self.seed, index)
      for name in wanted:
        text, language = self._document(name, item)
        yield documents.RawDocument(
          text=text,
          source=self._source(name),
          language=languages.from_label(language) or language,
          origin=item.origin,
          license=LICENSE,
          group=item.group,
        )

  def _document(self, name: str, item: execution.Solved) -> tuple[str, str]:
    """The text of a language's program or of a kind, and its language."""
    if name in RENDERERS:
      return RENDERERS[name]().document(item.problem), name
    renderers = {language: RENDERERS[language]() for language in self.languages}
    rng = random.Random(f'{item.origin}:{name}')
    if name == 'markup':
      return markup.page(item, renderers, rng)
    if name == 'questions':
      return questions.thread(item, renderers, rng), 'markdown'
    if name == 'notebooks':
      return notebooks.notebook(item, renderers, rng)
    change = commits.commit(item, renderers, rng)
    return change.text, change.language


def _default_source(name: str) -> str:
  return f'synthetic/{name}'


def check_problems(where: str, num_problems: Any, seed: Any) -> None:
  """Raises `UserError` unless problems can be drawn like this."""
  if not isinstance(num_problems, int) or num_problems < 1:
    raise errors.UserError(
      f'{where}.num_problems must be a whole number of at least 1, got'
      f' {num_problems!r}.'
    )
  if not isinstance(seed, int):
    raise errors.UserError(
      f'{where}.seed must be a whole number, got {seed!r}.'
    )


def check_choices(
  where: str, chosen: Sequence[str], known: Iterable[str]
) -> None:
  """Raises `UserError` unless `chosen` lists some of `known`, none twice."""
  if isinstance(chosen, str) or not chosen:
    raise errors.UserError(
      f'{where} must be a list with some of {", ".join(known)}; got {chosen!r}.'
    )
  for name in chosen:
    if name not in known:
      raise errors.UserError(
        f'{where} names {name!r}; known are {", ".join(known)}.'
      )
  if len(set(chosen)) < len(chosen):
    raise errors.UserError(f'{where} names one of {list(chosen)!r} twice.')


def problem_parts(num_problems: int) -> Iterator[range]:
  """Groups of problem numbers, each a part of a reader's work."""
  for start in range(0, num_problems, _PROBLEMS_PER_PART):
    yield range(start, min(start + _PROBLEMS_PER_PART, num_problems))


def problem(seed: int, index: int) -> rendering.Problem:
  """Problem `index` of a seed, the same on every machine."""
  return _drawn(seed, index)[1]


def solved(
  seed: int, index: int, num_more_inputs: int = 10
) -> execution.Solved:
  """The same problem with more verified inputs, as many as can be found."""
  draft, item = _drawn(seed, index)
  rng = random.Random(f'{seed}:{index}:inputs')
  inputs = list(item.examples)
  run = execution.runner(item.functions) if num_more_inputs else None
  known = {repr(example.arguments) for example in inputs}
  for _ in range(num_more_inputs):
    arguments = draft.draw(rng)
    if run is None or repr(arguments) in known:
      continue
    known.add(repr(arguments))
    try:
      inputs.append(rendering.Example(arguments, run(arguments)))
    except execution.Refused:
      continue
  return execution.Solved(
    problem=item,
    inputs=tuple(inputs),
    group=storage.fingerprint(program.skeleton(item.functions)),
    origin=f'synthetic/{seed}/{index:06d}',
  )


def _drawn(seed: int, index: int) -> tuple[phrases.Draft, rendering.Problem]:
  for attempt in itertools.count():
    rng = random.Random(f'{seed}:{index}:{attempt}')
    draft = rng.choice(FAMILIES)(rng)
    examples = _examples(draft, rng)
    if examples:
      return draft, rendering.Problem(
        draft.statement, draft.functions, examples, rng.randrange(_NUM_STYLES)
      )
  raise AssertionError('itertools.count() does not end')


def _examples(
  draft: phrases.Draft, rng: random.Random
) -> tuple[rendering.Example, ...]:
  """Two to four verified examples; none if the problem is to be dropped."""
  solve = python.compile_functions(draft.functions, checked=False)
  check = python.compile_functions(draft.functions, checked=True)
  examples = []
  for _ in range(_NUM_INPUTS):
    arguments = draft.draw(rng)
    try:
      expected = check(*arguments)
    except OverflowError:
      return ()
    result = solve(*arguments)
    if result != expected:
      raise RuntimeError(
        f'{draft.functions[-1].name}{arguments} gave {result!r}, its checked'
        f' form {expected!r}'
      )
    examples.append(rendering.Example(arguments, result))
  # Different answers first, so that examples tell something.
  seen: dict[str, rendering.Example] = {}
  for example in examples:
    seen.setdefault(repr(example.result), example)
  if len(seen) < 2:
    return ()
  return tuple(list(seen.values())[: rng.randint(2, 4)])
