"""Documents from generated programs, the same problems in every language.

`SyntheticPrograms` draws a problem, runs its Python solution to make the
examples, and renders the same tree into each language. A problem is kept
only if the solution stays within 32-bit integers on all its inputs and does
not always give the same answer.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import itertools
import random

from codelaw import errors
from codelaw import storage
from codelaw.corpora import documents
from codelaw.corpora.synthetic import codes
from codelaw.corpora.synthetic import csharp
from codelaw.corpora.synthetic import divisibility
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import graphs
from codelaw.corpora.synthetic import grids
from codelaw.corpora.synthetic import java
from codelaw.corpora.synthetic import javascript
from codelaw.corpora.synthetic import lists
from codelaw.corpora.synthetic import machines
from codelaw.corpora.synthetic import numbers
from codelaw.corpora.synthetic import numerals
from codelaw.corpora.synthetic import parsing
from codelaw.corpora.synthetic import phrases
from codelaw.corpora.synthetic import positions
from codelaw.corpora.synthetic import program
from codelaw.corpora.synthetic import python
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
_NUM_INPUTS = 6
_NUM_STYLES = 3


@dataclasses.dataclass(frozen=True)
class SyntheticPrograms:
  """Generates small problems with solutions in several languages.

  Problem number i depends on the seed and i alone, so more problems extend
  a corpus without changing what it has. All languages hold the same
  problems, under the sources `synthetic/<language>`. Programs of one shape
  (names and constants apart) share a split, in all languages.

  Attributes:
    num_problems: documents per language, at the most.
    languages: among python, javascript and java.
    seed: of the problems.
  """

  num_problems: int
  languages: Sequence[str] = ('python', 'javascript', 'java')
  seed: int = 0

  def __post_init__(self):
    if not isinstance(self.num_problems, int) or self.num_problems < 1:
      raise errors.UserError(
        'SyntheticPrograms.num_problems must be a whole number of at least'
        f' 1, got {self.num_problems!r}.'
      )
    if isinstance(self.languages, str) or not self.languages:
      raise errors.UserError(
        'SyntheticPrograms.languages must be a list of languages, got'
        f' {self.languages!r}.'
      )
    for language in self.languages:
      if language not in RENDERERS:
        raise errors.UserError(
          f'SyntheticPrograms.languages names {language!r}; known are'
          f' {", ".join(RENDERERS)}.'
        )

  def streams(
    self, max_bytes_per_source: int
  ) -> Mapping[str, Iterator[documents.RawDocument]]:
    """Source -> its documents, made when they are asked for."""
    del max_bytes_per_source  # Problems are made one by one.
    return {
      f'synthetic/{language}': self._documents(language)
      for language in self.languages
    }

  def _documents(self, language: str) -> Iterator[documents.RawDocument]:
    for index in range(self.num_problems):
      texts_by_language, group = _rendered(self.seed, index)
      yield documents.RawDocument(
        text=texts_by_language[language],
        source=f'synthetic/{language}',
        language=language,
        origin=f'synthetic/{self.seed}/{index:06d}',
        license='CC0-1.0',
        group=group,
      )


# The languages are read one after the other; the cache saves drawing and
# running the same problems again for each. It holds about 4 kB a problem.
@functools.lru_cache(maxsize=8192)
def _rendered(seed: int, index: int) -> tuple[Mapping[str, str], str]:
  """Documents of a problem by language, and the group they share."""
  item = problem(seed, index)
  documents_ = {
    language: kind().document(item) for language, kind in RENDERERS.items()
  }
  return documents_, storage.fingerprint(program.skeleton(item.functions))


def problem(seed: int, index: int) -> rendering.Problem:
  """Problem `index` of a seed, the same on every machine."""
  for attempt in itertools.count():
    rng = random.Random(f'{seed}:{index}:{attempt}')
    draft = rng.choice(FAMILIES)(rng)
    examples = _examples(draft, rng)
    if examples:
      return rendering.Problem(
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
