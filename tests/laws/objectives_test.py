import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from codelaw.laws import fitting
from codelaw.laws import objectives
from codelaw.laws import solver
from codelaw.laws import uncertainty
from tests.laws import simulated

SETTINGS = fitting.FitSettings(
  num_starts=48, num_bootstraps=0, profile_intervals=False, influence=False
)


@pytest.mark.parametrize('name', objectives.NAMES)
def test_slopes_are_derivatives_of_the_penalty(name):
  r = jnp.array([-3.0, -1.5, -0.4, 0.3, 0.9, 2.5])
  first, second = objectives.slope(name, r, 1.0, 0.25)

  def penalty(r):
    return objectives.penalty(name, r, 1.0, 0.25)

  np.testing.assert_allclose(first * r, jax.vmap(jax.grad(penalty))(r))
  np.testing.assert_allclose(second, jax.vmap(jax.grad(jax.grad(penalty)))(r))


def test_envelope_halves_the_penalty_of_points_above_the_law():
  above = objectives.residuals('lower_envelope', jnp.array(1.0), jnp.array(2.0))
  assert above < 0
  lenient, plain = (
    objectives.penalty(name, above, 0.1, 0.5)
    for name in ('lower_envelope', 'log_huber')
  )
  assert lenient == pytest.approx(plain / 2)


def _contaminated(seed):
  """A fifth of the runs lies above the law by 1% to 30%, at random."""
  law, table = simulated.runs('chinchilla', 10, 10, noise=0.002, seed=seed)
  rng = np.random.default_rng([seed, 1])
  excess = np.where(rng.random(100) < 0.2, rng.exponential(0.1, 100), 0.0)
  return law, table.assign(
    **{simulated.TARGET: table[simulated.TARGET] * np.exp(excess)}
  )


def test_envelope_sees_through_under_tuned_runs():
  """Log of predicted over true losses, of 5 tables.

  Measured for 10 tables: mean +0.00055 with log_huber and -0.00035 with the
  envelope, whose leniency suits a third and not a fifth of such runs; mean
  size 0.00069 and 0.00054.
  """
  off = {'log_huber': [], 'lower_envelope': []}
  for seed in range(5):
    law, table = _contaminated(seed)
    with solver.float64():
      truth = law.predict(simulated.CHINCHILLA, table)
    for name, found in off.items():
      settings = dataclasses.replace(SETTINGS, objective=name)
      fit = fitting.optimise(law, table, simulated.TARGET, settings)
      estimates = solver.estimates(fit.task, fit.coordinates)
      with solver.float64():
        predicted = law.predict(
          dict(zip(law.parameters, estimates, strict=True)), table
        )
        found.append(np.log(np.asarray(predicted / truth)))
  bias = {name: abs(np.mean(found)) for name, found in off.items()}
  size = {name: np.abs(found).mean() for name, found in off.items()}
  assert bias['lower_envelope'] < 0.7 * bias['log_huber']
  assert size['lower_envelope'] < 0.9 * size['log_huber']


def test_bootstrap_of_the_envelope_is_centred_on_it():
  law, table = _contaminated(0)
  settings = dataclasses.replace(SETTINGS, objective='lower_envelope')
  fit = fitting.optimise(law, table, simulated.TARGET, settings)
  drawn = uncertainty.bootstrap(
    fit.task,
    fit.coordinates,
    np.arange(100),
    method='noise',
    num_resamples=200,
    others=fit.others[:0],
    objective='lower_envelope',
    delta=1e-3,
    seed=0,
  )
  losses = np.stack([solver.predict(fit.task, at) for at in drawn])
  off = np.log(losses / solver.predict(fit.task, fit.coordinates))
  spread = off.std(axis=0)
  # Normal noise of the same spread would sit the law a third of it too low.
  assert abs(off.mean()) < 0.3 * spread.mean()
  assert spread.mean() < 0.003  # Of the noise, not of the excess of 0.1.
