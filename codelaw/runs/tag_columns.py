"""Tags of events -> columns of the run table, by the rules of `writers`."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import re

import numpy as np

from codelaw import errors
from codelaw.runs import evaluations
from codelaw.runs import events
from codelaw.runs import run_facts
from codelaw.runs import writers

AUTOMATIC = 'auto'
# No language model is worse than a guess among all tokens: a vocabulary of a
# million has ln(1e6) = 13.8.
_IMPLAUSIBLE_NATS = 20.0


@dataclasses.dataclass(frozen=True)
class TagMapping:
  """How tags are read; what gin binds.

  Attributes:
    writer: one of `writers.WRITERS`, or `auto` to know it by its tags.
    rules: further rules as `REGEX=COLUMN:KIND`, which come first:
      `ce/(?P<name>.+)=loss/{name}:nats_per_token`.
  """

  writer: str = AUTOMATIC
  rules: tuple[str, ...] = ()

  def __post_init__(self):
    names = (AUTOMATIC, *writers.WRITERS)
    if self.writer not in names:
      raise errors.UserError(
        f'TagMapping.writer must be one of {", ".join(names)}, got'
        f' {self.writer!r}.'
      )
    object.__setattr__(self, 'rules', tuple(self.rules))
    for text in self.rules:
      parse_rule(text)

  def own_rules(self) -> tuple[writers.Rule, ...]:
    """The further rules."""
    return tuple(parse_rule(text) for text in self.rules)

  def selection(self) -> events.Selection:
    """Tags that any of the rules may need."""
    rules = [
      *self.own_rules(),
      *(rule for writer in writers.WRITERS.values() for rule in writer.rules),
    ]
    patterns = dict.fromkeys(_without_names(rule.whole) for rule in rules)
    signs = [f'(?:.*/)?{s}' for w in writers.WRITERS.values() for s in w.signs]
    return events.Selection(
      scalars='|'.join(f'(?:{p})' for p in (*patterns, *signs)),
      texts='|'.join(
        (
          *run_facts.LOGGED,
          *(name for w in writers.WRITERS.values() for name in w.texts),
        )
      ),
    )


def _without_names(pattern: str) -> str:
  return pattern.replace('(?P<name>', '(?:')


def parse_rule(text: str) -> writers.Rule:
  """Parses `REGEX=COLUMN:KIND`, as `--tag` takes it.

  >>> parse_rule('dev/ce=loss/dev:nats_per_token').column
  'loss/dev'

  Raises:
    UserError: when the text has another shape, or the kind is a sum.
  """
  start, _, kind = text.rpartition(':')
  pattern, _, column = start.rpartition('=')
  try:
    groups = re.compile(pattern).groupindex
  except re.error as error:
    raise errors.UserError(
      f'{pattern!r} is not a regular expression: {error}.'
    ) from error
  named = column.replace('{name}', 'x') if 'name' in groups else column
  if not pattern or not re.fullmatch(
    r'num_tokens|loss|(?:loss|bits_per_byte|tokens)/[^{}]+', named
  ):
    raise errors.UserError(
      'Expected REGEX=COLUMN:KIND, with a column like loss/{name},'
      ' bits_per_byte/{name} or num_tokens, where {name} is a group (?P<name>'
      f'...) of the expression; got {text!r}.'
    )
  if kind == 'sum':
    raise errors.UserError(
      f'{text!r}: a sum over tokens cannot be a loss of a law; name a tag that'
      ' is an average per token.'
    )
  return writers.Rule(pattern, column, kind)


def writer_of(tags: Iterable[str]) -> str:
  """Name of the writer whose signs the tags show; `other` if none."""
  names = list(tags)
  for writer, found in writers.WRITERS.items():
    for sign in found.signs:
      expression = re.compile(f'(?:.*/)?{sign}')
      if any(expression.fullmatch(name) for name in names):
        return writer
  return 'other'


def columns(
  run: str,
  series: Mapping[str, events.Series],
  mapping: TagMapping,
  report: events.Report,
) -> tuple[dict[str, events.Series], writers.Writer]:
  """Columns of the run table, from the series of a run.

  Args:
    run: for messages.
    series: tag with folder -> values.
    mapping: how tags are read.
    report: called with one sentence where a loss may hold more than the
      cross-entropy, is implausibly large, or was written more than once.

  Returns:
    column -> values by step, without training losses where there are others;
    and the writer.

  Raises:
    UserError: when all there is for a column is a sum over tokens, or a rule
      of the user names one.
  """
  name = mapping.writer
  if name == AUTOMATIC:
    name = writer_of(series)
  writer = writers.WRITERS[name]
  own = mapping.own_rules()
  candidates: dict[str, dict[int, list[str]]] = {}
  rules = (*own, *writer.rules)
  for tag in series:
    index, column = _column_of(tag, name, mapping.rules)
    if column:
      candidates.setdefault(column, {}).setdefault(index, []).append(tag)
      if index < len(own):
        _refuse_sum(run, tag, writer.rules)
  training = candidates.pop(writers.TRAINING_COLUMN, None)
  if training and not any(map(evaluations.is_loss, candidates)):
    candidates[writers.TRAINING_COLUMN] = training
  found = {}
  for column, by_rule in sorted(candidates.items()):
    chosen = _choose(run, column, by_rule, rules, series, report)
    if chosen is not None:
      found[column] = chosen
  return found, writer


@functools.lru_cache(100_000)  # Runs of a sweep have the same tags.
def _column_of(tag: str, writer: str, own: tuple[str, ...]) -> tuple[int, str]:
  """(index of the first rule that matches, the column); no column if none."""
  rules = (*map(parse_rule, own), *writers.WRITERS[writer].rules)
  for index, rule in enumerate(rules):
    if match := re.fullmatch(rule.whole, tag):
      return index, rule.column.format(**match.groupdict())
  return len(rules), ''


def _refuse_sum(run: str, tag: str, rules: Sequence[writers.Rule]) -> None:
  for rule in rules:
    if rule.kind == 'sum' and re.fullmatch(rule.whole, tag):
      raise errors.UserError(
        f'{run}: {tag} is a sum over tokens, which depends on the size of a'
        f' batch; use {rule.instead}.'
      )


def _choose(
  run: str,
  column: str,
  by_rule: Mapping[int, Sequence[str]],
  rules: Sequence[writers.Rule],
  series: Mapping[str, events.Series],
  report: events.Report,
) -> events.Series | None:
  kinds = {rules[index].kind: index for index in sorted(by_rule, reverse=True)}
  for index in sorted(by_rule):
    rule, tags = rules[index], by_rule[index]
    if rule.kind in ('sum', 'share_of_slots'):
      continue
    if rule.kind == 'nats_per_slot' and 'share_of_slots' not in kinds:
      continue
    values = _merged(run, column, [series[tag] for tag in tags], report)
    if rule.kind == 'nats_per_slot':
      share = [series[tag] for tag in by_rule[kinds['share_of_slots']]]
      values = _ratio(values, _merged(run, column, share, lambda note: None))
    if rule.kind == 'nats_per_token_with_z_loss':
      report(
        f'{run}: {column} is {tags[0]}, which holds z-loss and other added'
        ' terms where the run had them.'
      )
    largest = np.max(values.values, initial=0, where=values.values < np.inf)
    if rule.kind.startswith('nats') and largest > _IMPLAUSIBLE_NATS:
      report(
        f'{run}: {column} ({tags[0]}) reaches {largest:.4g} nats per token,'
        ' more than a guess among all tokens would cost; it may be a sum.'
      )
    return values
  sums = [i for i in by_rule if rules[i].kind in ('sum', 'nats_per_slot')]
  if not sums:
    return None
  rule = rules[min(sums, key=lambda index: rules[index].kind != 'sum')]
  tag = by_rule[rules.index(rule)][0]
  what = (
    'a sum over tokens' if rule.kind == 'sum' else 'a mean over padding too'
  )
  instead = rule.instead or 'non_padding_fraction/loss_weights beside it'
  raise errors.UserError(
    f'{run}: all there is for {column} is {tag}, which is {what} and cannot be'
    f' the loss of a law; {instead} is needed. Log it, or leave the run out.'
  )


def _merged(
  run: str,
  column: str,
  parts: Sequence[events.Series],
  report: events.Report,
) -> events.Series:
  """Series of several folders as one: the value written last counts."""
  if len(parts) == 1:
    return parts[0]
  steps = np.concatenate([part.steps for part in parts])
  merged = events.latest(
    steps,
    np.concatenate([part.times for part in parts]),
    np.concatenate([part.values for part in parts]),
  )
  found, counts = np.unique(steps, return_counts=True)
  if (counts > 1).any():
    report(
      f'{run}: {column} was written by several folders at'
      f' {events.steps_in_words(found[counts > 1].tolist())}, as after a'
      ' restart; the last values count.'
    )
  return merged


def _ratio(one: events.Series, other: events.Series) -> events.Series:
  steps, left, right = np.intersect1d(
    one.steps, other.steps, assume_unique=True, return_indices=True
  )
  return events.Series(
    steps, one.times[left], one.values[left] / other.values[right]
  )
