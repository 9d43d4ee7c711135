"""The task that runs what a model writes: pass@k of sets of problems.

Completions are generated for all problems, each runs in its test program in
the sandbox, and the share that passes becomes pass@k per set and language. A
language without a toolchain on this machine is skipped, with a note that says
why; it has no score.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import dataclasses
import itertools
import os
from typing import Any
from typing import cast

from codelaw import errors
from codelaw import scores as scores_lib
from codelaw.evaluation import code_problems
from codelaw.evaluation import language_model
from codelaw.evaluation import pass_at_k
from codelaw.evaluation import program_endings
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import sandbox
from codelaw.evaluation import task as task_lib
from codelaw.evaluation import toolchains

CATEGORY = 'code'
_Source = str | code_problems.ProblemSource


@dataclasses.dataclass(frozen=True)
class Attempt:
  """One completion of a problem and what became of it."""

  problem: code_problems.Problem
  completion: str
  verdict: program_verdicts.Verdict


@dataclasses.dataclass(frozen=True)
class CodeExecution:
  """pass@k by execution, `code/<dataset>-<language>/pass@<k>`.

  Attributes:
    problems: a file of problems (`code_problems`), or `@ProblemFile()`,
      `@HubProblems()`, `@SyntheticProblems()`, or a list of those.
    languages: to judge; empty for all that the sets have.
    num_samples: completions of each problem.
    k: of pass@k, each at most `num_samples`.
    temperature: of sampling; 0 takes the most likely token always, which
      leaves one completion per problem.
    top_p: of sampling.
    max_new_tokens: of a completion.
    seed: of sampling.
    limits: of a program.
    workers: programs that run at the same time; 0 for one per core.
    unsandboxed: run programs without a sandbox where none works: they can
      then do whatever you can.
    name: of the task.
  """

  problems: _Source | Sequence[_Source]
  languages: Sequence[str] = ()
  num_samples: int = 1
  k: Sequence[int] = (1,)
  temperature: float = 0.0
  top_p: float = 1.0
  max_new_tokens: int = 512
  seed: int = 0
  limits: sandbox.Limits = sandbox.Limits()
  workers: int = 0
  unsandboxed: bool = False
  name: str = 'code'

  def __post_init__(self):
    if isinstance(self.languages, str):
      raise errors.UserError(
        'CodeExecution.languages must be a list of languages, got'
        f' {self.languages!r}.'
      )
    for language in self.languages:
      toolchains.check(language, 'CodeExecution.languages')
    if isinstance(self.k, int) or not self.k:
      raise errors.UserError(
        f'CodeExecution.k must be a list like [1, 10], got {self.k!r}.'
      )
    for k in self.k:
      pass_at_k.check(self.num_samples, k)
    if self.num_samples > 1 and self.temperature == 0:
      raise errors.UserError(
        f'CodeExecution.num_samples is {self.num_samples} at temperature 0,'
        ' where all completions of a problem are the same; set a temperature'
        ' (Chen et al. have 0.2 for pass@1 and 0.8 for pass@100).'
      )
    if self.workers < 0:
      raise errors.UserError(
        f'CodeExecution.workers must be at least 0, got {self.workers!r}.'
      )
    self._sampling(())  # for its errors
    if isinstance(self.problems, (list, tuple)):
      object.__setattr__(self, 'problems', tuple(self.problems))
    object.__setattr__(self, 'languages', tuple(self.languages))
    object.__setattr__(self, 'k', tuple(self.k))

  def check(self) -> None:
    """Raises `UserError` when the problems or a sandbox are missing."""
    sandbox.kind(self.unsandboxed)
    self._problems()

  def evaluate(
    self,
    model: language_model.LanguageModel,
    report: Callable[[str, float | None], None],
  ) -> task_lib.Result:
    """Asks the model, runs what it answers and counts what passes."""
    backend = sandbox.kind(self.unsandboxed)
    problems = self._problems()
    found, notes = self._here(problems)
    if backend == 'none':
      notes.append('Programs ran without a sandbox.')
    asked = [p for p in problems if p.language in found]
    report(f'{len(asked):,} problems, {self.num_samples} samples of each', None)
    completions = self._generate(model, asked)
    attempts = self._judge(asked, completions, report)
    return task_lib.Result(
      tuple(_scores(attempts, self.num_samples, self.k)),
      tuple(map(_sample, attempts)),
      tuple(notes),
    )

  def _problems(self) -> list[code_problems.Problem]:
    """All problems that are asked for, known to be in their formats."""
    found: list[code_problems.Problem] = []
    for given in _listed(self.problems):
      source = given
      if isinstance(source, str):
        source = code_problems.ProblemFile(source)
      if not callable(getattr(source, 'problems', None)):
        raise errors.UserError(
          'CodeExecution.problems must be files of problems or references like'
          f' @SyntheticProblems(), got {source!r}.'
        )
      new = source.problems(self.languages)
      if not new:
        raise errors.UserError(
          f'{source} has no problems in {", ".join(self.languages) or "it"};'
          ' see CodeExecution.languages.'
        )
      known = {(p.dataset, p.language) for p in found}
      for problem in new:
        if (problem.dataset, problem.language) in known:
          raise errors.UserError(
            'CodeExecution.problems has two sets called'
            f' {problem.dataset}-{problem.language}; name one of them with'
            ' `dataset`.'
          )
        program_endings.files(problem, '', '')  # for its errors
      found += new
    return found

  def _here(
    self, problems: Sequence[code_problems.Problem]
  ) -> tuple[set[str], list[str]]:
    """Languages that can be judged on this machine, and what to say of it."""
    found, notes = set(), []
    for language in dict.fromkeys(p.language for p in problems):
      try:
        tools = toolchains.toolchain(language, self.unsandboxed)
      except toolchains.Missing as reason:
        sets = dict.fromkeys(
          f'code/{p.dataset}-{language}'
          for p in problems
          if p.language == language
        )
        notes.append(f'{", ".join(sets)} skipped: {reason}.')
        continue
      found.add(language)
      if tools.note:
        notes.append(tools.note)
    return found, notes

  def _sampling(self, stop: tuple[str, ...]) -> language_model.Sampling:
    return language_model.Sampling(
      max_new_tokens=self.max_new_tokens,
      temperature=self.temperature,
      top_p=self.top_p,
      stop=stop,
      seed=self.seed,
    )

  def _generate(
    self,
    model: language_model.LanguageModel,
    problems: Sequence[code_problems.Problem],
  ) -> list[tuple[str, ...]]:
    """`num_samples` completions of each problem, in order."""
    by_stop: dict[tuple[str, ...], list[int]] = {}
    for place, problem in enumerate(problems):
      by_stop.setdefault(problem.stop, []).append(place)
    found: list[tuple[str, ...]] = [()] * len(problems)
    for stop, places in by_stop.items():
      prompts = [
        problems[place].prompt
        for place in places
        for _ in range(self.num_samples)
      ]
      texts = iter(model.generate(prompts, self._sampling(stop)))
      for place in places:
        found[place] = tuple(itertools.islice(texts, self.num_samples))
    return found

  def _judge(
    self,
    problems: Sequence[code_problems.Problem],
    completions: Sequence[Sequence[str]],
    report: Callable[[str, float | None], None],
  ) -> list[Attempt]:
    """Runs the completions; equal ones of a problem run once."""
    workers = self.workers or len(os.sched_getaffinity(0))
    with futures.ThreadPoolExecutor(workers) as pool:
      runs: dict[tuple[int, str], futures.Future] = {}
      for place, texts in enumerate(completions):
        for text in texts:
          if (place, text) not in runs:
            runs[place, text] = pool.submit(
              program_verdicts.judge,
              problems[place],
              text,
              self.limits,
              self.unsandboxed,
            )
      try:
        for done, run in enumerate(futures.as_completed(runs.values()), 1):
          run.result()
          report(f'{done:,} of {len(runs):,} programs', done / len(runs))
      except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    return [
      Attempt(problems[place], text, runs[place, text].result())
      for place, texts in enumerate(completions)
      for text in texts
    ]


def _listed(problems: _Source | Sequence[_Source]) -> Sequence[_Source]:
  if isinstance(problems, tuple):
    return problems
  return (cast(_Source, problems),)


def _scores(
  attempts: Iterable[Attempt], num_samples: int, ks: Sequence[int]
) -> Iterable[scores_lib.Score]:
  """pass@k of every set and language, over its problems."""
  passed: dict[tuple[str, str], dict[str, int]] = {}
  for attempt in attempts:
    problem = attempt.problem
    counts = passed.setdefault((problem.dataset, problem.language), {})
    counts.setdefault(problem.problem_id, 0)
    counts[problem.problem_id] += attempt.verdict.passed
  for (dataset, language), counts in passed.items():
    for k in ks:
      mean, error = pass_at_k.mean_and_standard_error(
        [pass_at_k.pass_at_k(num_samples, c, k) for c in counts.values()]
      )
      yield scores_lib.Score(
        task=f'code/{dataset}-{language}',
        metric=f'pass@{k}',
        value=mean,
        standard_error=error,
        num_items=len(counts),
        category=CATEGORY,
      )


def _sample(attempt: Attempt) -> Mapping[str, Any]:
  problem, verdict = attempt.problem, attempt.verdict
  return {
    'dataset': problem.dataset,
    'language': problem.language,
    'problem': problem.problem_id,
    'prompt': problem.prompt,
    'completion': attempt.completion,
    'outcome': verdict.outcome,
    'detail': verdict.detail,
    'seconds': round(verdict.seconds, 3),
  }
