import dataclasses
import subprocess

import pytest

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import jobset
from codelaw.launch import queued_resources
from codelaw.launch import slices
from codelaw.launch import xpk
from codelaw.train import topology

JOB = job_lib.Job('a', ('codelaw', 'train'), 'v5e:4x4')
FOLDERS = (
  '/mnt/codelaw/a/runs/n94m_d1b_s0',
  '/mnt/codelaw/b/runs/n94m_d1b_s0',
  '/mnt/codelaw/a/runs/N94M-D1B-S0',
  '/runs/' + 'long-' * 20,
  '/runs/' + 'long-' * 20 + 'er',
  '/runs/0123456789',
  '/runs/' + '0' * 60,
  '/runs/___',
  '/runs/ä',
)


@dataclasses.dataclass(frozen=True)
class Shelf:
  """An engine that holds what a test puts there."""

  mount: None = None

  def commands(self, job):
    return (job_lib.Command(('true', job.name)),)

  def jobs(self):
    return self.there

  def remove(self, name, wait=True):
    assert wait  # it is handed in again at once
    del self.there[name]


def shelf(**there):
  found = Shelf()
  object.__setattr__(found, 'there', there)
  return found


SAME = job_lib.fingerprint(JOB, Shelf())


def test_names_are_valid_and_differ():
  names = [job_lib.name_of(folder) for folder in FOLDERS]
  assert len(set(names)) == len(FOLDERS)
  for name in names:
    job_lib.check_name(name)


def test_a_name_begins_like_its_run_and_stays():
  name = job_lib.name_of('/a/runs/n94m_d1b_s0')
  assert name.startswith('n94m-d1b-s0-')
  assert name == job_lib.name_of('/a/runs/n94m_d1b_s0/')


@pytest.mark.parametrize('name', ['', 'A', '1a', 'a-', 'a_b', 'a' * 41])
def test_other_names_are_refused(name):
  with pytest.raises(errors.UserError, match='name of a job'):
    job_lib.Job(name, ('true',), 'v5e:4x4')


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'command': ()}, 'command of words'),
    ({'command': ('codelaw', '')}, 'command of words'),
    ({'topology': 'v5e:3x3'}, 'topology of a job'),
    ({'environment': {'A B': 'c'}}, 'environment'),
    ({'environment': {'A': 1}}, 'environment'),
  ],
)
def test_mistakes_are_said(change, message):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(JOB, **change)


def test_a_command_means_the_same_in_a_shell(tmp_path):
  text = 'it\'s "$HOME" `true` \\ \n\nEND\n'
  command = job_lib.Command(
    ('bash', '-c', 'printf "%s|" "$@"; cat', '-', "a 'b'", '--c=$d e'), text
  )
  shown = subprocess.run(
    ['bash', '-c', command.as_shell()], capture_output=True, text=True
  )
  assert shown.stdout == f"a 'b'|--c=$d e|{text}"
  alone = job_lib.Command(('echo', 'd', '--a=b c'))
  assert alone.as_shell() == "echo d \\\n  '--a=b c'\n"


def test_the_slices_are_those_that_can_be_compiled_for():
  assert tuple(slices.SLICES) == topology.TOPOLOGIES
  for name, found in slices.SLICES.items():
    assert found.num_chips == topology.num_chips(name)
    assert found.num_hosts * found.chips_per_host == found.num_chips
    assert found.accelerator_type == f'v5litepod-{found.num_chips}'
  hosts = {name: found.num_hosts for name, found in slices.SLICES.items()}
  assert [hosts[f'v5e:{s}'] for s in ('1x1', '2x2', '2x4')] == [1, 1, 1]
  assert (hosts['v5e:4x4'], hosts['v5e:16x16']) == (4, 64)


@pytest.mark.parametrize(
  'kind', [queued_resources.QueuedResources, jobset.JobSet, xpk.Xpk]
)
def test_engines_are_engines(kind):
  engine = object.__new__(kind)
  object.__setattr__(engine, 'mount', None)
  assert isinstance(engine, job_lib.Engine)


def test_a_job_is_due_where_there_is_none_that_lives():
  assert job_lib.is_due(JOB, shelf())
  for state in ('waiting', 'running', 'finished'):
    for fingerprint in (SAME, ''):
      found = job_lib.Found(state, 'x', '', fingerprint)
      assert not job_lib.is_due(JOB, shelf(a=found))
      assert job_lib.is_due(JOB, shelf(b=found))


@pytest.mark.parametrize('state', ['failed', 'preempted'])
def test_a_dead_job_makes_way(state):
  engine = shelf(a=job_lib.Found(state, 'x', '', 'other'))
  assert job_lib.is_due(JOB, engine)
  assert engine.jobs() == {}


def test_a_job_of_that_name_with_other_content_is_not_replaced():
  other = dataclasses.replace(JOB, environment={'A': 'b'})
  found = job_lib.Found(
    'running', 'zone-x', '', job_lib.fingerprint(other, Shelf())
  )
  with pytest.raises(errors.UserError, match=r'zone-x has a job a \(running\)'):
    job_lib.is_due(JOB, shelf(a=found))


def test_a_name_that_is_being_freed_is_waited_for():
  found = job_lib.Found('failed', 'x', '', SAME, is_leaving=True)
  engine = shelf(a=found)
  with pytest.raises(job_lib.TransientError, match='being removed'):
    job_lib.is_due(JOB, engine)
  assert engine.jobs() == {'a': found}
