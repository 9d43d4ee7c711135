"""Translation between programming languages, as in the paper on scaling laws.

The paper (A of DESIGN.md) asks models of code for the translation of 50
programs in all 42 directions between seven languages, 12 of which (Python to
and from the others) were trained on and 30 were not. Its prompt and its
measure of words are not given; ours are `corpora/pairing.py`, the form that
the training pairs have, and `bleu.py`.

Asked of every program and direction (`translation_questions`): the likelihood
of the reference, and a translation that the model writes. Scores are defined
in `translation_scores`, test sets in `translation_sets`.

Translations of generated programs can be run on the inputs of their problems
(`translation_programs`), in the sandbox; it takes seconds per program where a
compiler has to start, so `execution` is not among the default metrics. A
language without tools on this machine is skipped and named in the notes.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import itertools
import re
from typing import Any

from codelaw import errors
from codelaw import scores as scores_lib
from codelaw.corpora import pairing as pairing_lib
from codelaw.evaluation import bleu as bleu_lib
from codelaw.evaluation import language_model
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import sandbox
from codelaw.evaluation import task
from codelaw.evaluation import translation_programs
from codelaw.evaluation import translation_questions
from codelaw.evaluation import translation_scores
from codelaw.evaluation import translation_sets

METRICS = ('nats_per_token', 'bleu', 'execution')
_LABEL = re.compile(r'[a-z0-9_]+')


@dataclasses.dataclass(frozen=True)
class Translation:
  """Scores of every direction, and averages over those seen and unseen.

  Scores are `translation/<from>-<to>/<metric>` and
  `translation/{seen,unseen,all}/<metric>`, defined in `translation_scores`;
  with a label the metric is `<metric>@<label>`.

  Attributes:
    test_set: `@SyntheticParallel()` or `@ParallelTestSet()`.
    pairing: how the pairs of the training data were written: its directions
      are the seen ones, its strategy, prompt and separator make the prefix.
      Models of shuffled programs are asked as those of `direct` pairs are.
    directions: to evaluate, like `python-java`; () stands for all between
      the languages of the test set.
    metrics: among `METRICS`.
    label: of this way to ask, where models are asked in several, like
      `prompt`: it ends the name of the task and of its metrics.
    sampling: of the translations. A program and its translation of
      `max_new_tokens` must fit the model's context, or the program loses its
      beginning.
    bleu_tokenizer: one of `bleu.TOKENIZERS`.
    max_program_bytes: items with a longer program in any language are left
      out; 0 keeps all.
    limits: of a program that is run.
    workers: programs that run at the same time; 0 for one per core.
    unsandboxed: run programs without a sandbox where none works: they can
      then do whatever you can.
  """

  test_set: translation_sets.AlignedPrograms = (
    translation_sets.SyntheticParallel()
  )
  pairing: pairing_lib.Pairing = pairing_lib.Pairing()
  directions: Sequence[str] = ()
  metrics: Sequence[str] = ('nats_per_token', 'bleu')
  sampling: language_model.Sampling = language_model.Sampling(
    max_new_tokens=768
  )
  label: str = ''
  bleu_tokenizer: str = bleu_lib.CODE
  max_program_bytes: int = 0
  limits: sandbox.Limits = sandbox.Limits()
  # Not part of what is asked: the scores are the same.
  workers: int = dataclasses.field(default=0, compare=False)
  unsandboxed: bool = False

  def __post_init__(self):
    if not callable(getattr(self.test_set, 'items', None)):
      raise errors.UserError(
        'Translation.test_set must be a reference like @SyntheticParallel() or'
        f' @ParallelTestSet(), got {self.test_set!r}.'
      )
    if not isinstance(self.pairing, pairing_lib.Pairing):
      raise errors.UserError(
        f'Translation.pairing must be @Pairing(), got {self.pairing!r}.'
      )
    for name in ('directions', 'metrics'):
      given = getattr(self, name)
      if isinstance(given, str):
        raise errors.UserError(
          f'Translation.{name} must be a list, got {given!r}.'
        )
      if len(set(given)) < len(given):
        raise errors.UserError(
          f'Translation.{name} names one of {list(given)!r} twice.'
        )
      object.__setattr__(self, name, tuple(given))
    if self.label and not _LABEL.fullmatch(self.label):
      raise errors.UserError(
        'Translation.label must be lower-case letters, digits and _, got'
        f' {self.label!r}.'
      )
    unknown = sorted(set(self.metrics) - set(METRICS))
    if unknown or not self.metrics:
      raise errors.UserError(
        f'Translation.metrics must be some of {", ".join(METRICS)}; got'
        f' {list(self.metrics)!r}.'
      )
    if self.bleu_tokenizer not in bleu_lib.TOKENIZERS:
      raise errors.UserError(
        'Translation.bleu_tokenizer must be one of'
        f' {", ".join(bleu_lib.TOKENIZERS)}; got {self.bleu_tokenizer!r}.'
      )
    if self.workers < 0:
      raise errors.UserError(
        f'Translation.workers must be at least 0, got {self.workers!r}.'
      )
    known = self.test_set.languages()
    every = set(map('-'.join, itertools.permutations(known, 2)))
    for direction in self.directions:
      if direction not in every:
        raise errors.UserError(
          f'Translation.directions names {direction!r}; the test set has'
          f' {", ".join(known)}, and a direction is two of them like'
          f' {known[0]}-{known[-1]}.'
        )

  @property
  def name(self) -> str:
    """Of the file of samples."""
    return '_'.join(filter(None, (translation_scores.CATEGORY, self.label)))

  def all_directions(self) -> tuple[str, ...]:
    """Those that are evaluated."""
    return tuple(self.directions) or tuple(
      map('-'.join, itertools.permutations(self.test_set.languages(), 2))
    )

  def check(self) -> None:
    """Raises `UserError` where the test set or what metrics need is missing."""
    self._items()
    for name in self.metrics:
      self._measure(name)
    if 'execution' in self.metrics:
      sandbox.kind(self.unsandboxed)

  def evaluate(
    self,
    model: language_model.LanguageModel,
    report: Callable[[str, float | None], None],
  ) -> task.Result:
    """Asks the model for every direction.

    Args:
      model: to evaluate.
      report: as of `Task`.

    Raises:
      UserError: when the test set cannot be read or is empty, a reference is
        longer than the model's context, or sacrebleu or a sandbox is missing.
    """
    items = self._items()
    directions = self.all_directions()
    measures = [self._measure(name) for name in self.metrics]
    answers: list[list[_Answer | None]] = []
    for place, direction in enumerate(directions):
      report(f'translation {direction}', place / len(directions))
      answers.append(self._answers(model, direction, items))
    scores: list[scores_lib.Score] = []
    for measure in measures:
      counts = [
        [None if one is None else measure.counts(one) for one in row]
        for row in answers
      ]
      scores += translation_scores.of(
        measure.metric, directions, counts, self.pairing.directions
      )
    return task.Result(
      scores,
      samples=[self._sample(one) for row in answers for one in row if one],
      notes=[
        *(note for measure in measures for note in measure.notes),
        *self._notes(items, directions, answers),
      ],
    )

  def _items(self) -> list[translation_sets.Item]:
    items = [
      item
      for item in self.test_set.items()
      if not self.max_program_bytes
      or max(len(text.encode()) for text in item.programs.values())
      <= self.max_program_bytes
    ]
    if not items:
      raise errors.UserError(
        'The test set of Translation has no program in two languages'
        + (
          f' of at most {self.max_program_bytes} bytes'
          if self.max_program_bytes
          else ''
        )
        + '.'
      )
    return items

  def _measure(self, name: str) -> '_Measure':
    """How a metric is taken.

    Raises:
      UserError: when a package that it needs is missing.
    """
    called = '@'.join(filter(None, (name, self.label)))
    if name == 'nats_per_token':
      metric = translation_scores.Metric(
        called, 2, translation_scores.share, higher_is_better=False
      )
      return _Measure(metric, _nats)
    if name == 'execution':
      metric = translation_scores.Metric(called, 2, translation_scores.share)
      return _Measure(metric, _passed)
    bleu = bleu_lib.Bleu(self.bleu_tokenizer)
    return _Measure(
      translation_scores.Metric(called, bleu_lib.NUM_COUNTS, bleu.value),
      lambda answer: bleu.counts(answer.translation, answer.question.reference),
      (f'BLEU is 0 to 100: {bleu.signature}.',),
    )

  def _answers(
    self,
    model: language_model.LanguageModel,
    direction: str,
    items: Sequence[translation_sets.Item],
  ) -> list['_Answer | None']:
    """Of every item; None for those that lack a language."""
    _, target = direction.split('-')
    questions = [
      translation_questions.of(self.pairing, direction, item) for item in items
    ]
    asked = [question for question in questions if question]
    likelihoods: list[Any] = [None] * len(asked)
    translations = [''] * len(asked)
    if asked and 'nats_per_token' in self.metrics:
      likelihoods = translation_questions.likelihoods(model, asked)
    if asked and self._generates:
      translations = translation_questions.translations(
        model, asked, self.sampling, self.pairing
      )
    verdicts: Sequence[program_verdicts.Verdict | None] = [None] * len(asked)
    if 'execution' in self.metrics:
      verdicts = self._runner().verdicts(
        target, [question.item.solved for question in asked], translations
      )
    answers = iter(
      _Answer(*parts)
      for parts in zip(asked, likelihoods, translations, verdicts, strict=True)
    )
    return [next(answers) if question else None for question in questions]

  def _runner(self) -> translation_programs.Runner:
    return translation_programs.Runner(
      self.limits, self.workers, self.unsandboxed
    )

  @property
  def _generates(self) -> bool:
    return set(self.metrics) != {'nats_per_token'}

  def _sample(self, answer: '_Answer') -> Mapping[str, Any]:
    question, likelihood = answer.question, answer.likelihood
    shown = {
      'direction': question.direction,
      'is_seen': question.direction in self.pairing.directions,
      'item': question.item.name,
      'prefix': question.prefix,
      'reference': question.reference,
    }
    if likelihood is not None:
      shown |= {'nats': likelihood.nats, 'num_tokens': likelihood.num_tokens}
    if self._generates:
      shown['translation'] = answer.translation
    if answer.verdict is not None:
      shown |= {
        'outcome': answer.verdict.outcome,
        'detail': answer.verdict.detail,
      }
    return shown

  def _notes(
    self,
    items: Sequence[translation_sets.Item],
    directions: Sequence[str],
    answers: Sequence[Sequence['_Answer | None']],
  ) -> Iterator[str]:
    seen = [name for name in directions if name in self.pairing.directions]
    yield (
      f'{len(items)} programs in {len(directions)} directions, {len(seen)} of'
      f' them seen: {", ".join(seen) or "none"}.'
    )
    missing = [
      name
      for name, row in zip(directions, answers, strict=True)
      if not any(row)
    ]
    if missing:
      yield f'No program has both languages of {", ".join(missing)}: skipped.'
    if 'execution' not in self.metrics:
      return
    if any(item.solved for item in items):
      targets = dict.fromkeys(name.split('-')[1] for name in directions)
      yield from self._runner().notes(tuple(targets))
    else:
      yield 'The programs of the test set have no tests: none was run.'


@dataclasses.dataclass(frozen=True)
class _Answer:
  question: translation_questions.Question
  likelihood: language_model.Likelihood | None
  translation: str
  verdict: program_verdicts.Verdict | None


@dataclasses.dataclass(frozen=True)
class _Measure:
  metric: translation_scores.Metric
  counts: Callable[[_Answer], Sequence[float] | None]
  notes: tuple[str, ...] = ()


def _nats(answer: _Answer) -> tuple[float, float]:
  assert answer.likelihood is not None  # It was asked for.
  return -answer.likelihood.nats, answer.likelihood.num_tokens


def _passed(answer: _Answer) -> tuple[float, float] | None:
  if answer.verdict is None:
    return None
  return float(answer.verdict.passed), 1.0
