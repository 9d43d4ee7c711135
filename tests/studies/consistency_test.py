"""What cannot be a study is refused in one sentence."""

import pytest

from codelaw import errors
from codelaw import records
from codelaw.corpora import deduplication
from codelaw.corpora import plan as plan_lib
from codelaw.corpora.synthetic import reader
from codelaw.data import shards
from codelaw.planning import allocation
from codelaw.planning import ladder
from codelaw.planning import space
from codelaw.studies import experiments
from codelaw.studies import sweep
from tests.studies import planned

ALLOCATION = {
  'allocation': allocation.AllocationSettings(),
  'target_sources': ['text'],
}
CORPUS = plan_lib.CorpusPlan(
  [reader.SyntheticPrograms(5)], 'corpus', deduplication.Deduplication()
)


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'run': 3}, 'StudyPlan.run takes @RunPlan\\(\\), got 3'),
    ({'experiments': []}, 'must be a list'),
    ({'experiments': ['x']}, 'takes a list of @Grid'),
    ({'experiments': [experiments.Grid]}, 'takes a list of @Grid'),
    ({'slices': ['x']}, r'must be a list of @Slice\(\), got'),
    ({'slices': [planned.ON_SLICES] * 2}, 'two for one model'),
    ({'study_dir': ''}, 'study_dir must be a folder to write into'),
    ({'generated_dir': None}, 'generated_dir must be a folder to write into'),
    ({'slices': planned.ON_SLICES}, 'must be a list'),
    ({'scale': 3}, r'takes @Scale\(\) or None, got 3'),
    ({'sizing': 3}, 'takes @LearningRateRule'),
    ({'corpus': 'corpus'}, r'takes @CorpusPlan\(\) or None'),
    ({'shards': 'shards'}, r'takes @CachePlan\(\) or None'),
    ({'fit': None}, r'takes @FitSettings\(\), got None'),
    ({'retries': 3}, r'takes @RetryPolicy\(\), got 3'),
    ({'allocation': 1}, r'takes @AllocationSettings\(\) or None'),
    ({'name': ''}, 'text without /'),
    ({'name': 'a/b'}, 'text without /'),
    ({'run': planned.run(eval_sequences=0)}, 'eval_sequences = 0'),
    ({'num_workers': -1}, 'num_workers must be a whole number of at least 0'),
    ({'num_workers': 1.5}, 'num_workers must be a whole number of at least 0'),
    ({'confirmation_seeds': True}, 'confirmation_seeds must be a whole number'),
    ({'poll_seconds': 'x'}, 'poll_seconds must be a number of at least 0'),
    ({'dollars_per_chip_hour': -1}, 'dollars_per_chip_hour must be a number'),
    ({'supply': [1]}, 'must be like'),
    ({'supply': {'text': -1}}, 'at least 0, got -1'),
    ({'law': 'no_such_law'}, "no law 'no_such_law'"),
    ({'target_sources': 'text'}, 'must be a list'),
    ({'target_sources': ['A B']}, 'lower case'),
    ({**ALLOCATION, 'target_sources': []}, 'needs laws'),
    ({'confirmation_seeds': 2}, 'bind StudyPlan.allocation'),
    ({**ALLOCATION, 'confirmation_seeds': 1}, 'at least 2'),
    (
      {
        'corpus': CORPUS,
        'shards': shards.CachePlan('elsewhere', 'no_such_shards', 300, 32),
      },
      'must read the corpus',
    ),
    (
      {
        'corpus': CORPUS,
        'shards': shards.CachePlan('corpus', 'elsewhere', 300, 32),
      },
      'must train on the shards',
    ),
    (
      {
        'target_sources': ['text'],
        'allocation': allocation.AllocationSettings(objective='score'),
      },
      'allocates for losses',
    ),
    (
      {
        'target_sources': ['text'],
        'allocation': allocation.AllocationSettings(
          stages=(space.StageLimits('main'), space.StageLimits('cooldown'))
        ),
      },
      'one mixture throughout',
    ),
  ],
)
def test_studies_that_do_not_hang_together_are_refused(changes, message):
  with pytest.raises(errors.UserError, match=message):
    planned.study(**changes)


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((3, 'v5e:1x1'), r'Slice.model must be @ModelShape\(\), got 3'),
    ((planned.SMALL, 'v5e:1x1', 3), r'execution must be @Execution\(\), got 3'),
  ],
)
def test_slices_of_nothing_are_refused(arguments, message):
  with pytest.raises(errors.UserError, match=message):
    sweep.Slice(*arguments)


def test_settings_of_their_kind_are_taken():
  class Own:
    """A user's own experiment and sizing."""

    def runs(self, pattern):
      yield pattern.named('single', pattern.plan())

    def sized(self, plan):
      return ladder.with_learning_rate(plan, 0.5)

  study = planned.study(
    experiments=[Own()],
    sizing=Own(),
    slices=[],
    corpus=CORPUS,
    num_workers=2,
    dollars_per_chip_hour=0,
    **ALLOCATION,
    confirmation_seeds=2,
  )
  (run,) = sweep.planned_runs(study)
  assert run.plan.optimizer == records.OptimizerSettings(0.5)
