"""Deaths, refusals and interrupts of workers in an order that a test plays."""

import pytest

from codelaw import errors
from codelaw import records
from codelaw.studies import execution
from codelaw.studies import experiments
from codelaw.studies import workers
from codelaw.train import checkpoint
from codelaw.train import loop
from tests.studies import planned


class _Worker:
  """Remembers what it is told."""

  def __init__(self, cast):
    self.task = self.step = None
    self.place = len(cast.workers)
    self.cast = cast
    self.ending = []
    cast.workers.append(self)

  def train(self, task):
    assert self not in self.cast.dead
    self.task, self.step = task, task.step
    self.cast.given.append((self.place, task.run_id))

  def wish_to_end(self):
    self.ending.append('wish')

  def close(self):
    self.ending.append('close')


class _Cast:
  """Workers, and a script of (place of the worker, kind, content)."""

  def __init__(self, script):
    self.script = iter(script)
    self.workers, self.dead, self.given = [], set(), []

  def messages(self, living):
    place, kind, content = next(self.script)
    if isinstance(kind, BaseException):
      raise kind
    worker = self.workers[place]
    assert worker in living
    if kind == workers.DIED:
      self.dead.add(worker)
    yield worker, kind, content


@pytest.fixture
def play(monkeypatch, tmp_path):
  """Executes runs by a script; returns (cast, progress reports)."""

  def run(
    script,
    names,
    after=None,
    steps=(),
    num_workers=2,
    max_failures=3,
    model=lambda name: planned.LARGE,
  ):
    cast = _Cast(script)
    monkeypatch.setattr(workers, 'Worker', lambda: _Worker(cast))
    monkeypatch.setattr(workers, 'messages', cast.messages)
    saved = iter(steps)
    monkeypatch.setattr(checkpoint, 'steps', lambda folder: next(saved, []))
    after = after or {}
    runs = []
    for seed, name in enumerate(names):
      initial = None
      if name in after:
        initial = records.InitialCheckpoint(str(tmp_path / after[name]))
      plan = planned.run(seed=seed, initial=initial, model=model(name))
      runs.append(experiments.PlannedRun(name, ('single',), plan))
    reports = []
    error = None
    try:
      execution.execute(
        *(runs, tmp_path, lambda *report: reports.append(report)),
        *(num_workers, max_failures),
      )
    except (errors.UserError, KeyboardInterrupt) as caught:
      error = caught
    assert all(
      w.ending[-1:] == ['close'] for w in cast.workers if w not in (cast.dead)
    )
    return cast, reports, error

  return run


def _at(step):
  return loop.Progress(step, num_steps=8)


READY, DONE, DIED, REFUSED, AT = (
  *(workers.READY, workers.DONE, workers.DIED, workers.REFUSED, workers.AT),
)


def test_a_worker_that_died_while_it_waited_is_given_nothing(play):
  cast, _, error = play(
    [
      (0, READY, None),
      (1, READY, None),  # `b` waits for `a`
      (1, DIED, 'was killed'),
      (0, DONE, None),
      (0, DONE, None),
    ],
    'ab',
    after={'b': 'a'},
  )
  assert error is None
  assert cast.given == [(0, 'a'), (0, 'b')]


def test_a_worker_takes_what_the_others_are_not_on(play):
  """Three large runs and two small ones, which are more than half as much."""
  cast, _, error = play(
    [
      (0, READY, None),
      (1, READY, None),
      *((place, DONE, None) for place in (0, 1, 0, 1, 0)),
    ],
    ['L1', 'L2', 'L3', 's1', 's2'],
    model=lambda name: planned.LARGE if 'L' in name else planned.SMALL,
  )
  assert error is None
  assert cast.given[:2] == [(0, 'L1'), (1, 's1')]


def test_nobody_replaces_a_worker_that_nothing_is_left_for(play):
  cast, _, error = play(
    [
      (0, READY, None),
      (1, READY, None),
      (1, DONE, None),
      (1, DIED, 'was killed'),
      (0, DONE, None),
    ],
    'ab',
  )
  assert error is None
  assert len(cast.workers) == 2


def test_one_that_replaces_another_may_die_too(play):
  """As long as the run gets further, it is not given up."""
  died = 'was killed'
  cast, _, error = play(
    [
      (0, READY, None),
      (1, READY, None),
      (0, DIED, died),  # with `a`, at the checkpoint of step 1
      (2, READY, None),
      (2, DIED, died),  # 2
      (3, READY, None),
      (3, DIED, died),  # still 2
      (4, READY, None),
      (4, DIED, died),  # 3
      (5, READY, None),
      (5, DONE, None),
      (1, DONE, None),
    ],
    'ab',
    steps=[[1], [1, 2], [1, 2], [3]],
    max_failures=3,
  )
  assert error is None
  assert [name for _, name in cast.given] == ['a', 'b', 'a', 'a', 'a', 'a']


def test_a_run_that_gets_no_further_is_given_up_and_others_are_not(play):
  died = 'was killed'
  cast, _, error = play(
    [
      (0, READY, None),
      (1, READY, None),
      (0, DIED, died),
      (2, READY, None),
      (2, DIED, died),  # `b` is behind `a`, so nobody is needed but for `d`
      (3, READY, None),
      (1, DONE, None),
      (3, DONE, None),
    ],
    ['a', 'c', 'b', 'd'],
    after={'b': 'a'},
    steps=[[7], [7]],
    max_failures=2,
  )
  said = str(error)
  assert said.startswith('The run a could not be trained: its worker process')
  assert 'the last of 2 in a row' in said
  assert 'checkpoint of step 7' in said
  assert 'b would have started from there' in said
  assert 'Nor could' not in said
  assert [name for _, name in cast.given] == ['a', 'c', 'a', 'd']


def test_workers_that_die_early_are_counted_in_a_row(play):
  died = 'was killed'
  script = [
    (0, DIED, died),
    (2, DIED, died),
    (1, READY, None),
    (3, DIED, died),
    (4, DIED, died),
    (5, READY, None),
    (1, DONE, None),
    (5, DONE, None),
    (1, DONE, None),
  ]
  _, _, error = play(script, 'abc')
  assert error is None
  _, _, error = play([script[0], script[1], (3, DIED, died)], 'def')
  assert '3 in a row before they had a run' in str(error)


def test_an_interrupt_is_passed_on_to_all_workers_first(play):
  cast, _, error = play(
    [(0, READY, None), (1, READY, None), (0, KeyboardInterrupt(), None)], 'ab'
  )
  assert isinstance(error, KeyboardInterrupt)
  assert [w.ending for w in cast.workers] == [['wish', 'close']] * 2


def test_all_that_failed_is_named_and_counts_as_no_work(play):
  _, reports, error = play(
    [
      (0, READY, None),
      (1, READY, None),
      (0, REFUSED, 'its loss is nan.'),
      (1, REFUSED, 'so is its.'),
      (0, AT, _at(4)),
      (0, AT, _at(8)),
      (0, DONE, None),
    ],
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    after={'d': 'a', 'e': 'd', 'f': 'b', 'g': 'f'},
  )
  assert str(error) == (
    'The run a could not be trained: its loss is nan. Nor could b. d, e, f and'
    ' 1 more would have started from there. All other runs are finished;'
    ' started again, the study trains what is left.'
  )
  assert [fraction for _, fraction, _ in reports[-2:]] == [0.5, 1.0]


def test_time_left_is_by_the_speed_of_this_start(monkeypatch):
  now = [0.0]
  monkeypatch.setattr(execution.time, 'monotonic', lambda: now[0])
  reports = []
  clock = execution._Clock(
    {'done': 100.0, 'a': 10.0, 'b': 10.0},
    lambda *report: reports.append(report),
  )
  clock.report('done', _at(8))  # by an earlier start: it teaches nothing
  for seconds, name, step in ((0, 'a', 2), (5, 'a', 8), (10, 'b', 4)):
    now[0] = seconds
    clock.report(name, _at(step))
  # From 2.5 on, 7.5 in 5 seconds; then 12.5 in 10, and 5 are left.
  assert [left for _, _, left in reports] == [
    None,
    None,
    pytest.approx(10 / 1.5),
    pytest.approx(5 / 1.25),
  ]
  assert reports[-1][1] == pytest.approx(115 / 120)
