import os
import pathlib
import subprocess
import sys
import threading
import time

from etils import epath
import filelock
import jax
from jax.experimental.compilation_cache import compilation_cache as jax_cache
import jax.numpy as jnp
import pytest

from codelaw import compilation_cache

OPTIONS = (
  'jax_compilation_cache_dir',
  'jax_compilation_cache_max_size',
  'jax_enable_compilation_cache',
  'jax_persistent_cache_min_compile_time_secs',
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
  """A cache folder of the test's own, and JAX's options put back."""
  before = {name: getattr(jax.config, name) for name in OPTIONS}
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  monkeypatch.setenv('JAX_ENABLE_COMPILATION_CACHE', 'true')
  monkeypatch.delenv(
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', raising=False
  )
  jax.config.update('jax_compilation_cache_dir', None)
  jax.config.update('jax_enable_compilation_cache', True)
  jax_cache.reset_cache()
  yield tmp_path
  for name, value in before.items():
    jax.config.update(name, value)
  jax_cache.reset_cache()


def compiled_once_more():
  """Compiles, or finds, the same program as a fresh process would."""
  jax.clear_caches()
  # Smaller programs than those of a training run are kept here.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
  return float(jax.jit(lambda x: jnp.sum(x * 3))(jnp.arange(4.0)))


def entries(suffix='-cache'):
  return sorted(
    compilation_cache.default_folder().glob(f'jit__lambda*{suffix}')
  )


def test_programs_are_kept_in_the_users_cache_folder(home, monkeypatch):
  compilation_cache.enable()
  folder = compilation_cache.default_folder()
  assert folder.parent == home / 'codelaw' / 'compiled'
  assert compiled_once_more() == 18
  assert len(entries()) == len(entries('-atime')) == 1
  monkeypatch.setenv('XDG_CACHE_HOME', 'relative')
  monkeypatch.setenv('HOME', '/home/somebody')
  assert compilation_cache.default_folder().is_relative_to(
    '/home/somebody/.cache/codelaw'
  )


def test_a_kept_program_is_not_compiled_again():
  compilation_cache.enable()
  seen = []
  listen = lambda event, **_: seen.append(event)
  jax.monitoring.register_event_listener(listen)
  try:
    compiled_once_more()
    assert '/jax/compilation_cache/cache_misses' in seen
    seen.clear()
    assert compiled_once_more() == 18
    assert '/jax/compilation_cache/cache_hits' in seen
    assert '/jax/compilation_cache/cache_misses' not in seen
  finally:
    jax.monitoring.unregister_event_listener(listen)


def test_what_jax_was_told_stands(home, monkeypatch):
  jax.config.update('jax_compilation_cache_dir', str(home / 'mine'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 7.0)
  monkeypatch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '7')
  compilation_cache.enable()
  assert jax.config.jax_compilation_cache_dir == str(home / 'mine')
  assert jax.config.jax_persistent_cache_min_compile_time_secs == 7
  assert not (home / 'codelaw').exists()
  jax.config.update('jax_compilation_cache_dir', None)
  jax.config.update('jax_enable_compilation_cache', False)
  compilation_cache.enable()
  assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_that_cannot_be_written_is_not_used(home):
  (home / 'codelaw').write_text('not a folder')
  compilation_cache.enable()
  assert jax.config.jax_compilation_cache_dir is None
  assert compiled_once_more() == 18


def test_without_a_home_nothing_is_kept(monkeypatch):
  monkeypatch.delenv('XDG_CACHE_HOME')

  def no_home():
    raise RuntimeError('Could not determine home directory.')

  monkeypatch.setattr(pathlib.Path, 'home', no_home)
  compilation_cache.enable()
  assert jax.config.jax_compilation_cache_dir is None


def test_a_half_written_program_is_removed_and_written_again():
  compilation_cache.enable()
  compiled_once_more()
  (entry,) = entries()
  whole = entry.read_bytes()
  entry.write_bytes(whole[: len(whole) // 2])
  (stamp,) = entries('-atime')
  stamp.unlink()  # As after a kill between the writing of the two files.
  lonely = stamp.with_name('jit_other-atime')
  lonely.write_bytes(b'12345678')
  jax.config.update('jax_compilation_cache_dir', None)
  compilation_cache.enable()
  assert entries() == []
  assert not lonely.exists()
  assert compiled_once_more() == 18
  assert len(entries()[0].read_bytes()) == pytest.approx(len(whole), rel=0.01)


def test_a_damaged_program_is_compiled_with_a_warning():
  compilation_cache.enable()
  compiled_once_more()
  (entry,) = entries()
  entry.write_bytes(b'\0' * 100)
  with pytest.warns(UserWarning, match='Error reading persistent compilation'):
    assert compiled_once_more() == 18


def test_a_full_disk_does_not_stop_the_program(monkeypatch):
  compilation_cache.enable()

  def full(self, value):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(type(jax_cache_path()), 'write_bytes', full)
  with pytest.warns(UserWarning, match='No space left'):
    assert compiled_once_more() == 18


def jax_cache_path():
  """A path of the class that JAX writes entries with."""
  return epath.Path(compilation_cache.default_folder())


def test_cleaning_waits_for_a_process_that_writes_an_entry():
  folder = compilation_cache.default_folder()
  folder.mkdir(parents=True)
  (folder / 'jit_step-cache').write_bytes(b'program')
  with filelock.FileLock(folder / '.lockfile', is_singleton=False):
    cleaner = threading.Thread(target=compilation_cache.enable)
    cleaner.start()
    time.sleep(0.2)  # Without the lock it would be done by now.
    (folder / 'jit_step-atime').write_bytes(b'12345678')
  cleaner.join()
  assert (folder / 'jit_step-cache').exists()


def test_training_does_not_import_tensorflow():
  done = subprocess.run(
    [
      *(sys.executable, '-c'),
      'import sys\n'
      'import codelaw.cli.main, codelaw.cli.train\n'
      'from codelaw.studies import execution\n'
      'from codelaw import compilation_cache\n'
      'from codelaw.train import loop\n'
      'print([m for m in ("tensorflow", "torch") if m in sys.modules])',
    ],
    env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.stdout == '[]\n', done.stderr


_FIRST_STEP = """
import os, sys, time
from codelaw.cli import main
from codelaw.train import loop

def first_step(update, *rest, **named):
  print(f'first step after {time.time() - float(sys.argv[1]):.2f} s')
  print('tensorflow' in sys.modules)
  sys.stdout.flush()
  os._exit(0)

loop.bookkeeping.Books.account = first_step
sys.exit(main.main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_a_warm_start_reaches_its_first_step_in_15_seconds(
  home, shards_dir, tmp_path
):
  seconds = []
  for attempt in ('cold', 'warm'):
    done = subprocess.run(
      [
        *(sys.executable, '-c', _FIRST_STEP, str(time.time()), 'train'),
        '--gin_file=models/sequential_1m.gin',
        '--gin_file=mixtures/python_only.gin',
        '--gin_file=schedules/wsd.gin',
        '--gin_file=runs/pretrain.gin',
        '--gin.MODEL=@sequential_1m/ModelShape()',
        f"--gin.SHARDS_DIR='{shards_dir}'",
        f"--gin.MODEL_DIR='{tmp_path / attempt}'",
        '--gin.SEQUENCE_LENGTH=16',
        '--gin.TRAIN_TOKENS=1024',
        '--gin.PEAK_LEARNING_RATE=0.01',
      ],
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr
    *_, said, with_tensorflow = done.stdout.splitlines()
    assert with_tensorflow == 'False'
    seconds.append(float(said.split()[-2]))
  assert seconds[1] < 15, seconds
