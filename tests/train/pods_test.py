"""The launched entry point on the hosts of a slice, as a slice starts it."""

import shutil
import time

import pytest

from codelaw import records
from codelaw.train import checkpoint
from codelaw.train import rundir
from tests.train import distributed_test
from tests.train import pods

plan = distributed_test.plan
whole = distributed_test.whole


def _wait_for_checkpoint(folder, hosts):
  deadline = time.monotonic() + 600
  while not (folder / 'checkpoints' / '6').exists():
    assert hosts.are_alive(), hosts.wait()
    assert time.monotonic() < deadline
    time.sleep(0.05)


def _gin(plan, folder):
  rundir.write_gin(folder, plan)
  return folder / rundir.GIN_FILE


def _finish(hosts):
  results = hosts.wait()
  assert [code for code, _, _ in results] == [0] * len(results), results
  return results


@pytest.mark.slow
def test_a_preempted_slice_of_four_goes_on_on_four_and_on_two(
  plan, whole, tmp_path
):
  never, same, fewer = (tmp_path / n for n in ('never', 'same', 'fewer'))
  with pods.on_gke(_gin(plan, same), 4) as hosts:
    _wait_for_checkpoint(same, hosts)
    hosts.preempt(2)
    results = hosts.wait()
  # Not 0, which would count as finished, nor 2, which would not be restarted.
  assert [code for code, _, _ in results] == [130] * 4, results
  assert all('Traceback' not in stderr for _, _, stderr in results)
  record = records.read_run_record(same)
  assert record.status == 'running'
  assert 6 <= record.step < plan.num_steps
  assert max(checkpoint.steps(same / 'checkpoints')) == record.step
  shutil.copytree(same, fewer)
  with pods.on_gke(_gin(plan, same), 4) as hosts:
    results = _finish(hosts)
  assert f'checkpoint of step {record.step}' in results[0][2]
  with pods.on_gke(_gin(plan, fewer), 2) as hosts:
    _finish(hosts)
  with pods.on_gke(_gin(plan, never), 4) as hosts:
    _finish(hosts)
  distributed_test.check(plan, never, whole)
  uninterrupted = distributed_test.scalars(never)
  distributed_test.check(plan, same, uninterrupted, exact=True)
  distributed_test.check(plan, fewer, whole)
  hardware = records.read_run_record(same).hardware
  assert hardware['hosts'] == '4'


@pytest.mark.slow
@pytest.mark.skipif(
  not pods.has_namespaces(), reason='a PCI bus needs a mount namespace'
)
def test_tpu_vms_find_each_other_by_their_metadata_servers(
  plan, whole, tmp_path
):
  folder = tmp_path / 'run'
  with pods.on_tpu_vms(_gin(plan, folder), 2, tmp_path) as hosts:
    _wait_for_checkpoint(folder, hosts)
    hosts.preempt(1)
    results = hosts.wait()
  assert [code for code, _, _ in results] == [130] * 2, results
  with pods.on_tpu_vms(_gin(plan, folder), 2, tmp_path) as hosts:
    _finish(hosts)
  distributed_test.check(plan, folder, whole)
