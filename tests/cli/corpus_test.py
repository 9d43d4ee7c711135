import dataclasses
import importlib.util
import shutil
import subprocess
import sys

import pytest

from codelaw.cli import corpus
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import terminal
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib


def _gin(name):
  return f'--gin_file={gin_config.config_root()}/corpora/{name}.gin'


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
  out = tmp_path_factory.mktemp('corpus') / 'tiny'
  assert main.main(['corpus', 'build', _gin('tiny'), f'--out={out}']) == 0
  return out


def test_build_writes_the_sources_of_the_gin_file(tiny):
  content = report.read(tiny)
  assert list(content.sources) == [
    'code/python',
    'code/c_cpp',
    'synthetic/python',
    'synthetic/javascript',
  ]
  for source in content.sources.values():
    assert 100_000 <= source.bytes <= 200_000


def test_build_again_changes_nothing(tiny, capsys):
  before = report.read(tiny)
  assert main.main(['corpus', 'build', _gin('tiny'), f'--out={tiny}']) == 0
  assert report.read(tiny) == before
  assert 'already holds this corpus' in capsys.readouterr().err


def test_build_of_another_plan_is_refused(tiny, capsys):
  arguments = ['corpus', 'build', _gin('tiny'), f'--out={tiny}']
  code = main.main([*arguments, '--gin.SOURCE_BYTES=150_000'])
  assert code == 2
  assert 'holds a corpus of another plan' in capsys.readouterr().err


@pytest.mark.skipif(
  importlib.util.find_spec('apache_beam') is None,
  reason='Apache Beam is not installed',
)
def test_beam_builds_the_same_corpus(tmp_path):
  plan = tmp_path / 'plan.gin'
  plan.write_text("""
    CorpusPlan.readers = [@SyntheticPrograms()]
    CorpusPlan.deduplication = @Deduplication()
    CorpusPlan.output_dir = 'named by --out'
    CorpusPlan.min_bytes_per_source = 1000
    SyntheticPrograms.num_problems = 60
    SyntheticPrograms.languages = ['python']
  """)
  for name, flags in (
    ('one', []),
    ('other', ['--beam', '--beam_options=--direct_num_workers=1']),
  ):
    arguments = [f'--gin_file={plan}', f'--out={tmp_path / name}', *flags]
    assert main.main(['corpus', 'build', *arguments]) == 0
  one, other = (report.read(tmp_path / name) for name in ('one', 'other'))
  assert one.fingerprint == other.fingerprint
  assert one.plan_fingerprint == other.plan_fingerprint


def test_inspect_shows_counts_licenses_and_samples(tiny, capsys):
  assert main.main(['corpus', 'inspect', f'--corpus={tiny}']) == 0
  shown = capsys.readouterr().out
  for text in ('code/c_cpp', 'synthetic/javascript', 'CC0-1.0', 'validation'):
    assert text in shown
  assert 'more lines' in shown
  main.main(['corpus', 'inspect', f'--corpus={tiny}', '--samples=0'])
  assert 'more lines' not in capsys.readouterr().out


def _samples(capsys, tiny, *flags):
  assert main.main(['corpus', 'inspect', f'--corpus={tiny}', *flags]) == 0
  shown = capsys.readouterr().out
  return [line for line in shown.split('\n') if line.endswith('─')][-99:]


def test_samples_are_of_the_sources_asked_for_and_drawn_by_seed(tiny, capsys):
  flags = ['--source=synthetic/python', '--samples=3']

  def origins(*more):
    lines = _samples(capsys, tiny, *flags, *more)
    return [line for line in lines if line.startswith('synthetic/python ')]

  first = origins()
  assert len(first) == 3
  assert origins('--seed=0') == first
  assert origins('--seed=1') != first
  arguments = ['corpus', 'inspect', f'--corpus={tiny}', '--source=code/java']
  assert main.main(arguments) == 2
  assert 'it has code/python, code/c_cpp' in capsys.readouterr().err


def test_tokens_of_the_shards_are_shown(tiny, tmp_path, capsys):
  shards = tmp_path / 'shards'
  cache = [
    'cache',
    f'--corpus={tiny}',
    f'--out={shards}',
    '--gin.CachePlan.vocab_size=300',
    '--gin.CachePlan.sequence_length=128',
  ]
  assert main.main(cache) == 0
  inspect = ['corpus', 'inspect', f'--corpus={tiny}', '--samples=0']
  capsys.readouterr()
  assert main.main([*inspect, f'--shards={shards}']) == 0
  shown = capsys.readouterr().out
  manifest = manifest_lib.read(shards)
  (line,) = [
    line
    for line in shown.split('Tokens in')[1].split('Dropped')[0].split('\n')
    if line.strip().startswith('synthetic/python ')
  ]
  splits = manifest.sources['synthetic/python']
  tokens = {split: shards.tokens for split, shards in splits.items()}
  total = sum(s.tokens for of in manifest.sources.values() for s in of.values())
  assert terminal.count(sum(tokens.values())) in line
  assert terminal.count(tokens['validation']) in line
  assert f'{sum(tokens.values()) / total:.1%}' in line
  # Shards of another corpus say nothing about this one.
  content = dataclasses.replace(report.read(tiny), fingerprint='another')
  shutil.copytree(tiny, tmp_path / 'other')
  report.write(tmp_path / 'other', content)
  arguments = ['corpus', 'inspect', f'--corpus={tmp_path}/other']
  assert main.main([*arguments, f'--shards={shards}']) == 2
  assert 'packed from another corpus' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['inspect'], 'needs --corpus=DIR'),
    (['inspect', '--corpus=nowhere'], 'no finished corpus'),
    (['inspect', '--corpus=x', '--samples=-1'], 'at least 0'),
    (['inspect', '--corpus=x', '--gin.a=1'], 'no gin settings'),
    (['build', '--corpus=x'], '--source are for inspect'),
    (['inspect', '--corpus=x', '--beam'], 'no --out, --beam or'),
    (['build'], 'readers'),
    (
      ['build', _gin('tiny'), '--gin.CorpusPlan.filters=["hex"]'],
      "names the filter 'hex'",
    ),
    (
      ['build', _gin('tiny'), '--gin.PythonEnvironment.soruces={}'],
      'soruces',
    ),
  ],
)
def test_mistakes_end_with_one_sentence(arguments, message, capsys):
  assert main.main(['corpus', *arguments]) == 2
  shown = capsys.readouterr().err
  assert message in shown
  assert 'Traceback' not in shown


def test_quickstart_plan_builds_from_its_gin_file():
  parser = main.build_parser('corpus')
  args = parser.parse_args(['build', _gin('quickstart')])
  args.gin_bindings = []
  plan = gin_config.load(args, plan_lib.CorpusPlan, corpus.PARTS)
  assert plan.output_dir == 'results/quickstart/corpus'
  assert len(plan.readers) == 2
  # The settings are JSON: they are fingerprinted and written to the index.
  assert plan.settings()['readers'][0]['reader'] == 'PythonEnvironment'


def test_environments_without_the_javascript_package_are_told_the_source(
  tmp_path, capsys
):
  arguments = ['corpus', 'build', _gin('quickstart'), f'--out={tmp_path}/c']
  limits = [
    '--gin.PythonEnvironment.sources={"code/rust": ["rust"]}',
    '--gin.NUM_PROBLEMS=5',
  ]
  assert main.main([*arguments, *limits]) == 2
  assert 'Source code/rust has' in capsys.readouterr().err


def test_a_killed_build_leaves_no_corpus(tmp_path):
  """The process dies at once, without any clean-up of its own."""
  script = (
    'import os, sys\n'
    'from codelaw.cli import corpus, main\n'
    'from codelaw.corpora import report\n'
    'report.write = lambda *_: os._exit(9)\n'
    'main.main(sys.argv[1:])\n'
  )
  arguments = ['corpus', 'build', _gin('tiny'), f'--out={tmp_path}/c']
  done = subprocess.run([sys.executable, '-c', script, *arguments], check=False)
  assert done.returncode == 9
  assert not report.exists(tmp_path / 'c')
  assert list((tmp_path / 'c').rglob('*.parquet'))
  assert main.main(arguments) == 0
  assert report.exists(tmp_path / 'c')
  shutil.rmtree(tmp_path / 'c')
