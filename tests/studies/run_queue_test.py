import collections

import pytest

from codelaw import accounting
from codelaw import records
from codelaw.studies import run_queue

SMALL = accounting.ModelShape(300, 8, 1, 1, 8, 16)
LARGE = accounting.ModelShape(300, 16, 1, 1, 8, 16)


def _task(name, model=SMALL, num_tokens=1024, after=None, **changes):
  mixture = records.MixtureRates({'a': 1})
  values = {
    'model': model,
    'schedule': records.Schedule((records.Stage('main', mixture),)),
    'optimizer': records.OptimizerSettings(1.0),
    'shards_dir': 'shards',
    'num_tokens': num_tokens,
    'sequence_length': 32,
    'batch_size': 2,
  }
  if after is not None:
    values['initial'] = records.InitialCheckpoint(f'runs/{after}')
  plan = records.RunPlan(**{**values, **changes})
  return run_queue.Task(name, plan, f'runs/{name}')


def _names(queue, warm=None):
  """All that is ready, one after another, without finishing any."""
  found = []
  while task := queue.pop(warm):
    found.append(task.run_id)
  return found


def test_a_run_waits_for_the_one_it_starts_from_and_others_do_not():
  queue = run_queue.RunQueue(
    [
      _task('trunk'),
      _task('branch', after='trunk'),
      _task('twig', after='branch'),
      _task('other'),
    ]
  )
  assert _names(queue) == ['trunk', 'other']
  assert len(queue) == 2
  queue.finished('other')
  assert _names(queue) == []
  queue.finished('trunk')
  assert _names(queue) == ['branch']
  queue.finished('branch')
  assert _names(queue) == ['twig']


def test_a_run_that_starts_from_one_that_is_done_or_elsewhere_is_ready():
  assert _names(run_queue.RunQueue([_task('a', after='elsewhere')])) == ['a']


def test_what_was_put_back_waits_at_its_place_and_holds_up_those_behind_it():
  queue = run_queue.RunQueue(
    [_task('a'), _task('b', after='a'), _task('c'), _task('d')]
  )
  first = queue.pop()
  assert first.run_id == 'a'
  assert queue.pop().run_id == 'c'
  queue.put_back(first)
  assert _names(queue) == ['a', 'd']


def test_giving_a_run_up_takes_out_all_that_is_behind_it():
  queue = run_queue.RunQueue(
    [
      _task('a'),
      _task('b', after='a'),
      _task('c', after='b'),
      _task('d', after='a'),
      _task('e'),
    ]
  )
  assert queue.pop().run_id == 'a'
  assert sorted(queue.give_up('a')) == ['b', 'c', 'd']
  assert _names(queue) == ['e']
  assert len(queue) == 0


def test_a_worker_keeps_to_its_step_and_then_takes_that_with_most_work():
  large = [_task(f'large{i}', LARGE) for i in range(2)]
  small = [_task(f'small{i}') for i in range(2)]
  queue = run_queue.RunQueue([*small, *large])
  assert small[0].work < large[0].work < 2 * small[0].work
  # The large ones are more work, but not for each of two workers.
  assert queue.pop().run_id == 'large0'
  queue.put_back(large[0])
  assert queue.pop(busy=[large[0].step]).run_id == 'small0'
  assert queue.pop(warm=small[0].step, busy=[large[0].step]) == small[1]
  assert queue.pop(warm=small[0].step, busy=[large[0].step]) == large[0]


@pytest.mark.parametrize(
  ('changes', 'shared'),
  [
    ({'optimizer': records.OptimizerSettings(0.5)}, True),
    ({'num_tokens': 2048, 'seed': 1}, True),
    ({'optimizer': records.OptimizerSettings(1.0, beta2=0.9)}, False),
    ({'batch_size': 4}, False),
    ({'sequence_length': 16}, False),
    ({'model': LARGE}, False),
  ],
)
def test_what_an_update_is_compiled_for(changes, shared):
  one, other = _task('one'), _task('other', **changes)
  assert (one.step == other.step) == shared


def test_two_workers_go_through_many_models_and_compile_few_steps_twice():
  models = [
    accounting.ModelShape(300, 8 * (1 + i), 1, 1, 8, 16) for i in range(6)
  ]
  tasks = [
    _task(f'{i}-{tokens}', model, tokens)
    for i, model in reversed(list(enumerate(models)))
    for tokens in (4096, 2048, 1024)
  ]
  queue = run_queue.RunQueue(tasks)
  ends, steps = [0.0, 0.0], [None, None]
  compiled = collections.Counter()
  done = []
  while len(queue):  # each run takes as long as it has work
    one = ends.index(min(ends))
    task = queue.pop(steps[one], [steps[1 - one]])
    compiled[one, task.step] += task.step != steps[one]
    ends[one], steps[one] = ends[one] + task.work, task.step
    done.append(task.run_id)
  assert sorted(done) == sorted(task.run_id for task in tasks)
  assert sum(compiled.values()) <= len(models) + 1
  # Without any step being shared, the largest run is the worst difference.
  assert abs(ends[0] - ends[1]) <= max(task.work for task in tasks) / 2
