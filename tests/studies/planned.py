"""A small study that no corpus is needed for: two variants and a grid."""

from codelaw import accounting
from codelaw import execution
from codelaw import records
from codelaw.studies import compiled_steps
from codelaw.studies import experiments
from codelaw.studies import sweep
from codelaw.studies import variants

SMALL = accounting.ModelShape(300, 8, 1, 1, 8, 16)
LARGE = accounting.ModelShape(300, 16, 1, 1, 8, 16)
TEXT = records.MixtureRates({'text': 1})
CODE = records.MixtureRates({'code': 1})
BOTH = records.MixtureRates({'text': 3, 'code': 1})
EXECUTION = execution.Execution(
  mesh=execution.MeshShape(data=2, fsdp=-1), remat='full', microbatches=2
)

PRETRAIN = variants.VariantStage(records.Stage('pretrain', CODE), 4096)
CONTINUED = variants.VariantStage(records.Stage('continued', BOTH), 2048)
VARIANTS = variants.Variants(
  [
    variants.Variant('code', [PRETRAIN]),
    variants.Variant('code->both', [PRETRAIN, CONTINUED]),
  ],
  [SMALL],
)
GRID = experiments.Grid(['text'], [SMALL, LARGE], [1024, 2048])
ON_SLICES = sweep.Slice(LARGE, 'v5e:2x4', EXECUTION)


def run(**changes) -> records.RunPlan:
  """The pattern of the runs: batches of 16 x 32 tokens."""
  values = {
    'model': LARGE,
    'schedule': records.Schedule((records.Stage('main', TEXT),)),
    'optimizer': records.OptimizerSettings(1e-2),
    'shards_dir': 'no_such_shards',
    'num_tokens': 4096,
    'sequence_length': 32,
    'batch_size': 16,
  }
  return records.RunPlan(**{**values, **changes})


def study(**changes) -> sweep.StudyPlan:
  """A study of six runs: a chain of two, and four alone."""
  values = {
    'name': 'test',
    'study_dir': 'no_such_study',
    'generated_dir': 'no_such_study',
    'run': run(),
    'experiments': [VARIANTS, GRID],
    'slices': [ON_SLICES],
  }
  return sweep.StudyPlan(**{**values, **changes})


def step(**changes) -> compiled_steps.CompiledStep:
  """Of `LARGE` on its slice: a second to two of 16 x 32 tokens."""
  values = {
    'model': LARGE,
    'sequence_length': 32,
    'batch_size': 16,
    'topology': 'v5e:2x4',
    'execution': execution.Execution(
      mesh=execution.MeshShape(2, 4, 1), remat='full', microbatches=2
    ),
    'best_seconds': 1.0,
    'worst_seconds': 2.0,
    'hbm_gib': 3.5,
    'jax': '1.0',
    'libtpu': '2.0',
  }
  return compiled_steps.CompiledStep(**{**values, **changes})
