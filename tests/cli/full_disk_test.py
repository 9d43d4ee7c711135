"""The verbs that write data, on a disk that is full: a real small one."""

import json
import os
import resource
import subprocess

import pytest

from codelaw import errors
from codelaw.cli import main
from codelaw.data import manifest as manifest_lib


@pytest.fixture(scope='module')
def corpus_dir(tmp_path_factory):
  """About 600 kB of text whose tokens cannot be compressed away."""
  folder = tmp_path_factory.mktemp('full') / 'corpus'
  assert main.main([*_CORPUS, f'--out={folder}']) == 0
  return folder


_CORPUS = (
  'corpus',
  'build',
  '--gin_file=corpora/tiny.gin',
  '--gin.SOURCE_BYTES=400000',
)
_CACHE = (
  'cache',
  '--gin_file=corpora/shards_quickstart.gin',
  '--gin.CachePlan.vocab_size=300',
  '--gin.CachePlan.sample_bytes_per_token=100',
)


@pytest.fixture(params=['full disk', 'file size limit'])
def small_disk(request, tmp_path):
  """A folder that takes about 200 kB, and then no more."""
  if request.param == 'file size limit':
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    return
  folder = tmp_path / 'disk'
  folder.mkdir()
  mounted = subprocess.run(
    ['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', folder],
    capture_output=True,
  )
  if mounted.returncode:
    pytest.skip('needs the right to mount a disk')
  yield folder
  subprocess.run(['umount', folder], check=True)


@pytest.mark.parametrize('num_workers', [1, 2])
def test_cache(corpus_dir, small_disk, capsys, num_workers):
  folder = small_disk / 'shards'
  arguments = [*_CACHE, f'--corpus={corpus_dir}', f'--out={folder}']
  assert main.main([*arguments, f'--num_workers={num_workers}']) == 2
  error = capsys.readouterr().err
  assert 'Cannot write the shards of' in error
  assert 'it keeps what is finished' in error
  with pytest.raises(errors.UserError, match='no finished shards'):
    manifest_lib.read(folder)
  # Nothing that is half written stays, whatever it is called.
  assert not list((folder / '.partial').glob('unfinished-*'))
  for record in (folder / '.partial').rglob('part.json'):
    for file in json.loads(record.read_text())['shards']['files']:
      assert (record.parent / file['name']).stat().st_size == file['bytes']


def test_corpus_build(small_disk, capsys):
  folder = small_disk / 'corpus'
  assert main.main([*_CORPUS, f'--out={folder}']) == 2
  assert 'Cannot write the corpus' in capsys.readouterr().err
  assert not (folder / 'corpus.json').exists()


def test_there_is_room_without_the_limit(corpus_dir, tmp_path):
  out = f'--out={tmp_path / "shards"}'
  assert main.main([*_CACHE, f'--corpus={corpus_dir}', out]) == 0
  assert os.path.exists(tmp_path / 'shards' / 'manifest.json')
