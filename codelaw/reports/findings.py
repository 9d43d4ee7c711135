"""What a study found, in plain words: the answer first, then the doubts.

Owns the recommendation: measured evidence outranks prediction, and where
neither tells the mixtures apart, that is the answer.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import re

from codelaw.laws import results
from codelaw.laws import synergy as synergy_lib
from codelaw.laws import synergy_patterns
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import caution
from codelaw.planning import confirmation as confirmation_lib
from codelaw.planning import mixture_gin
from codelaw.reports import figures
from codelaw.reports import predictions
from codelaw.reports import study_folder

_NUMBER = re.compile(r'[-+]?\d[\d.,]*(e[-+]?\d+)?')


@dataclasses.dataclass(frozen=True)
class Answer:
  """The head of the report.

  Attributes:
    title: one clause that can stand alone.
    sentences: what it rests on.
    rates: (source, rate), largest first; empty without any.
    rates_label: what the rates are, in a few words.
  """

  title: str
  sentences: tuple[str, ...]
  rates: tuple[tuple[str, float], ...] = ()
  rates_label: str = ''


def answer(study: study_folder.Study) -> Answer:
  """The recommendation and what it rests on."""
  allocation, confirmation = study.allocation, study.confirmation
  if allocation is None:
    return _without_allocation(study)
  sentences = [*_predicted(allocation)]
  if confirmation is not None:
    sentences.append(_measured(confirmation))
  label = 'Recommended shares of the training tokens.'
  undecided = 'The allocated shares; equal shares are no worse as far as known.'
  keep_uniform = False
  if confirmation is None:
    certain = allocation.gain_low is not None and allocation.gain_low > 0
    keep_uniform = allocation.gain < caution.NO_GAIN
    if keep_uniform:
      title = 'Keep uniform rates: the laws see no gain over them.'
    elif certain:
      title = 'Train on the allocated rates; no run has confirmed them yet.'
    elif allocation.gain_low is None:
      title = (
        'The allocated rates are predicted to win, how surely is not known.'
      )
      label = undecided
    else:
      title = 'Uniform rates are as good: the predicted gain is within noise.'
      label = undecided
  elif confirmation.verdict.startswith(confirmation_lib.ALLOCATED_BETTER):
    title = 'Train on the allocated rates: in paired runs they beat uniform.'
  elif confirmation.verdict.startswith(confirmation_lib.UNIFORM_BETTER):
    keep_uniform = True
    title = 'Keep uniform rates: in paired runs they beat the allocated ones.'
  else:
    label = undecided
    title = (
      'Uniform rates are as good: paired runs cannot tell the allocated rates'
      ' from them.'
    )
  rates = (
    allocation.uniform_rates
    if keep_uniform
    else mixture_gin.rounded_rates(allocation.sources)
  )
  ordered = tuple(sorted(rates.items(), key=lambda item: -item[1]))
  return Answer(title, tuple(sentences), ordered, label)


_OBJECTIVES = {
  'worst': 'greatest loss of a target',
  'worst_excess': 'greatest loss above that of a run on the target alone',
  'score': 'weighted score',
}


def _predicted(allocation: allocation_lib.Allocation) -> Iterator[str]:
  """Yields what the laws predict for the allocated rates."""
  size = f'{allocation.num_params:,} parameters'
  tokens = f'{allocation.num_tokens:,} tokens'
  if allocation.flop_budget is not None:
    size += _range(allocation.num_params_low, allocation.num_params_high)
    tokens += _range(allocation.num_tokens_low, allocation.num_tokens_high)
    yield (
      f'A budget of {allocation.flop_budget:.3g} FLOPs is best spent on {size}'
      f' and {tokens}.'
    )
  what = _OBJECTIVES.get(allocation.objective_name, 'weighted loss')
  yield (
    f'For {allocation.num_params:,} parameters and {allocation.num_tokens:,}'
    f' tokens the laws predict a {what} of {allocation.objective:.4f}'
    f' {allocation.unit} at the allocated rates and'
    f' {allocation.uniform_objective:.4f} at uniform rates: a gain of'
    f' {allocation.gain:.4f}'
    + mixture_gin.interval_text(
      allocation.gain_low, allocation.gain_high, allocation.interval_level
    )
    + '.'
  )
  if allocation.natural_gain is not None:
    yield (
      f'Over natural shares the gain is {allocation.natural_gain:.4f}'
      + mixture_gin.interval_text(
        allocation.natural_gain_low,
        allocation.natural_gain_high,
        allocation.interval_level,
      )
      + '.'
    )


def _range(low: float | None, high: float | None) -> str:
  if low is None or high is None:
    return ''
  return f' ({figures.short(low)} to {figures.short(high)})'


def _without_allocation(study: study_folder.Study) -> Answer:
  """How good the laws are, where nothing has been allocated."""
  fits = predictions.first(
    predictions.counting(study.every_fit, study.every_fit)
  )
  if not fits:
    return _of_pairs(study.synergy) if study.synergy else _of_runs(study)
  doubtful = sum(
    bool(fit.diagnostics.get('warnings')) or not fit.converged for fit in fits
  )
  count = 'One law' if len(fits) == 1 else f'{len(fits)} laws'
  if not doubtful:
    title = f'{count}, without a warning.'
  elif doubtful == len(fits):
    title = f'{count}, {"each " if len(fits) > 1 else ""}with warnings.'
  else:
    title = f'{count}, {doubtful} of them with warnings.'
  sentences = []
  for key, words in (
    ('mean_relative_error', 'On the points they were fitted to, they are off'),
    (
      'extrapolation_mean_relative_error',
      'Fitted without the largest runs, they miss those',
    ),
  ):
    errors = {
      predictions.label(fit): fit.diagnostics[key]
      for fit in fits
      if fit.diagnostics.get(key) is not None
    }
    if errors:
      least, worst = min(errors.values()), max(errors, key=errors.__getitem__)
      span = f'{least:.1%} to {errors[worst]:.1%}'
      sentences.append(
        f'{words} by {span} on average (most: {worst}).'
        if f'{least:.1%}' != f'{errors[worst]:.1%}'
        else f'{words} by {least:.1%} on average.'
      )
  if study.mixture_fits:
    sentences.append('No rates were chosen yet: `codelaw allocate` does that.')
  return Answer(title, tuple(sentences))


def _of_pairs(synergy: Sequence[synergy_lib.Synergy]) -> Answer:
  """Which sources help each other, where that is all there is."""
  gains = [entry for entry in synergy if entry.target != entry.auxiliary]
  known = [entry for entry in gains if entry.significant is not None]
  most = max(gains, key=lambda entry: entry.gain)
  least = min(gains, key=lambda entry: entry.gain)
  sentences = [
    f'{entry.auxiliary} {words} {entry.target} most: {entry.gain:+.1%} of its'
    ' loss at equal total tokens.'
    for entry, words in ((most, 'helps'), (least, 'harms'))
    if (entry.gain > 0) == (words == 'helps')
  ]
  if not known:
    title = f'{len(gains)} gains between sources, of which no error is known.'
  else:
    helping = sum(bool(e.significant) and e.gain > 0 for e in known)
    harming = sum(bool(e.significant) and e.gain < 0 for e in known)
    title = (
      f'Of {len(known)} gains between sources, {helping} are positive and'
      f' {harming} negative beyond noise.'
    )
  return Answer(title, tuple(sentences))


def _of_runs(study: study_folder.Study) -> Answer:
  """Where runs are all there is."""
  if study.table is None:
    return Answer('No run has ended yet.', ())
  number = study.table['run_id'].nunique()
  count = 'One run' if number == 1 else f'{number:,} runs'
  return Answer(
    f'{count}, without laws and without an allocation.',
    (
      'Their losses and scores are shown below. Fit laws to them with `codelaw'
      ' fit`.',
    ),
  )


def _measured(confirmation: confirmation_lib.Confirmation) -> str:
  pairs = len(confirmation.arms['uniform'])
  interval = mixture_gin.interval_text(
    None if confirmation.high is None else -confirmation.high,
    None if confirmation.low is None else -confirmation.low,
    confirmation.interval_level,
  )
  seeds = 'one seed' if pairs == 1 else f'{pairs} seeds'
  return (
    f'Measured on {2 * pairs} runs of {confirmation.num_params:,} parameters'
    f' and {confirmation.num_tokens:,} tokens, paired over {seeds}, the gain'
    f' was {-confirmation.difference:.4f} nats per token{interval}.'
  )


def warnings(study: study_folder.Study) -> Iterator[str]:
  """Yields every reason for doubt that the study's files hold."""
  if study.allocation is not None:
    yield from study.allocation.warnings
  if study.confirmation is not None:
    yield from _surprise(study.confirmation)
  yield from synergy_patterns.warnings(study.synergy)
  # What speaks against a law that lost a comparison is that it lost.
  yield from _of_fits(predictions.counting(study.every_fit, study.every_fit))
  for record in study.run_records:
    if record.status != 'finished':
      reason = f': {record.message}' if record.message else ''
      yield f'Run {record.run_id} is {record.status}{reason}.'
    elif record.realised_tokens != record.planned_tokens:
      yield (
        f'Run {record.run_id} trained on other token counts than planned; see'
        ' the table of tokens.'
      )


def _of_fits(fits: Sequence[results.Fit]) -> Iterator[str]:
  """What the fits warn of, what concerns most targets first.

  Words about several targets come once; where only their numbers differ,
  with those of the first target.
  """
  alike: dict[tuple[str, str], list[tuple[str, str]]] = {}
  for fit in fits:
    texts = list(fit.diagnostics.get('warnings', ()))
    if not fit.converged:
      texts.insert(0, f'did not converge: {fit.termination}')
    for text in texts:
      found = alike.setdefault((fit.law, _NUMBER.sub('#', text)), [])
      found.append((predictions.label(fit), text))
  for (law, _), found in sorted(alike.items(), key=lambda item: -len(item[1])):
    names = list(dict.fromkeys(name for name, _ in found))
    laws = 'laws' if len(names) > 1 else 'law'
    name, text = found[0]
    same = len({text for _, text in found}) == 1
    numbers = '' if same else f' ({name}; the others alike)'
    if not same and len(names) == 1:
      numbers = f' (and {len(found) - 1} more like it)'
    yield f'The {law} {laws} of {", ".join(names)}: {text}{numbers}.'


def _surprise(
  confirmation: confirmation_lib.Confirmation,
) -> Iterator[str]:
  low, high = confirmation.low, confirmation.high
  least, most = confirmation.predicted_low, confirmation.predicted_high
  if low is None or high is None or least is None or most is None:
    return
  if low > most or high < least:
    yield (
      'The measured difference disagrees with the predicted one: their'
      ' intervals do not meet, so the laws miss something at this size.'
    )
