"""Programming problems with tests, in the formats of three published sets.

A problem is a prompt and a test program with a gap for the completion. Files
hold one JSON object per line, or are Parquet; which format a row has is seen
from its fields:

  HumanEval (Chen et al., 2021, arXiv:2107.03374): `task_id, prompt,
    entry_point, test` and perhaps `canonical_solution`. The program is
    prompt + completion + test + `check(entry_point)`; completions end before
    the next statement that is not indented (the paper's stop strings).
  MBPP (Austin et al., 2021, arXiv:2108.07732): `task_id, test_list`, the
    task as `text` (or `prompt`, in the sanitized set) and perhaps `code,
    test_setup_code, test_imports`. The prompt is the paper's, without
    examples (0-shot): the task, its tests, `[BEGIN]`; the completion is a
    whole program, up to `[DONE]`.
  MultiPL-E (Cassano et al., 2022, arXiv:2208.08227): `name, language, prompt,
    tests, stop_tokens`. The program is prompt + completion + a line break +
    tests. A stop string that ends a function (`}`) is no part of the
    completion: tests of those languages begin with it. Tests of Java and C#
    hold `main` and close the class, those of Rust hold `main`, those of Go a
    test function.

Definitions owned here:
  dataset: what a set is called in scores, `code/<dataset>-<language>`.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import os
import re
from typing import Any
from typing import Protocol

from codelaw import errors
from codelaw import storage

# The paper's, section 2.1 ("stop sequences").
HUMAN_EVAL_STOP = ('\nclass', '\ndef', '\n#', '\nif', '\nprint')
# MultiPL-E's names of languages, which are extensions of files.
MULTIPLE_LANGUAGES = {
  'py': 'python',
  'java': 'java',
  'js': 'javascript',
  'ts': 'typescript',
  'cs': 'csharp',
  'go': 'go',
  'go_test.go': 'go',
  'rs': 'rust',
}
_DATASET = re.compile(r'[\w.-]+')


@dataclasses.dataclass(frozen=True)
class Problem:
  """What a model is asked, and how its answer is tested.

  Attributes:
    problem_id: unique in its set and language.
    dataset: as defined above.
    language: among `toolchains.LANGUAGES`.
    prompt: what the model continues.
    before: what stands before the completion in the test program.
    after: what stands after it, on a new line: the tests.
    stop: strings that end a completion.
    solution: a completion that is known to be right, where the set has one.
  """

  problem_id: str
  dataset: str
  language: str
  prompt: str
  before: str
  after: str
  stop: tuple[str, ...]
  solution: str | None = None

  def program(self, completion: str) -> str:
    """The test program of a completion."""
    return f'{self.before}{completion}\n{self.after}'


class ProblemSource(Protocol):
  """What `CodeExecution.problems` lists."""

  def problems(self, languages: Sequence[str]) -> Sequence[Problem]:
    """The problems in those languages; empty: in all that it has.

    Raises:
      UserError: when they cannot be had.
    """


@dataclasses.dataclass(frozen=True)
class ProblemFile:
  """Problems from a file in one of the formats above.

  Attributes:
    path: `.jsonl`, `.json` (one object per line) or `.parquet`.
    dataset: name in scores; empty for the one the format has: `humaneval`,
      `mbpp`, or for MultiPL-E `multiple-humaneval` or `multiple-mbpp`, from
      the names of its problems.
    strip_prompt: whether white space at the end of prompts goes to the
      completion. A prompt that ends in a line break is what the formats have,
      but a tokenizer that joins line breaks with the indentation after them
      never saw that in training.
  """

  path: str
  dataset: str = ''
  strip_prompt: bool = False

  def problems(self, languages: Sequence[str]) -> Sequence[Problem]:
    """The problems of the file."""
    return from_rows(
      _rows_of_file(self.path),
      self.path,
      self.dataset,
      self.strip_prompt,
      languages,
    )


@dataclasses.dataclass(frozen=True)
class HubProblems:
  """Problems from the Hugging Face hub, fetched when they are asked for.

  Attributes:
    repository: for instance `openai/openai_humaneval`,
      `google-research-datasets/mbpp` or `nuprl/MultiPL-E`.
    configuration: for instance `humaneval-rs` of MultiPL-E; empty for the
      only one.
    split: of its rows.
    dataset: as of `ProblemFile`.
    strip_prompt: as of `ProblemFile`.
  """

  repository: str
  configuration: str = ''
  split: str = 'test'
  dataset: str = ''
  strip_prompt: bool = False

  def problems(self, languages: Sequence[str]) -> Sequence[Problem]:
    """The problems of the split."""
    where = '/'.join(filter(None, (self.repository, self.configuration)))
    try:
      import datasets
    except ImportError as error:
      raise errors.UserError(
        f'{where} comes from a hub, which the package datasets reads; install'
        ' the extra `eval`, or give a file to ProblemFile.'
      ) from error
    try:
      rows = datasets.load_dataset(
        self.repository, self.configuration or None, split=self.split
      )
    except (OSError, ValueError, RuntimeError) as error:
      told = str(error).strip().splitlines()
      raise errors.UserError(
        f'{where} could not be had from the hub ({told[0] if told else error});'
        ' check its name and the network, or give a file to ProblemFile.'
      ) from error
    return from_rows(rows, where, self.dataset, self.strip_prompt, languages)


def _rows_of_file(path: str) -> Iterator[Mapping[str, Any]]:
  file = storage.path(path)
  name = os.fspath(file)
  if not file.exists():
    raise errors.UserError(
      f'There is no file of problems {name}; give JSON lines or Parquet in the'
      ' format of HumanEval, MBPP or MultiPL-E.'
    )
  if file.suffix == '.parquet':
    import pyarrow
    from pyarrow import parquet

    try:
      with file.open('rb') as stream:
        yield from parquet.read_table(stream).to_pylist()
    except pyarrow.ArrowInvalid as error:
      raise errors.UserError(f'{name} is no Parquet file: {error}') from error
    return
  try:
    lines = file.read_text().splitlines()
  except UnicodeDecodeError as error:
    raise errors.UserError(
      f'{name} is no text in UTF-8 ({error}); give JSON lines or Parquet.'
    ) from error
  for number, line in enumerate(lines, 1):
    if not line.strip():
      continue
    try:
      row = json.loads(line)
    except ValueError as error:
      raise errors.UserError(
        f'{name}:{number} is no JSON object ({error}); a file of problems has'
        ' one per line.'
      ) from error
    if not isinstance(row, dict):
      raise errors.UserError(
        f'{name}:{number} is no JSON object but {type(row).__name__}; a file of'
        ' problems has one per line.'
      )
    yield row


def from_rows(
  rows: Iterable[Mapping[str, Any]],
  where: str,
  dataset: str = '',
  strip_prompt: bool = False,
  languages: Sequence[str] = (),
) -> list[Problem]:
  """Problems from rows in one of the formats above.

  Args:
    rows: of one format.
    where: they come from, for errors.
    dataset: as of `ProblemFile`.
    strip_prompt: as of `ProblemFile`.
    languages: to keep; empty for all.

  Raises:
    UserError: when a row has no known format or an unusable value.
  """
  if dataset and not _DATASET.fullmatch(dataset):
    raise errors.UserError(
      f'A dataset is named with letters, digits, "-", "_" and ".", got'
      f' {dataset!r}.'
    )
  found: list[Problem] = []
  for number, row in enumerate(rows, 1):
    place = f'{where}, problem {number}'
    problem = _problem(row, place)
    if dataset:
      problem = dataclasses.replace(problem, dataset=dataset)
    if strip_prompt:
      problem = _stripped(problem)
    if not languages or problem.language in languages:
      found.append(problem)
  seen: set[tuple[str, str, str]] = set()
  for problem in found:
    key = (problem.dataset, problem.language, problem.problem_id)
    if key in seen:
      raise errors.UserError(
        f'{where} has two problems {problem.problem_id} in {problem.language}.'
      )
    seen.add(key)
  return found


def _problem(row: Mapping[str, Any], place: str) -> Problem:
  fields = row.keys()
  if fields >= {'name', 'language', 'prompt', 'tests', 'stop_tokens'}:
    return _multiple(row, place)
  if fields >= {'task_id', 'prompt', 'entry_point', 'test'}:
    return _human_eval(row, place)
  if fields >= {'task_id', 'test_list'} and fields & {'text', 'prompt'}:
    return _mbpp(row, place)
  raise errors.UserError(
    f'{place} has the fields {", ".join(sorted(fields)) or "(none)"}, which are'
    ' not those of HumanEval (task_id, prompt, entry_point, test), MBPP'
    ' (task_id, text, test_list) or MultiPL-E (name, language, prompt, tests,'
    ' stop_tokens).'
  )


def _human_eval(row: Mapping[str, Any], place: str) -> Problem:
  prompt, entry = _text(row, 'prompt', place), _text(row, 'entry_point', place)
  return Problem(
    str(row['task_id']),
    'humaneval',
    'python',
    prompt,
    prompt,
    f'{_text(row, "test", place)}\ncheck({entry})\n',
    HUMAN_EVAL_STOP,
    row.get('canonical_solution'),
  )


def _mbpp(row: Mapping[str, Any], place: str) -> Problem:
  task = _text(row, 'text' if 'text' in row else 'prompt', place)
  tests = _texts(row, 'test_list', place)
  # Some rows have the line ends of another system.
  code = row.get('code')
  setup = row.get('test_setup_code') or ''
  after = [*(row.get('test_imports') or ()), setup, *tests]
  listed = '\n'.join(tests)
  return Problem(
    str(row['task_id']),
    'mbpp',
    'python',
    'You are an expert Python programmer, and here is your task:'
    f' {task} Your code should pass these tests:\n\n{listed}\n[BEGIN]\n',
    '',
    '\n'.join(filter(None, after)).replace('\r\n', '\n') + '\n',
    ('[DONE]',),
    code.replace('\r\n', '\n') if code else None,
  )


def _multiple(row: Mapping[str, Any], place: str) -> Problem:
  name, prompt = _text(row, 'name', place), _text(row, 'prompt', place)
  label = _text(row, 'language', place)
  if label not in MULTIPLE_LANGUAGES:
    raise errors.UserError(
      f'{place} is in the language {label!r}; programs are judged in'
      f' {", ".join(MULTIPLE_LANGUAGES)}.'
    )
  origin = name.partition('_')[0].lower()
  return Problem(
    name,
    f'multiple-{origin}' if _DATASET.fullmatch(origin) else 'multiple',
    MULTIPLE_LANGUAGES[label],
    prompt,
    prompt,
    _text(row, 'tests', place),
    _texts(row, 'stop_tokens', place),
  )


def _text(row: Mapping[str, Any], name: str, place: str) -> str:
  if not isinstance(row[name], str) or not row[name]:
    raise errors.UserError(
      f'{place}: {name} must be a text that is not empty, got {row[name]!r}.'
    )
  return row[name]


def _texts(row: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
  value = row[name]
  if (
    not isinstance(value, Sequence)
    or isinstance(value, str)
    or not all(isinstance(part, str) and part for part in value)
  ):
    raise errors.UserError(
      f'{place}: {name} must be a list of texts that are not empty, got'
      f' {value!r}.'
    )
  return tuple(value)


def _stripped(problem: Problem) -> Problem:
  """The same problem with the prompt's last white space in the completion."""
  prompt = problem.prompt.rstrip()
  space = problem.prompt[len(prompt) :]
  if not problem.before.endswith(space):
    # The completion is a program of its own: white space begins it anyway.
    return dataclasses.replace(problem, prompt=prompt)
  solution = problem.solution
  return dataclasses.replace(
    problem,
    prompt=prompt,
    before=problem.before[: len(problem.before) - len(space)],
    solution=None if solution is None else space + solution,
  )
