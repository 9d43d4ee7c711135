"""Which way imports may point, checked on the syntax tree."""

import ast
import pathlib

import pytest

import codelaw

ROOT = pathlib.Path(codelaw.__file__).parent
BASE = {
  'compilation_cache',
  'errors',
  'storage',
  'accounting',
  'execution',
  'records',
  'scores',
  'size_rules',
  'gin_text',
  'reference',
}
ALLOWED = {
  'corpora': set(),
  'data': {'corpora'},
  'models': set(),
  'train': {'models', 'data'},
  'evaluation': {'corpora', 'models', 'data', 'train'},
  'interop': {'models', 'data', 'train'},
  'runs': set(),
  'laws': set(),
  'planning': {'laws'},
  'launch': set(),
  'reports': {'laws', 'runs', 'planning'},
  'studies': {
    'corpora',
    'data',
    'models',
    'train',
    'evaluation',
    'interop',
    'runs',
    'laws',
    'planning',
    'reports',
    'launch',
  },
}
TRAINING_PACKAGES = {
  'flax',
  'optax',
  'orbax',
  'grain',
  'seqio',
  'tensorflow',
  'array_record',
  'tokenizers',
  'datasketch',
}
ANALYSIS = ('runs', 'laws', 'planning', 'reports')
MODULES = sorted(ROOT.rglob('*.py'))


def _package(path: pathlib.Path) -> str:
  parts = path.relative_to(ROOT).parts
  return parts[0] if len(parts) > 1 else path.stem


def _imports(path: pathlib.Path, top_level_only: bool = False) -> set[str]:
  tree = ast.parse(path.read_text())
  found = set()
  for node in tree.body if top_level_only else ast.walk(tree):
    if isinstance(node, ast.Import):
      found.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{path}: relative import'
      found.update(f'{node.module}.{alias.name}' for alias in node.names)
  return found


def test_every_module_is_found():
  assert len(MODULES) > 30
  assert {_package(p) for p in MODULES} >= set(ALLOWED) | {'cli'} | BASE


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_imports_point_one_way(path):
  package = _package(path)
  if package in ('cli', '__main__', '__init__'):
    return
  allowed = ALLOWED.get(package, set()) | BASE | {package, '__version__'}
  for name in _imports(path):
    if name.startswith('codelaw.'):
      assert name.split('.')[1] in allowed, f'{path} imports {name}'


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_gin_and_flags_stay_in_the_command_line(path):
  """But for what T5X's command line imports."""
  if _package(path) != 'cli' and path != ROOT / 'interop' / 't5x_gin.py':
    roots = {name.split('.')[0] for name in _imports(path)}
    assert not roots & {'gin', 'argparse', 'absl'}


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_analysis_needs_no_training_package(path):
  if _package(path) in ANALYSIS:
    roots = {name.split('.')[0] for name in _imports(path)}
    assert not roots & TRAINING_PACKAGES


@pytest.mark.parametrize(
  ('packages', 'prefix'),
  [
    ({'seqio', 'tensorflow', 'tensorflow_text'}, 'seqio_'),
    ({'apache_beam'}, 'beam_'),
    ({'lm_eval'}, 'harness'),
  ],
  ids=['seqio', 'beam', 'harness'],
)
@pytest.mark.parametrize('path', MODULES, ids=str)
def test_slow_packages_are_imported_where_they_are_used(path, packages, prefix):
  """In modules named after them, inside functions."""
  anywhere = {name.split('.')[0] for name in _imports(path)}
  at_once = {name.split('.')[0] for name in _imports(path, top_level_only=True)}
  assert not at_once & packages
  assert path.name.startswith(prefix) or not anywhere & packages


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_t5x_is_imported_for_t5x_only(path):
  """By modules that nothing else imports."""
  if path.parent == ROOT / 'interop' and path.name.startswith('t5x_'):
    return
  names = _imports(path)
  assert not {name.split('.')[0] for name in names} & {'t5x', 'clu'}
  assert not any(name.startswith('codelaw.interop.t5x_') for name in names)


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_module_names_say_something(path):
  assert path.stem not in ('utils', 'util', 'common', 'helpers', 'misc')
