"""Which variant of training translates best, by direction and size."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
import statistics

from codelaw.reports import study_folder
from codelaw.reports import translation_rows

_STANDARD_ERRORS = 2  # that a lead must have to be one


@dataclasses.dataclass(frozen=True)
class _Lead:
  """How a variant is ahead of the next one.

  Attributes:
    name: of the variant.
    errors: standard errors, over programs, of the lead; None where they are not
      known. Repetitions are asked the same programs, so they lessen none.
  """

  name: str
  errors: float | None


def sentences(
  comparisons: Mapping[str, study_folder.Comparison],
  by_metric: Sequence[Sequence[translation_rows.Matrix]],
) -> Iterator[str]:
  """Yields a sentence per metric and kind of directions, unseen ones first.

  The best on average over repetitions is named, and whether its lead is more
  than noise over programs. Of noise over seeds they say nothing.

  Args:
    comparisons: size -> the variants of that size.
    by_metric: for every metric its matrices, one per run.
  """
  for found in by_metric:
    words = translation_rows.shown(found[0].metric)
    for kind in ('unseen', 'seen') if _have_both(found) else ('all',):
      leads = {
        size: lead
        for size, comparison in comparisons.items()
        if (lead := _lead(comparison, found, kind))
      }
      if leads:
        yield (
          f'Translation in {kind} directions, {words}: best is'
          f' {_winners(leads)}, {_certainty(leads)}.'
        )


def _winners(leads: Mapping[str, _Lead]) -> str:
  sizes: dict[str, list[str]] = {}
  for size, lead in leads.items():
    sizes.setdefault(lead.name, []).append(size)
  if len(leads) == 1:
    return next(iter(sizes))
  return ', '.join(f'{name} with {_listed(at)}' for name, at in sizes.items())


def _certainty(leads: Mapping[str, _Lead]) -> str:
  errors = [lead.errors for lead in leads.values()]
  if any(error is None for error in errors):
    return 'of unknown error'
  sure = [
    size
    for size, lead in leads.items()
    if lead.errors and lead.errors > _STANDARD_ERRORS
  ]
  if not sure:
    return 'all within noise over programs'[4 if len(leads) == 1 else 0 :]
  where = '' if len(sure) == len(leads) else f' with {_listed(sure)} alone'
  return f'beyond noise over programs{where}'


def _have_both(found: Sequence[translation_rows.Matrix]) -> bool:
  return any({'seen', 'unseen'} <= {*one.averages} for one in found)


def _lead(
  comparison: study_folder.Comparison,
  found: Sequence[translation_rows.Matrix],
  kind: str,
) -> _Lead | None:
  """Who is ahead; None where fewer than two can be compared."""
  scores = {
    one.run_id: one.averages[kind] for one in found if kind in one.averages
  }
  sign = -1 if translation_rows.is_lower_better(found[0].metric) else 1
  means = sorted(
    (
      (
        sign * statistics.fmean(scores[run].value for run in runs),
        name,
        _error([scores[run] for run in runs]),
      )
      for name, runs in comparison.variants.items()
      if all(run in scores for run in runs)
    ),
    key=lambda one: one[0],
    reverse=True,
  )
  if len(means) < 2:
    return None
  (best, name, error), (second, _, other) = means[:2]
  both = None if error is None or other is None else math.hypot(error, other)
  return _Lead(name, (best - second) / both if both else None)


def _error(scores: Sequence[translation_rows.Score]) -> float | None:
  known = [s.standard_error for s in scores if s.standard_error is not None]
  return statistics.fmean(known) if len(known) == len(scores) else None


def _listed(sizes: Sequence[str]) -> str:
  return ' and '.join(
    part for part in (', '.join(sizes[:-1]), sizes[-1]) if part
  )
