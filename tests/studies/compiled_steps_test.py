import dataclasses

import pytest

from codelaw import accounting
from codelaw import errors
from codelaw import execution
from codelaw.studies import compiled_steps
from tests.studies import planned


def test_steps_come_back_from_their_file(tmp_path):
  steps = (
    planned.step(),
    planned.step(
      model=dataclasses.replace(planned.LARGE, tie_embeddings=False),
      execution=execution.Execution(
        mesh=execution.MeshShape(8, 1, 1), loss_block_tokens=2048
      ),
    ),
    planned.step(batch_size=8, best_seconds=None, worst_seconds=None),
  )
  compiled_steps.write(tmp_path / 'steps.csv', steps)
  assert compiled_steps.read(tmp_path / 'steps.csv') == steps


def test_a_step_that_is_written_again_is_replaced(tmp_path):
  file = tmp_path / 'steps.csv'
  newer = planned.step(best_seconds=0.5, jax='1.1')
  compiled_steps.write(file, [planned.step(), newer])
  assert compiled_steps.read(file) == (newer,)


def test_no_file_has_no_steps(tmp_path):
  assert compiled_steps.read(tmp_path / 'steps.csv') == ()


@pytest.mark.parametrize(
  ('old', 'new'), [('vocab_size', 'vocab'), ('300', 'many'), ('True', 'yes')]
)
def test_another_table_is_refused(tmp_path, old, new):
  file = tmp_path / 'steps.csv'
  compiled_steps.write(file, [planned.step()])
  file.write_text(file.read_text().replace(old, new))
  with pytest.raises(errors.UserError, match='is no table of compiled steps'):
    compiled_steps.read(file)


def _find(steps, execution=planned.EXECUTION, topology='v5e:2x4', **changes):
  plan = planned.run(**changes)
  return compiled_steps.find(steps, plan, execution, topology)


def test_a_step_is_found_by_all_that_it_depends_on():
  steps = [planned.step()]
  assert _find(steps) == steps[0]
  written_out = dataclasses.replace(planned.LARGE, num_kv_heads=1)
  assert _find(steps, model=written_out) == steps[0]
  assert _find(steps, model=planned.SMALL) is None
  assert _find(steps, sequence_length=64) is None
  assert _find(steps, topology='v5e:4x4') is None
  for other in ({'remat': 'dots'}, {'microbatches': 1}, {'attention': 'xla'}):
    changed = dataclasses.replace(planned.EXECUTION, **other)
    assert _find(steps, execution=changed) is None
  mesh = execution.MeshShape(data=4, fsdp=2)
  changed = dataclasses.replace(planned.EXECUTION, mesh=mesh)
  assert _find(steps, execution=changed) is None


def test_of_several_batches_the_nearest_counts():
  steps = [planned.step(batch_size=size) for size in (8, 64, 512)]
  found = [_find(steps, batch_size=size) for size in (8, 16, 64, 200, 2048)]
  assert [step.batch_size for step in found] == [8, 8, 64, 512, 512]


def test_the_nearest_size_is_by_ratio_and_of_those_that_fit():
  tiny = dataclasses.replace(planned.LARGE, vocab_size=10)
  huge = dataclasses.replace(planned.LARGE, vocab_size=30_000)
  steps = [
    planned.step(model=tiny),
    planned.step(model=huge),
    planned.step(model=huge, topology='v5e:4x4'),
    planned.step(model=planned.LARGE, best_seconds=None),
  ]
  assert compiled_steps.nearest_size(steps, planned.LARGE) == (steps[0],)
  # 480 thousand parameters are 5 times 100 thousand, which are 60 times 2.
  middle = dataclasses.replace(planned.LARGE, vocab_size=6_000)
  assert compiled_steps.nearest_size(steps, middle) == tuple(steps[1:3])


def test_mfu_is_the_share_of_the_peak():
  flops = accounting.train_flops_per_token(planned.LARGE, 32) * 16 * 32
  seconds = flops / (8 * 197e12)
  assert planned.step().mfu(seconds) == pytest.approx(1.0)
  assert planned.step().mfu(4 * seconds) == pytest.approx(0.25)
