"""What a user gets wrong ends with exit code 2 and one helpful sentence."""

import json
import shutil

import pytest

from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import train

RUN = '--gin_file=generated/quickstart_run.gin'
STUDY = 'results/quickstart'
CORPUS = (
  '--gin_file=corpora/tiny.gin',
  f'--out={STUDY}/corpus',
)
CACHE = (
  'cache',
  '--gin_file=corpora/shards_quickstart.gin',
  f'--corpus={STUDY}/corpus',
  f'--out={STUDY}/shards',
)
SHARD = f'{STUDY}/shards/code/c_cpp/train-00000-of-00001.array_record'


@pytest.fixture(scope='module')
def shared(finished, tmp_path_factory):
  folder = tmp_path_factory.mktemp('mistakes') / 'example'
  shutil.copytree(finished.folder, folder)
  return folder


@pytest.fixture
def refused(shared, monkeypatch, capsys):
  """Runs a command that must be refused; gives its one sentence."""
  monkeypatch.chdir(shared)

  def run(*arguments):
    assert main.main(list(arguments)) == 2
    shown = capsys.readouterr().err
    *before, sentence = shown.splitlines()
    # Progress and notes may come before; the mistake is the last line.
    usual = ('note: ', 'train: ', 'shards: ', 'verify: ', 'collect: ')
    assert all(line.startswith(usual) for line in before)
    assert sentence.startswith('codelaw')
    assert sentence.endswith(('.', '?'))
    assert 'Traceback' not in shown
    return sentence

  return run


@pytest.mark.parametrize(
  ('binding', 'parts'),
  [
    ("MixtureRates.rates={'code/pyton': 1}", ['code/pyton', 'code/python']),
    ('RunPlan.bacth_size=2', ['bacth_size']),
    ('RunPln.batch_size=2', ['RunPln']),
    ('BTACH_SIZE=2', ['BTACH_SIZE', 'spelling']),
    ('coldown/Stage.token_weight=2', ['coldown/Stage', 'spelling']),
    ("MixtureRates.rates={'markup': -1}", ['markup', '-1', 'at least 0']),
    ("MixtureRates.rates={'markup': 0}", ['sum']),
    ("MixtureRates.rates={'markup': 0, 'code/c_cpp': 0.0}", ['sum']),
    ("RunPlan.shards_dir='nowhere'", ['nowhere', 'codelaw cache']),
    ('RunPlan.sequence_length=64', ['64', '128']),
    ('RunPlan.num_tokens=40_000_000', ['epochs', 'max_epochs']),
    ('RunPlan.num_tokens=-3', ['num_tokens', '-3']),
    ('ModelShape.vocab_size=300', ['300', '512']),
    ('ModelShape.width=-8', ['width', '-8']),
    ('Schedule.stages=3', ['Schedule.stages', '3']),
    ('Stage.learning_rate_shape=linear', ['quotes']),
  ],
)
def test_a_mistake_in_gin(refused, binding, parts):
  sentence = refused('train', RUN, f'--gin.{binding}')
  for part in parts:
    assert part in sentence


def test_a_missing_gin_file(refused):
  assert 'no/such.gin' in refused('train', '--gin_file=no/such.gin')


def test_a_gin_file_that_is_not_gin(refused, shared):
  (shared / 'broken.gin').write_text('RunPlan.seed = = 3\n')
  assert 'broken.gin' in refused('train', '--gin_file=broken.gin')


def test_a_gin_file_without_its_run(refused):
  assert 'must be set' in refused('train', '--gin_file=models/parallel_98k.gin')


def test_an_unknown_verb(refused):
  sentence = refused('trian')
  assert 'trian' in sentence
  assert 'train' in sentence


@pytest.mark.parametrize(
  ('flags', 'parts'),
  [
    (['--law=chinchila'], ('chinchila', 'chinchilla', 'import MODULE')),
    (['--law=chinchilla', '--objectiv=x'], ('--objectiv=x',)),
    ([], ('--law',)),
  ],
)
def test_an_unknown_law_or_flag(refused, flags, parts):
  sentence = refused('fit', f'--runs={STUDY}/runs.csv', '--out=o', *flags)
  for part in parts:
    assert part in sentence


def test_a_column_that_is_not_there(refused):
  fit = ('fit', f'--runs={STUDY}/runs.csv', '--law=chinchilla', '--out=o')
  sentence = refused(*fit, '--target=loss/code/pyton')
  assert 'loss/code/pyton' in sentence
  assert 'loss/code/python' in sentence
  assert 'flops' in refused(*fit, '--columns=num_params:flops*1e9')
  assert 'language' in refused(*fit, '--group_by=language')
  assert 'num_parms' in refused(*fit, '--filter=num_parms>3')


def test_a_table_without_what_the_law_needs(refused, shared):
  (shared / 'short.csv').write_text('run_id,num_params,loss\na,1e6,3.0\n')
  for law in ('chinchilla', 'transfer'):
    refused('fit', '--runs=short.csv', f'--law={law}', '--out=o')
  sentence = refused(
    'fit', '--runs=short.csv', '--law=chinchilla', '--out=o', '--target=loss'
  )
  assert 'num_tokens' in sentence


def test_a_fit_of_another_law(refused):
  refused(
    *('allocate', f'--fit={STUDY}/fits/fit.json', '--out=o.gin'),
    *('--num_params=1e6', '--num_tokens=1e6'),
  )
  assert 'nothing.json' in refused(
    'predict', '--fit=nothing.json', f'--points={STUDY}/runs.csv', '--out=o.csv'
  )


def test_a_corrupt_event_file(refused, shared):
  run = next(iter(sorted((shared / STUDY / 'runs').iterdir())))
  (file,) = (run / 'eval').glob('*tfevents*')
  content = bytearray(file.read_bytes())
  content[len(content) // 2] ^= 0xFF
  whole = file.read_bytes()
  file.write_bytes(content)
  try:
    sentence = refused('collect', f'--runs={STUDY}/runs', '--out=o.csv')
  finally:
    file.write_bytes(whole)
  assert file.name in sentence


def test_runs_that_are_not_there(refused):
  sentence = refused('collect', '--runs=results/nothing*', '--out=o.csv')
  assert 'results/nothing*' in sentence


def test_a_run_folder_of_another_plan(refused, shared):
  run = next(iter(sorted((shared / STUDY / 'runs').iterdir())))
  sentence = refused(
    'train', RUN, f'--gin.TrainSettings.model_dir={str(run)!r}'
  )
  assert run.name in sentence
  assert 'another plan' in sentence


def test_folders_of_another_plan(refused):
  assert 'another plan' in refused(*CACHE, '--gin.CachePlan.vocab_size=600')
  # Of corpora/tiny.gin alone, whose sources are others.
  assert 'another plan' in refused('corpus', 'build', *CORPUS)


def test_a_study_on_another_corpus(refused):
  sentence = refused(
    *('study', '--gin_file=studies/tiny.gin', "--gin.CORPUS_DIR='elsewhere'"),
    "--gin.CachePlan.corpus_dir='results/tiny/corpus'",
  )
  assert 'elsewhere' in sentence


def test_a_corpus_that_is_not_there(refused):
  sentence = refused('corpus', 'inspect', '--corpus=results/nothing')
  assert 'results/nothing' in sentence
  assert 'results/nothing' in refused('report', '--study=results/nothing')


@pytest.mark.parametrize('damage', ['gone', 'cut', 'emptied'])
def test_a_damaged_shard(refused, shared, damage):
  file = shared / SHARD
  whole = file.read_bytes()
  try:
    if damage == 'gone':
      file.unlink()
    else:
      file.write_bytes(whole[: len(whole) // 2] if damage == 'cut' else b'')
    for command in (('train', RUN), CACHE):
      sentence = refused(*command)
      assert SHARD in sentence
      assert 'codelaw cache' in sentence
  finally:
    file.write_bytes(whole)


def test_a_shard_with_other_bytes_is_found_by_verify(refused, shared):
  file = shared / SHARD
  whole = file.read_bytes()
  middle = len(whole) // 2
  try:
    file.write_bytes(whole[:middle] + b'\0' * 9 + whole[middle + 9 :])
    sentence = refused(*CACHE, '--verify')
    assert SHARD in sentence
    assert 'damaged' in sentence
  finally:
    file.write_bytes(whole)


@pytest.mark.parametrize('text', ['', '{', '[]', '{"run_id": "a"}'])
def test_a_broken_run_json(refused, shared, text):
  run = next(iter(sorted((shared / STUDY / 'runs').iterdir())))
  whole = (run / 'run.json').read_text()
  (run / 'run.json').write_text(text)
  try:
    refused('collect', f'--runs={STUDY}/runs', '--out=o.csv')
  finally:
    (run / 'run.json').write_text(whole)


@pytest.mark.parametrize('text', ['', '{', '[]', '{"fits": 3}', '{"a": []}'])
def test_a_broken_fit_json(refused, shared, text):
  (shared / 'bad.json').write_text(text)
  points = f'--points={STUDY}/runs.csv'
  sentence = refused('predict', '--fit=bad.json', points, '--out=o.csv')
  assert 'bad.json' in sentence


def _plan(file, *bindings):
  parser = main.build_parser('train')
  args = parser.parse_args([f'--gin_file={name}' for name in file])
  args.gin_bindings = list(bindings)
  return gin_config.load(args, train.TrainSettings, train.PARTS)


@pytest.mark.parametrize('way', ['file', 'binding'])
def test_other_rates_change_the_mixture_of_the_plan_alone(
  shared, monkeypatch, way
):
  monkeypatch.chdir(shared)
  run = 'generated/quickstart_run.gin'
  rates = {'markup': 0.25, 'code/javascript': 0.75}
  binding = f'MixtureRates.rates = {rates}'
  if way == 'file':
    (shared / 'mine.gin').write_text(binding)
    after = _plan([run, 'mine.gin'])
  else:
    after = _plan([run], binding)
  before = _plan([run])
  assert after.model_dir == before.model_dir
  ours, theirs = records.to_json(before.plan), records.to_json(after.plan)
  for stage in theirs['schedule']['stages']:
    assert stage['mixture'] == {'rates': rates}
  changed = [
    stage.pop('mixture')
    for content in (ours, theirs)
    for stage in content['schedule']['stages']
  ]
  assert len(changed) == 4
  assert json.dumps(ours) == json.dumps(theirs)
