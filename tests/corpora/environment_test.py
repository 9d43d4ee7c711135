import email.message
import itertools
import random
import sys
import sysconfig

import pytest

from codelaw import errors
from codelaw.corpora import environment
from codelaw.corpora import source_trees
from tests.corpora import collected

_PROGRAM = 'def f(x):\n  """Returns x."""\n  return x\n' * 5


@pytest.fixture
def fake_environment(tmp_path, monkeypatch):
  """A standard library of one module and one distribution of two files."""
  paths = {name: tmp_path / name for name in ('stdlib', 'include', 'purelib')}
  for path in paths.values():
    path.mkdir()
  paths['platlib'] = paths['purelib']
  (paths['stdlib'] / 'os.py').write_text(_PROGRAM + '# stdlib\n')
  packages = paths['stdlib'] / 'site-packages'
  packages.mkdir()
  (packages / 'stray.py').write_text(_PROGRAM + '# stray\n')
  (paths['include'] / 'Python.h').write_text('int f(void);\n' * 20)
  root = paths['purelib']
  for name in ('My_Dist-1.0.dist-info', 'my_dist'):
    (root / name).mkdir()
  (root / 'my_dist/a.py').write_text(_PROGRAM)
  (root / 'my_dist/unlisted.py').write_text(_PROGRAM)
  (root / 'My_Dist-1.0.dist-info/METADATA').write_text(
    'Metadata-Version: 2.4\nName: My_Dist\nLicense-Expression: MIT\n'
  )
  (root / 'My_Dist-1.0.dist-info/RECORD').write_text(
    'my_dist/a.py,,\nmy_dist/gone.py,,\n../../bin/tool.py,,\n'
  )
  monkeypatch.setattr(sysconfig, 'get_path', lambda name: str(paths[name]))
  return tmp_path


def test_documents_of_an_environment(fake_environment):
  reader = environment.PythonEnvironment(
    {'code/python': ['python'], 'code/c': ['c']}
  )
  found = {
    (item.origin, item.license)
    for items in collected.by_source(reader).values()
    for item in items
  }
  version = f'python{sys.version_info.major}.{sys.version_info.minor}'
  assert found == {
    (f'{version}/os.py', 'PSF-2.0'),
    (f'{version}/include/Python.h', 'PSF-2.0'),
    ('my-dist/my_dist/a.py', 'MIT'),
  }


def test_this_environment_has_python_and_names_no_place_of_this_machine():
  reader = environment.PythonEnvironment({'code/python': ['python']})
  found = collected.items(reader, 1_000_000)
  origins = [item.origin for item in itertools.islice(found, 100)]
  assert not [origin for origin in origins if origin.startswith(('/', '.'))]
  # A sample, not the first packages of the alphabet.
  assert len({origin.split('/')[0] for origin in origins}) > 5
  again = collected.items(reader, 1_000_000)
  assert [item.origin for item in itertools.islice(again, 100)] == origins


@pytest.mark.parametrize(
  ('headers', 'expected'),
  [
    ([('License-Expression', 'MIT OR Apache-2.0')], 'MIT OR Apache-2.0'),
    (
      [('Classifier', 'License :: OSI Approved :: Apache Software License')],
      'Apache-2.0',
    ),
    (
      [
        ('Classifier', 'License :: OSI Approved'),
        ('Classifier', 'License :: OSI Approved :: BSD License'),
        ('License', 'something else'),
      ],
      'BSD License',
    ),
    ([('License', 'BSD-3-Clause')], 'BSD-3-Clause'),
    ([('License', 'Copyright\nby somebody')], ''),
    ([], ''),
  ],
)
def test_license_of(headers, expected):
  metadata = email.message.Message()
  for name, value in headers:
    metadata[name] = value
  assert environment.license_of(metadata) == expected


def test_share_out_of_range():
  with pytest.raises(errors.UserError, match='at most 1, got 0'):
    environment.PythonEnvironment(
      {'code/python': ['python']}, max_share_per_distribution=0
    )


def _files(tmp_path, sizes):
  files = []
  for name, size in sizes.items():
    path = tmp_path / name.replace('/', '_')
    path.write_text('x' * size)
    owner = name.split('/')[0]
    files.append(source_trees.SourceFile(str(path), name, owner))
  return files


def test_order_depends_on_origins_and_seed_alone(tmp_path):
  files = _files(tmp_path, {f'p/{i}.py': 10 for i in range(30)})
  shuffled = random.Random(0).sample(files, len(files))

  def order(listed, seed):
    chosen = environment.sample_order(listed, seed, 1000, 100)
    return [file.origin for file in chosen]

  assert order(files, 1) == order(shuffled, 1)
  assert order(files, 1) != order(files, 2)
  assert sorted(order(files, 1)) == sorted(file.origin for file in files)
  assert order(files, 1) != sorted(order(files, 1))


@pytest.mark.parametrize('seed', range(4))
def test_an_owner_past_its_share_comes_last(tmp_path, seed):
  sizes = {f'big/{i}.py': 10 for i in range(40)}
  sizes |= {f'small/{i}.py': 10 for i in range(3)}
  files = _files(tmp_path, sizes)
  chosen = environment.sample_order(files, seed, 30, 100)
  owners = [file.owner for file in chosen]
  assert len(owners) == 43
  # Each may give 30 bytes at first; the files beyond come after all others.
  assert sorted(owners[:6]) == ['big'] * 3 + ['small'] * 3
