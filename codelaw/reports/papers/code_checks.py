"""All checks of paper A, on its published tables."""

from collections.abc import Sequence

from codelaw.laws import synergy
from codelaw.reports.papers import checks
from codelaw.reports.papers import code_law_checks
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import code_mixture_checks
from codelaw.reports.papers import published

PASS_AT_1 = 'multipl_e_pass_at_1_percent'  # The metric of `allocation_scores`.


def of_laws(study: code_laws.Study) -> tuple[checks.Check, ...]:
  """Checks of the laws of single languages and of translation."""
  printed = published.table('law_parameters')
  return (
    code_law_checks.python_learns_fastest(printed),
    code_law_checks.limits_below_losses(study.runs, printed),
    code_law_checks.labels_fit_points(study, printed),
    code_law_checks.surfaces_are_least_squares(study, printed),
    code_law_checks.exponents_are_stable(study),
    code_law_checks.optimum_is_a_mean(
      printed, published.table('code_law_optimum')
    ),
    code_law_checks.translation_law_is_finite(
      published.table('translation_laws'),
      published.table('pairing_unseen_loss'),
    ),
  )


def of_mixtures(
  study: code_laws.Study,
  entries: Sequence[synergy.Synergy],
  num_params: float,
) -> tuple[checks.Check, ...]:
  """Checks of Eq. 6, Table 1 and the published allocation."""
  allocation = published.table('token_allocation')
  return (
    code_mixture_checks.literal_optimum(
      study.as_drawn, entries, allocation, num_params
    ),
    code_mixture_checks.rust_is_cut(allocation),
    code_mixture_checks.percentages_follow_losses(
      entries, published.table('synergy_pairs')
    ),
    code_mixture_checks.rows_are_alike(entries),
  )


def of_scores() -> tuple[checks.Check, ...]:
  """Checks of what the allocation and the pairing bring in scores."""
  scores = published.table('allocation_scores')
  return (
    code_mixture_checks.gain_is_shared(
      scores[scores['metric'] == PASS_AT_1],
      'Pass@1',
      ('uniform', 'optimized'),
      'Gain of the allocation',
      'The optimised allocation improves code generation across languages.',
    ),
    code_mixture_checks.gain_is_shared(
      published.table('pairing_pass_at_1'),
      'Pass@1',
      ('shuffled_percent', 'paired_percent'),
      'Gain of pairing',
      'Parallel pairing improves code generation across languages.',
    ),
  )
