"""Which variant of training translates best, by direction and size."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import statistics

from codelaw.reports import study_folder
from codelaw.reports import translation_rows


def sentences(
  comparisons: Mapping[str, study_folder.Comparison],
  by_metric: Sequence[Sequence[translation_rows.Matrix]],
) -> Iterator[str]:
  """Yields a sentence per metric and kind of directions, unseen ones first.

  The best on average over repetitions is named, whatever the noise: errors over
  programs are in the table of translation, and of seeds often nothing is known.

  Args:
    comparisons: size -> the variants of that size.
    by_metric: for every metric its matrices, one per run.
  """
  for found in by_metric:
    metric = found[0].metric
    for kind in ('unseen', 'seen') if _have_both(found) else ('all',):
      winners: dict[str, list[str]] = {}
      for size, comparison in comparisons.items():
        best = _best(comparison, found, kind)
        if best:
          winners.setdefault(best, []).append(size)
      if winners:
        words = ', '.join(
          name + (f' with {_listed(sizes)}' if len(comparisons) > 1 else '')
          for name, sizes in winners.items()
        )
        yield (
          f'Translation in {kind} directions, {translation_rows.shown(metric)}:'
          f' best is {words}.'
        )


def _have_both(found: Sequence[translation_rows.Matrix]) -> bool:
  return any({'seen', 'unseen'} <= {*one.averages} for one in found)


def _best(
  comparison: study_folder.Comparison,
  found: Sequence[translation_rows.Matrix],
  kind: str,
) -> str:
  """The best variant; '' where fewer than two can be compared."""
  values = {
    one.run_id: one.averages[kind].value
    for one in found
    if kind in one.averages
  }
  means = {
    name: statistics.fmean(values[run] for run in runs)
    for name, runs in comparison.variants.items()
    if all(run in values for run in runs)
  }
  if len(means) < 2:
    return ''
  sign = 1 if translation_rows.is_lower_better(found[0].metric) else -1
  return min(means, key=lambda name: sign * means[name])


def _listed(sizes: Sequence[str]) -> str:
  return ' and '.join(
    part for part in (', '.join(sizes[:-1]), sizes[-1]) if part
  )
