import dataclasses

import gin
import pytest

from codelaw import accounting
from codelaw import gin_text
from codelaw import records

PARTS = (
  accounting.ModelShape,
  records.MixtureRates,
  records.Stage,
  records.Schedule,
  records.OptimizerSettings,
  records.InitialCheckpoint,
)


def _plan(
  same_mixture: bool = False, moving: tuple[str, ...] = ()
) -> records.RunPlan:
  """A plan of two stages; those named in `moving` have an end mixture."""
  main = records.MixtureRates({f'code/language-{i}': i + 1 for i in range(9)})
  cooldown = records.MixtureRates({'code/python': 1 / 3, 'commits': 2 / 3})
  if same_mixture:
    cooldown = main
  end = records.MixtureRates({'code/python': 0.25, 'code/java': 0.75})
  ends = {name: end for name in moving}
  return records.RunPlan(
    model=accounting.ModelShape(32, 8, 1, 1, 8, 16, tie_embeddings=False),
    schedule=records.Schedule(
      (
        records.Stage('main', main, 0.9, end_mixture=ends.get('main')),
        records.Stage(
          'cooldown', cooldown, 0.1, 'linear', 1.0, 1e-6, ends.get('cooldown')
        ),
      ),
      warmup_tokens=2048,
    ),
    optimizer=records.OptimizerSettings(3e-3, z_loss=1e-4),
    shards_dir="it's here",
    num_tokens=4096,
    sequence_length=8,
    batch_size=4,
    source_max_epochs={'code/python': 1.5},
    target_tokens=10**12,
    checkpoint_steps_kept=(8, 16),
    initial=records.InitialCheckpoint('earlier', 8, schedule=True),
  )


def test_a_mixture_of_all_stages_is_bound_once():
  text = gin_text.bindings(_plan(same_mixture=True))
  assert text.count('MixtureRates.rates') == 1
  assert '\nMixtureRates.rates = ' in text
  assert gin_text.bindings(_plan()).count('MixtureRates.rates') == 2


def test_an_end_mixture_has_a_scope_of_its_own():
  text = gin_text.bindings(_plan(same_mixture=True, moving=('cooldown',)))
  assert 'main/Stage.end_mixture = None' in text
  assert (
    'cooldown/Stage.end_mixture = @cooldown/end_mixture/MixtureRates()' in text
  )
  assert '\ncooldown/end_mixture/MixtureRates.rates = ' in text
  assert '\nMixtureRates.rates = ' in text  # still one line for both stages
  assert text.count('MixtureRates.rates') == 2


@pytest.mark.parametrize('moving', [(), ('cooldown',), ('main', 'cooldown')])
@pytest.mark.parametrize('same_mixture', [False, True])
def test_bindings_rebuild_an_equal_record(same_mixture, moving):
  plan = _plan(same_mixture, moving)
  built = {}
  with gin.config_scope(None):
    gin.clear_config()
    for kind in (records.RunPlan, *PARTS):
      try:
        built[kind] = gin.external_configurable(kind)
      except ValueError:  # registered by an earlier test of this process
        built[kind] = gin.get_configurable(kind.__name__)
    gin.parse_config(gin_text.bindings(plan))
    assert built[records.RunPlan]() == plan


def test_a_long_mapping_gets_a_line_per_entry():
  text = gin_text.binding('MixtureRates.rates', {'a': 0.5})
  assert text == "MixtureRates.rates = {'a': 0.5}\n"
  long = gin_text.binding(
    'MixtureRates.rates', {f'code/language-{i}': 0.1 for i in range(10)}
  )
  assert len(long.splitlines()) == 12


def test_comments_have_no_trailing_space():
  assert gin_text.comment('a\n\nb') == '# a\n#\n# b\n'


def test_every_field_is_written():
  text = gin_text.bindings(_plan())
  for field in dataclasses.fields(records.RunPlan):
    assert f'RunPlan.{field.name} = ' in text


@pytest.mark.parametrize('value', [1e-6, 0.1, 1 / 3, 2e9])
def test_numbers_keep_every_digit(value):
  text = gin_text.binding('X.y', value)
  assert float(text.split(' = ')[1]) == value
