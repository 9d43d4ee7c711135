"""The page about arXiv:2512.13472, "Scaling Laws for Code".

Everything on it is computed from the packaged numbers of the paper.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

import numpy as np
import pandas as pd

import codelaw
from codelaw.laws import fitting
from codelaw.laws import predict
from codelaw.laws import synergy
from codelaw.laws import synergy_patterns
from codelaw.planning import allocation as allocation_lib
from codelaw.reports import findings
from codelaw.reports import law_plots
from codelaw.reports import layout
from codelaw.reports import plan_tables
from codelaw.reports import predictions
from codelaw.reports import synergy_plots
from codelaw.reports import tables
from codelaw.reports.papers import bars
from codelaw.reports.papers import checks as checks_lib
from codelaw.reports.papers import code_allocation
from codelaw.reports.papers import code_checks
from codelaw.reports.papers import code_figures
from codelaw.reports.papers import code_law_checks
from codelaw.reports.papers import code_laws
from codelaw.reports.papers import code_mixture_checks
from codelaw.reports.papers import code_tables
from codelaw.reports.papers import published
from codelaw.reports.papers import transfer

_FILES = (
  'code_law_runs',
  'law_parameters',
  'code_law_optimum',
  'synergy_pairs',
  'token_allocation',
  'allocation_scores',
  'pairing_pass_at_1',
  'pairing_unseen_loss',
  'translation_laws',
)


@dataclasses.dataclass(frozen=True)
class PaperA:
  """What the page is computed with; bound in gin.

  Attributes:
    settings: of the fits, but for their objective: both are fitted.
    least_tokens: of the runs that are fitted, one set of laws each.
    num_params: of the models of the published allocation.
    allocation: settings of our allocations.
    strengths: of the transfer, for the path of our shares; 1 is all that
      Table 1 implies.
  """

  settings: fitting.FitSettings
  least_tokens: tuple[float, ...] = (2e9, 4e9, 8e9)
  num_params: float = 1.5e9
  allocation: allocation_lib.AllocationSettings = dataclasses.field(
    default_factory=allocation_lib.AllocationSettings
  )
  strengths: tuple[float, ...] = tuple(i / 20 for i in range(11))

  def page(self) -> layout.Page:
    """Fits, checks, allocates and lays out the page."""
    return _page(_analyse(self))


@dataclasses.dataclass(frozen=True)
class _Analysis:
  """All that the page shows."""

  study: code_laws.Study
  noise: dict[str, synergy.Noise]
  entries: tuple[synergy.Synergy, ...]
  sizes: dict[str, float]
  tau: transfer.Coefficients
  allocation: code_allocation.Comparison
  assumptions: dict[str, dict[str, float]]
  num_params: float
  checks: tuple[checks_lib.Check, ...]


def _analyse(plan: PaperA) -> _Analysis:
  runs = published.runs()
  study = code_laws.fit(runs, plan.least_tokens, plan.settings)
  noise = code_laws.noise_at_most_tokens(runs)
  entries = synergy.of_losses(published.pair_losses(), noise)
  sizes = transfer.implied_sizes(study.best, published.pair_losses())
  tau = transfer.coefficients(study.best, entries, transfer.median_size(sizes))
  allocation = code_allocation.compare(
    study.best,
    tau,
    published.table('token_allocation'),
    num_params=plan.num_params,
    settings=plan.allocation,
    strengths=plan.strengths,
  )
  checks = (
    *code_checks.of_laws(study),
    *code_checks.of_mixtures(study, entries, plan.num_params),
    code_mixture_checks.size_of_pairs(sizes),
    code_mixture_checks.gains_are_data(tau),
    *code_checks.of_scores(),
  )
  return _Analysis(
    study,
    noise,
    tuple(entries),
    sizes,
    tau,
    allocation,
    _assumptions(plan, study, entries, sizes, allocation),
    plan.num_params,
    checks,
  )


def _assumptions(
  plan: PaperA,
  study: code_laws.Study,
  entries: Sequence[synergy.Synergy],
  sizes: Mapping[str, float],
  found: code_allocation.Comparison,
) -> dict[str, dict[str, float]]:
  """Assumption -> our rates under it."""
  bare = dataclasses.replace(plan.allocation, num_bootstraps=0)
  ours = found.allocations[0.0]
  size = plan.num_params, float(ours.num_tokens)

  def rates(
    laws: code_laws.Laws, pair_params: float, strength: float
  ) -> dict[str, float]:
    tau = transfer.coefficients(laws, entries, pair_params)
    fits = transfer.laws_with_transfer(laws, tau, strength)
    return code_allocation.best(fits, size, bare).rates

  middle = transfer.median_size(sizes)
  rows = {
    f'no transfer, {code_figures.way_name(way)}': rates(laws, middle, 0.0)
    for way, laws in study.laws.items()
  }
  if found.closest:
    name = code_allocation.strength_name(found.closest)
    for params in (min(sizes.values()), middle, max(sizes.values())):
      rows[f'{name}, pairs of {params / published.BILLION:.2f}B parameters'] = (
        rates(study.best, params, found.closest)
      )
  return rows


def _page(found: _Analysis) -> layout.Page:
  return layout.Page(
    name='Scaling Laws for Code (arXiv:2512.13472), from its own numbers',
    answer=_answer(found),
    warnings=tuple(_warnings(found)),
    sections=(
      checks_lib.section(found.checks),
      _laws(found),
      _synergy(found),
      _allocation(found),
      _scores(),
    ),
    commands=(
      (
        'Fit the same points yourself:',
        'codelaw fit --gin_file=gin_configs/laws/paper_a.gin'
        ' --runs=codelaw/reference/code_law_runs.csv --law=chinchilla'
        ' --group_by=language --columns=num_params:params_billions*1e9,'
        'num_tokens:tokens_billions*1e9,loss:loss_nats_per_token'
        ' --out=generated/paper_a_fits',
      ),
    ),
    provenance=tables.Table(
      'Where the numbers come from',
      'Published numbers of arXiv:2512.13472, packaged in codelaw/reference,'
      ' with fingerprints of their content.',
      ('what', 'value'),
      (
        ('codelaw', codelaw.__version__),
        *published.fingerprints(_FILES).items(),
      ),
    ),
  )


def _answer(found: _Analysis) -> findings.Answer:
  failing = [c for c in found.checks if c.outcome == checks_lib.FAILS]
  equal, stated, best = found.allocation.mixtures[0.0]
  ours = found.allocation.allocations[0.0]
  way = found.study.best_way
  noise = np.median([n.log_sd for n in found.noise.values()])
  scatter = float(noise) * equal.loss
  most = found.study.runs['num_tokens'].max() / published.BILLION
  return findings.Answer(
    f'{len(failing)} of {len(found.checks)} statements that the numbers of this'
    ' paper can test do not hold.',
    (
      f'{checks_lib.verdict(found.checks, code_law_checks.SURFACES)}'
      f' {checks_lib.verdict(found.checks, code_law_checks.EXPONENTS)}',
      f'The laws that extrapolate best are {code_figures.way_name(way)}: fitted'
      f' without the runs of {most:g}B tokens they miss them by'
      f' {found.study.held_out[way]:.1%}. At'
      f' {found.num_params / published.BILLION:g}B parameters and'
      f' {ours.num_tokens / published.BILLION:g}B tokens they predict a mean'
      f' loss of {equal.loss:.4f} nats for equal shares; our best shares gain'
      f' {best.gain:+.4f}, the published ones {stated.gain:+.4f}.'
      + (
        ''
        if abs(best.gain) > scatter
        else f' One run scatters by about {scatter:.4f}: no allocation is worth'
        ' more than the noise of a run.'
      ),
    ),
    tuple(sorted(ours.rates.items(), key=lambda item: -item[1])),
    'Shares of tokens that minimise the mean loss of the languages without'
    ' transfer between them.',
  )


def _warnings(found: _Analysis) -> list[str]:
  texts = list(checks_lib.warnings(found.checks))
  texts += synergy_patterns.noise_warnings(found.entries)
  said: dict[str, None] = {}  # An ordered set: strengths share warnings.
  for ours in found.allocation.allocations.values():
    said.update(dict.fromkeys(ours.warnings))
  for name, languages in found.allocation.extrapolated.items():
    if languages:
      top = max(languages, key=lambda language: languages[language])
      said[
        f'{name} gives {", ".join(sorted(languages))} more effective tokens'
        f' than were fitted ({top} {languages[top]:.2f} times): these losses'
        ' extrapolate.'
      ] = None
  return texts + list(said)


def _laws(found: _Analysis) -> layout.Section:
  study = found.study
  printed = published.table('law_parameters')
  laws = []
  for name, law in study.best.items():
    rows = study.runs[study.runs['language'] == name]
    predicted, _, _ = predict.at(law, rows)
    points = rows.assign(observed=rows['loss'], predicted=predicted)
    laws.append(predictions.Fitted(name, law, points, exact=False))
  least = sorted({way[1] for way in study.laws})
  chosen = [('least_squares', value) for value in least]
  chosen.append(('log_huber', least[-1]))
  return layout.Section(
    'Laws of the languages',
    (
      layout.Picture(
        'printed_and_fitted',
        code_figures.printed_and_fitted(study, printed, chosen),
        'Exponents and limits: printed labels (bars), and fits with their'
        ' bootstrap intervals. The limit of a law must lie left of the lowest'
        ' observed loss (crosses).',
      ),
      layout.Picture(
        'law_curves',
        law_plots.loss_curves(laws),
        'All 420 points, and the laws that extrapolate best'
        f' ({code_figures.way_name(study.best_way)}) with their bands. Points'
        ' left of the fitted budgets show what those laws leave out.',
      ),
    ),
    (
      code_tables.laws(study, printed),
      code_tables.robust_laws(study),
      code_tables.ways(study),
    ),
  )


def _synergy(found: _Analysis) -> layout.Section:
  return layout.Section(
    'Synergy from the bilingual losses',
    (
      layout.Picture(
        'synergy',
        synergy_plots.synergy_heat_map(found.entries),
        'How much lower (+, blue) the loss of the target is when it shares its'
        ' tokens with the auxiliary, against the target seen twice (two epochs:'
        ' the auxiliary brings fresh tokens as well). * marks gains that are'
        ' significant after correction for the number of pairs; the noise is'
        ' the scatter of the 420 runs over sizes, not of repeated runs.',
      ),
    ),
    (
      plan_tables.synergy(
        [e for e in found.entries if e.target != e.auxiliary]
      ),
      plan_tables.asymmetries(synergy_patterns.asymmetries(found.entries)),
      code_tables.coefficients(found.tau, found.study.languages),
    ),
  )


def _allocation(found: _Analysis) -> layout.Section:
  names = sorted(
    found.allocation.published, key=lambda n: -found.allocation.published[n]
  )
  ours = found.allocation.allocations[0.0]
  billions = ours.num_tokens / published.BILLION
  return layout.Section(
    'Our allocation beside the published one',
    (
      layout.Picture(
        'allocations',
        code_figures.allocations(found.allocation, names, billions),
        f'Tokens per language, of {billions:g}B in all, for models of'
        f' {found.num_params / published.BILLION:g}B parameters. Ours minimise'
        ' the mean loss of the languages by their own laws; lines are'
        f' {ours.interval_level:.0%} bootstrap bands, of the laws alone.',
      ),
      layout.Picture(
        'path_of_transfer',
        code_figures.path_of_transfer(found.allocation, names),
        'Our shares hang on how much of the transfer that Table 1 implies is'
        ' believed, which the paper does not say (gamma of Eq. 7). The'
        f' published shares are nearest at {found.allocation.closest:.0%}'
        f' ({found.allocation.distance:.0%} of the tokens lie elsewhere). The'
        ' transfer assumes that the bilingual runs had'
        f' {transfer.in_words(found.sizes)} parameters.',
      ),
    ),
    (
      code_tables.mixtures(found.allocation),
      code_tables.assumptions(found.assumptions, names, billions),
    ),
  )


def _scores() -> layout.Section:
  scores = published.table('allocation_scores')
  scores = scores[scores['metric'] == code_checks.PASS_AT_1].set_index(
    'language'
  )
  pairing = (
    published.table('pairing_pass_at_1')
    .groupby('language', sort=False)
    .mean(numeric_only=True)
  )
  changes: dict[str, pd.Series] = {
    'optimised allocation': scores['optimized'] - scores['uniform'],
    'parallel pairing, mean over sizes': pairing['paired_percent']
    - pairing['shuffled_percent'],
  }
  return layout.Section(
    'Where the gains in scores come from',
    (
      layout.Picture(
        'score_changes',
        bars.panels(
          {name: values.to_dict() for name, values in changes.items()},
          'change of MultiPL-E Pass@1 (points)',
        ),
        'Change of Pass@1 per language: one language carries either gain. One'
        ' seed each.',
      ),
    ),
    (),
  )
