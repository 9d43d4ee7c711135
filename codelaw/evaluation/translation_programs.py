"""Runs translations of generated programs in their test programs.

A translation is right when its solution passes the tests of the generated
problem (`generated_tests`). It is a whole file, so its test program is the
file with the tests after it. What must change in the file for that:

  Java: the class is not public, since the file is not called after it.
  C#, Rust: the entry point gets another name; the tests have their own.
  Go: the line that names the package comes before, with the tests' imports.

A translation may call its class (Java, C#) as it likes, and may export its
function or not (Go); the solution itself must have the name that the language
gives to the source's name (`renderer.name`). What the file says of its own
examples (assertions, tests) must hold as well.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import dataclasses
import os
import re

from codelaw.corpora.synthetic import execution
from codelaw.corpora.synthetic import go
from codelaw.corpora.synthetic import reader
from codelaw.corpora.synthetic import rendering
from codelaw.evaluation import code_problems
from codelaw.evaluation import generated_tests
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import sandbox
from codelaw.evaluation import toolchains

_DATASET = 'translation'
_CLASS = re.compile(r'^[ \t]*(?:\w+[ \t]+)*class[ \t]+(\w+)', re.MULTILINE)
_PUBLIC_CLASS = re.compile(r'\bpublic\s+(?=(?:\w+\s+)*class\b)')
_CSHARP_MAIN = re.compile(r'\bMain\s*(?=\()')
_RUST_MAIN = re.compile(r'\bfn\s+main\s*(?=\()')
_GO_PACKAGE = re.compile(r'^package[ \t]+\w+[ \t]*$', re.MULTILINE)
_GO_BEFORE = '\n'.join(
  [
    'package solution\n',
    'import (',
    *(f'\t{name}' for name in generated_tests.GO_IMPORTS),
    ')\n',
  ]
)
_USING = (
  'using System;\nusing System.Collections.Generic;\nusing System.Linq;\n'
)


@dataclasses.dataclass(frozen=True)
class Runner:
  """How translations are run, in the sandbox.

  Attributes:
    limits: of a program.
    workers: programs that run at the same time; 0 for one per core.
    unsandboxed: run them without a sandbox where none works.
  """

  limits: sandbox.Limits
  workers: int
  unsandboxed: bool

  def verdicts(
    self,
    language: str,
    solved: Sequence[execution.Solved | None],
    translations: Sequence[str],
  ) -> list[program_verdicts.Verdict | None]:
    """What became of translations into a language.

    None for those without a problem, and for all where this machine has no
    tools of the language.

    Raises:
      UserError: when no sandbox works.
    """
    if not any(solved) or toolchains.available(language, self.unsandboxed):
      return [None] * len(solved)

    def judged(
      item: execution.Solved | None, text: str
    ) -> program_verdicts.Verdict | None:
      if item is None:
        return None
      return program_verdicts.judge(
        *test_program(item, language, text), self.limits, self.unsandboxed
      )

    workers = self.workers or len(os.sched_getaffinity(0))
    with futures.ThreadPoolExecutor(workers) as pool:
      return list(pool.map(judged, solved, translations))

  def notes(self, languages: Sequence[str]) -> Iterator[str]:
    """What a reader of the scores must know of this machine."""
    if sandbox.kind(self.unsandboxed) == 'none':
      yield 'Programs ran without a sandbox.'
    for language in languages:
      try:
        tools = toolchains.toolchain(language, self.unsandboxed)
      except toolchains.Missing as reason:
        yield f'Translations into {language} were not run: {reason}.'
        continue
      if tools.note:
        yield tools.note


def test_program(
  solved: execution.Solved, language: str, translation: str
) -> tuple[code_problems.Problem, str]:
  """What `program_verdicts.judge` takes.

  Args:
    solved: the problem behind the program that was translated.
    language: that it was translated into.
    translation: as the model wrote it.

  Returns:
    A problem whose completion is a whole file, and that file.
  """
  before, adapt = _ADAPTED.get(language, ('', str))
  text = adapt(translation)
  renderer = reader.RENDERERS[language]()
  owner = _CLASS.search(text)
  if isinstance(renderer, go.GoRenderer):
    name = solved.problem.solution.name
    if re.search(rf'\bfunc {rendering.pascal_case(name)}\(', text):
      renderer.exported = name
  problem = code_problems.Problem(
    problem_id=solved.origin,
    dataset=_DATASET,
    language=language,
    prompt='',
    before=before,
    after=generated_tests.of(solved, renderer, owner[1] if owner else ''),
    stop=(),
  )
  return problem, text


test_program.__test__ = False  # type: ignore[attr-defined] # no test of pytest


def _not_public(text: str) -> str:
  return _PUBLIC_CLASS.sub('', text)


def _without_csharp_main(text: str) -> str:
  return _CSHARP_MAIN.sub('TranslatedMain', text)


def _without_go_package(text: str) -> str:
  return _GO_PACKAGE.sub('', text, count=1)


def _without_rust_main(text: str) -> str:
  return _RUST_MAIN.sub('fn translated_main', text)


# Language -> (text before the translation, what becomes of the translation).
_ADAPTED: Mapping[str, tuple[str, Callable[[str], str]]] = {
  'java': ('import java.util.*;\n', _not_public),
  'csharp': (_USING, _without_csharp_main),
  'go': (_GO_BEFORE, _without_go_package),
  'rust': ('', _without_rust_main),
}
