"""Where and with what a run was made: code, packages, hardware."""

import functools
from importlib import metadata
import pathlib
import platform
import subprocess

import jax

import codelaw
from codelaw import accounting

_PACKAGES = (
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'grain',
  'numpy',
)


@functools.lru_cache(maxsize=1)
def code_revision() -> str:
  """The git revision of this code, with `+changes` where files differ.

  Where the package is not in a git checkout of its own: its version.
  """
  package = pathlib.Path(codelaw.__file__).parent

  def git(*arguments: str) -> str:
    return subprocess.run(
      ['git', '-C', str(package), *arguments],
      check=True,
      capture_output=True,
      text=True,
    ).stdout.strip()

  try:
    git('ls-files', '--error-unmatch', '__init__.py')
    changes = git('status', '--porcelain', '--untracked-files=no', '.')
    return git('rev-parse', 'HEAD') + ('+changes' if changes else '')
  except (OSError, subprocess.CalledProcessError):
    return f'codelaw {codelaw.__version__}'


@functools.lru_cache(maxsize=1)
def package_versions() -> dict[str, str]:
  """Distribution -> version, of what decides the numbers of a run."""
  versions = {'python': platform.python_version()}
  versions['codelaw'] = codelaw.__version__
  for name in _PACKAGES:
    versions[name] = metadata.version(name)
  return versions


def hardware() -> dict[str, str]:
  """Kind and number of chips, the peak that `mfu` is relative to, and hosts."""
  device = jax.devices()[0]
  peak = accounting.peak_flops_per_second(device.device_kind)
  return {
    'platform': device.platform,
    'device_kind': device.device_kind,
    'device_count': str(jax.device_count()),
    'peak_flops_per_second_per_device': f'{peak:g}' if peak else 'unknown',
    'hosts': str(jax.process_count()),
  }
