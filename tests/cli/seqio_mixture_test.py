import pytest

from codelaw import records
from codelaw.cli import main
from codelaw.data import manifest as manifest_lib

# TensorFlow's own warnings at import are not ours to mend.
pytestmark = pytest.mark.filterwarnings('ignore')
pytest.importorskip('seqio')
MODULE = 'tests.data.seqio_examples'
FILES = (
  'models/sequential_14k.gin',
  'mixtures/seqio.gin',
  'schedules/wsd.gin',
  'runs/pretrain.gin',
)


@pytest.fixture(scope='module')
def shards_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('work') / 'shards'
  assert main.main(cache(folder)) == 0
  return folder


def cache(folder, mixture='example', module=MODULE):
  return [
    'cache',
    f'--seqio_mixture={mixture}',
    f'--seqio_module={module}',
    f'--out={folder}',
    '--gin.SeqioImport.sequence_length=64',
  ]


def run(verb, shards_dir, model_dir='run', **changes):
  macros = {
    'MODEL': '@sequential_14k/ModelShape()',
    'SHARDS_DIR': repr(str(shards_dir)),
    'MODEL_DIR': repr(str(model_dir)),
    'TRAIN_TOKENS': 64 * 4 * 20,
    'PEAK_LEARNING_RATE': 0.01,
    'BATCH_SIZE': 4,
    'SEQUENCE_LENGTH': 64,
    'SEQIO_MIXTURE': "'example'",
    'SEQIO_MODULES': repr([MODULE]),
    **changes,
  }
  return [
    verb,
    *(f'--gin_file={file}' for file in FILES),
    *(f'--gin.{name}={value}' for name, value in macros.items()),
  ]


def test_a_mixture_is_trained_on_by_its_name(shards_dir, tmp_path, capsys):
  assert main.main(run('train', shards_dir, tmp_path)) == 0
  shown, said = capsys.readouterr()
  assert 'example:Python' in shown
  assert '-> example/python' in shown
  assert 'bits/byte' in said
  record = records.read_run_record(tmp_path)
  assert record.status == 'finished'
  assert record.realised_tokens == record.planned_tokens
  assert set(record.planned_tokens) == {'example/python', 'example_docs'}
  total = sum(record.planned_tokens.values())
  for stage in record.plan.schedule.stages:
    for source, share in stage.mixture.shares().items():
      assert abs(record.planned_tokens[source] - share * total) < 2 * 64
  # What was run says so without SeqIO, and is found finished.
  again = ['train', f'--gin_file={tmp_path / "operative_config.gin"}']
  assert main.main(again) == 0
  assert 'finished; skipped' in ''.join(capsys.readouterr())


def test_a_stage_may_have_a_mixture_of_its_own(shards_dir, capsys):
  arguments = run('mixture', shards_dir)
  cooldown = "--gin.cooldown/SeqioMixture.name='example_docs'"
  assert main.main([*arguments, cooldown]) == 0
  lines = [line.split() for line in capsys.readouterr().out.splitlines()]
  # The table of sources has a line for each stage, then its sources.
  start = lines.index(['cooldown'])
  end = next(i for i in range(start, len(lines)) if lines[i][:1] == ['all'])
  shares = {row[0]: row[1] for row in lines[start + 1 : end]}
  assert shares == {'example_docs': '100.00%'}


def test_the_table_of_what_was_packed(shards_dir, capsys):
  assert main.main([*cache(shards_dir), '--verify']) == 0
  shown, said = capsys.readouterr()
  assert 'vocabulary 259, sequences of 64 tokens' in shown
  assert 'already there' in said
  manifest = manifest_lib.read(shards_dir)
  assert f'{manifest.split("example_docs", "train").tokens:,}' in shown


def test_a_mistake_ends_with_one_sentence(shards_dir, tmp_path, capsys):
  new = tmp_path / 'new'
  other = run('train', shards_dir, tmp_path / 'run')
  cases = {
    "no mixture or task 'exmaple'": cache(new, mixture='exmaple'),
    "'tests.absent' cannot be imported": cache(new, module='tests.absent'),
    '--corpus is for a corpus': [*cache(new), '--corpus=corpus'],
    '--num_workers is for a corpus': [*cache(new), '--num_workers=2'],
    '--seqio_module is for': ['cache', '--seqio_module=x', '--out=new'],
    'SeqIO has no mixture': [*other, "--gin.SEQIO_MIXTURE='exmaple'"],
    'cannot be imported': [*other, "--gin.SEQIO_MODULES=['tests.absent']"],
    'must be a list': [*other, f"--gin.SEQIO_MODULES='{MODULE}'"],
    'holds no finished shards': run('train', new, tmp_path / 'run'),
    'SEQIO_MODULES': [a for a in other if 'SEQIO_MODULES' not in a],
  }
  for expected, arguments in cases.items():
    capsys.readouterr()
    assert main.main(arguments) == 2, expected
    error = capsys.readouterr().err
    assert expected in error
    assert error.count('\n') == 1, error
  assert not (tmp_path / 'run').exists()
  assert not manifest_lib.exists(new)


def test_a_mixture_that_was_not_packed_names_the_command(
  shards_dir, tmp_path, capsys
):
  from tests.data import seqio_examples

  name = 'late'
  seqio_examples.add_task(name, {'train': ['a', 'b']})
  arguments = run('train', shards_dir, tmp_path, SEQIO_MIXTURE=f"'{name}'")
  assert main.main(arguments) == 2
  error = capsys.readouterr().err
  assert f'no source {name} ' in error
  assert '`codelaw cache --seqio_mixture=' in error
  assert error.count('\n') == 1
