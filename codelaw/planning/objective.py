"""What an allocation minimises: one number made of predicted losses.

Owns the criteria. With L_k(N, D, r) the predicted loss of target k:
  mean: sum_k w_k L_k, the weighted mean; `target:SOURCE` gives one target all
    the weight.
  worst: max_k L_k over the targets that have a weight: the worst language.
  worst_excess: max_k (L_k - S_k), where S_k is the loss of target k after a
    run of the same cost on its own source alone. Languages differ in the loss
    that nothing can remove, so the greatest loss says which language is hard;
    the greatest excess says which one the mixture treats worst.
  score: minus the weighted mean of task scores, which `score_objective` owns.
To each comes strength * sum_j (r_j - prior_j)^2.

The laws come from `laws.forms`, so values and derivatives are JAX's own, in
float64; callers stay inside `jax.enable_x64(True)`.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from codelaw import errors
from codelaw.laws import forms
from codelaw.laws import predict as predict_lib
from codelaw.laws import results
from codelaw.laws import score_law
from codelaw.planning import proportions
from codelaw.planning import score_objective

_SHARE = 'share/'

SCORE = 'score'
CRITERIA = ('mean', 'worst', 'worst_excess', SCORE)
_TARGET = 'target:'


def mixture_fits(fits: Sequence[results.Fit]) -> tuple[results.Fit, ...]:
  """The fit of every target that an allocation uses: the first with shares.

  `codelaw fit --law=all` writes the laws of a target in order of held-out
  error, so the first law that knows shares is the best one that can choose
  among mixtures.

  Raises:
    UserError: when no fit has shares, when fits belong to several groups, or
      when two columns are about one source.
  """
  chosen: dict[str, results.Fit] = {}
  for fit in fits:
    if _sources(fit):
      chosen.setdefault(fit.target, fit)
  if not chosen:
    raise errors.UserError(
      'An allocation needs a mixture law, one with shares among its columns'
      f' ({", ".join(forms.MIXTURE_LAWS)}); got fits of'
      f' {", ".join(sorted({fit.law for fit in fits})) or "nothing"}. Fit one'
      ' with `codelaw fit --law=transfer` on runs with several sources.'
    )
  picked = tuple(chosen.values())
  groups = {fit.group for fit in picked}
  if len(groups) > 1:
    raise errors.UserError(
      f'The fits belong to {len(groups)} groups ({", ".join(sorted(groups))});'
      ' an allocation needs fits of one group.'
    )
  kinds = {fit.target.partition('/')[0] for fit in picked}
  if len(kinds) > 1:
    raise errors.UserError(
      f'The fits predict different quantities ({", ".join(sorted(kinds))});'
      ' an allocation needs targets of one unit: fit them apart.'
    )
  return picked


def _sources(fit: results.Fit) -> set[str]:
  return {name.removeprefix(_SHARE) for name in forms.law_of(fit).shares}


# Of every law: its formula, where its parameters begin and end in the array of
# all, and where its columns are in a point.
Layout = tuple[tuple[Callable, int, int, tuple[int, ...]], ...]


def predict(
  layout: Layout, point: jax.Array, parameters: jax.Array
) -> jax.Array:
  """Losses [K] of all laws at a point [S + 2]; traceable."""
  columns = point.at[-2:].set(jnp.exp(point[-2:]))
  return jnp.stack(
    [
      formula(parameters[first:last], columns[np.array(places)][:, None])[0]
      for formula, first, last, places in layout
    ]
  )


# One compiled program serves every objective over laws of the same forms.
@functools.partial(jax.jit, static_argnums=0)
def _losses_and_jacobian(layout, point, parameters):
  def twice(point):
    losses = predict(layout, point, parameters)
    return losses, losses

  jacobian, losses = jax.jacfwd(twice, has_aux=True)(point)
  return losses, jacobian


@functools.partial(jax.jit, static_argnums=0)
def _losses_of_each(layout, points, parameters):
  over_points = jax.vmap(predict, in_axes=(None, 0, None))
  over_sets = jax.vmap(over_points, in_axes=(None, None, 0))
  return over_sets(layout, points, parameters)


@functools.partial(jax.jit, static_argnums=0)
def _hessians(layout, point, parameters, weights):
  def mean(point, own):
    return weights @ predict(layout, point, own)

  return jax.vmap(jax.hessian(mean), in_axes=(None, 0))(point, parameters)


@dataclasses.dataclass(frozen=True)
class Objective:
  """Predicted losses of all targets, and the number made of them.

  A point [S + 2] is the share of every source, then log N and log D. The
  parameters of all targets form one array [P], target after target, and after
  them those of the laws of scores.

  Attributes:
    fits: one per target, as `mixture_fits` returned them.
    sources: names in the order of the shares, sorted.
    criterion: one of `CRITERIA`.
    weights: of the targets, float64 [K], with sum 1; in what scores read for
      `score`.
    prior: rates the solution is drawn to, float64 [S].
    prior_strength: of that pull, in the unit of the objective.
    scores: whose mean `score` maximises; None for other criteria.
  """

  fits: tuple[results.Fit, ...]
  sources: tuple[str, ...]
  criterion: str
  weights: np.ndarray
  prior: np.ndarray
  prior_strength: float
  scores: score_objective.ScoreMean | None = None

  @functools.cached_property
  def laws(self) -> tuple[forms.Law, ...]:
    """The law of every target."""
    return tuple(forms.law_of(fit) for fit in self.fits)

  @functools.cached_property
  def slices(self) -> tuple[slice, ...]:
    """Where the parameters of every target are in the array of all."""
    ends = np.cumsum([len(law.parameters) for law in self.laws]).tolist()
    return tuple(map(slice, [0, *ends[:-1]], ends))

  @functools.cached_property
  def estimates(self) -> np.ndarray:
    """The fitted parameters of all targets, float64 [P]."""
    of_losses = np.array(
      [
        fit.estimates[name]
        for fit, law in zip(self.fits, self.laws, strict=True)
        for name in law.parameters
      ]
    )
    if self.scores is None:
      return of_losses
    return np.concatenate([of_losses, self.scores.estimates])

  @property
  def is_worst(self) -> bool:
    """Whether the number is a maximum over targets."""
    return self.criterion in ('worst', 'worst_excess')

  @property
  def counted(self) -> np.ndarray:
    """Which targets count at all, bool [K]."""
    return self.weights > 0

  def bootstrap(self, count: int) -> np.ndarray:
    """Up to `count` bootstrap parameter sets, [B, P].

    Resampled runs (`runs`) and pooled fits are kept together: set b takes the
    b-th bootstrap fit of every target, so that targets keep what they have in
    common. Simulated noise (`noise`) is drawn alike for every target, as if
    one run were lucky for all of them; the noise of different losses is taken
    to be independent instead: each target takes its fits from another one on.
    """
    available = min(
      len(values)
      for fit in self.fits
      for values in (fit.bootstrap_estimates.values() or [()])
    )
    picked = np.unique(
      np.linspace(0, available - 1, min(count, available)).astype(int)
    )
    columns = [
      np.asarray(fit.bootstrap_estimates[name], float)[
        (picked + place * available // len(self.fits)) % available
        if predict_lib.drawn_alike(fit)
        else picked
      ]
      for place, (fit, law) in enumerate(zip(self.fits, self.laws, strict=True))
      for name in (law.parameters if len(picked) else ())
    ]
    if not columns:
      return np.empty((0, 0))
    found = np.stack(columns, axis=1)
    if self.scores is None:
      return found
    return np.hstack([found, self.scores.bootstrap(len(found))])

  def score(
    self, losses: np.ndarray, singles: np.ndarray, parameters: np.ndarray
  ) -> np.ndarray:
    """The criterion, without the prior's pull, of losses [..., K] -> [...].

    Args:
      losses: of all targets, nats per token.
      singles: S_k of `worst_excess`, [..., K]; others do not read them.
      parameters: of all laws [..., P]; only `score` reads them.
    """
    if self.scores is not None:
      return -self.scores.mean(losses, self._of_scores(parameters))
    if not self.is_worst:
      return losses @ self.weights
    excess = losses - singles if self.criterion == 'worst_excess' else losses
    return np.max(excess, axis=-1, where=self.counted, initial=-np.inf)

  def task_scores(
    self, losses: np.ndarray, parameters: np.ndarray
  ) -> np.ndarray:
    """Scores of tasks [..., T], for the criterion `score`."""
    if self.scores is None:
      raise ValueError(f'{self.criterion} has no scores of tasks')
    return self.scores.scores(losses, self._of_scores(parameters))

  def slopes(self, losses: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Derivative [K] of a criterion that is no maximum by losses [K]."""
    if self.scores is None:
      return self.weights
    return self.scores.slopes(losses, self._of_scores(parameters))

  def _of_scores(self, parameters: np.ndarray) -> np.ndarray:
    return parameters[..., self.slices[-1].stop :]

  def point(
    self, shares: np.ndarray, num_params: float, num_tokens: float
  ) -> np.ndarray:
    """The point [S + 2] of shares [S] at one size."""
    return np.append(shares, np.log([num_params, num_tokens]))

  @functools.cached_property
  def layout(self) -> Layout:
    """What the compiled functions need to know of the laws."""
    count = len(self.sources)
    place = {_SHARE + source: i for i, source in enumerate(self.sources)}
    place |= {'num_params': count, 'num_tokens': count + 1}
    return tuple(
      (
        law.formula,
        part.start,
        part.stop,
        tuple(place[column] for column in law.columns),
      )
      for law, part in zip(self.laws, self.slices, strict=True)
    )

  def losses_and_jacobian(
    self, point: np.ndarray, parameters: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    """(losses [K], their derivative [K, S + 2]) at a point."""
    losses, jacobian = _losses_and_jacobian(self.layout, point, parameters)
    return np.asarray(losses), np.array(jacobian)

  def losses_of_each(
    self, points: np.ndarray, parameters: np.ndarray
  ) -> np.ndarray:
    """Losses [B, n, K] at points [n, S + 2] for parameter sets [B, P]."""
    return np.asarray(_losses_of_each(self.layout, points, parameters))

  def hessians(self, point: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Of the weighted mean at a point, per set [B, P]: [B, S + 2, S + 2]."""
    return np.asarray(_hessians(self.layout, point, parameters, self.weights))

  def singles(
    self, sizes: Sequence[tuple[float, float]], parameters: np.ndarray
  ) -> np.ndarray:
    """S_k [B, K]: the least loss over sizes (N, D) on the own source alone.

    Zeros where the criterion does not read them.
    """
    if self.criterion != 'worst_excess':
      return np.zeros((len(parameters), len(self.fits)))
    own = [self.sources.index(forms.source_of(fit.target)) for fit in self.fits]
    points = [
      self.point(np.eye(len(self.sources))[place], *size)
      for place in own
      for size in sizes
    ]
    losses = self.losses_of_each(np.stack(points), parameters)
    by_target = losses.reshape(len(parameters), len(own), len(sizes), -1)
    return np.stack(
      [by_target[:, k, :, k].min(axis=1) for k in range(len(own))], axis=1
    )


def build(
  fits: Sequence[results.Fit],
  *,
  criterion: str,
  weights: Mapping[str, float],
  prior: Mapping[str, float],
  prior_strength: float,
  scores: Sequence[score_law.ScoreLaw] = (),
) -> Objective:
  """The objective over the mixture laws among `fits`.

  Args:
    fits: of a `fit.json`; see `mixture_fits`.
    criterion: one of `CRITERIA`, or `target:SOURCE`.
    weights: source -> weight of its target; only their proportions count.
      Targets not named weigh nothing; with no weights at all they weigh the
      same. `worst` and `worst_excess` take every target with a weight; for
      `score` they are those of columns of scores.
    prior: source -> rate; equal rates when empty.
    prior_strength: in the unit of the objective; 0 ignores the prior.
    scores: laws of scores, for `score`.

  Raises:
    UserError: for fits that cannot be used, or names they do not know.
  """
  picked = mixture_fits(fits)
  sources = tuple(sorted(set().union(*(_sources(fit) for fit in picked))))
  targets = [forms.source_of(fit.target) for fit in picked]
  if criterion.startswith(_TARGET):
    if weights:
      raise errors.UserError(
        f'The objective {criterion} gives one target all the weight; got'
        f' weights too, {dict(weights)!r}. Leave one of them out.'
      )
    weights = {criterion.removeprefix(_TARGET): 1.0}
    criterion = 'mean'
  if criterion not in CRITERIA:
    raise errors.UserError(
      f'There is no objective {criterion!r}; expected one of'
      f' {", ".join(CRITERIA)} or {_TARGET}SOURCE, like {_TARGET}{targets[0]}.'
    )
  mean = None
  if criterion == SCORE:
    columns = [fit.target for fit in picked]
    mean = score_objective.build(scores, columns, weights)
  elif scores:
    raise errors.UserError(
      f'The objective {criterion} reads no laws of scores; ask for --objective='
      f'{SCORE}, or leave out --score_fit.'
    )
  return Objective(
    fits=picked,
    sources=sources,
    criterion=criterion,
    weights=proportions.of('weights', weights, targets, 'targets')
    if mean is None
    else mean.weights @ mean.mix,
    scores=mean,
    prior=proportions.of('prior', prior, sources, 'sources'),
    prior_strength=_strength(prior_strength),
  )


def _strength(value: float) -> float:
  if not 0 <= value < float('inf'):
    raise errors.UserError(
      f'prior_strength must be a number of at least 0, got {value!r}.'
    )
  return float(value)
