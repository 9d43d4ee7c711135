import os

import pytest

from codelaw import errors
from codelaw.train import topology


@pytest.fixture
def environment(monkeypatch):
  """A copy of the process's, without a choice of platform."""
  monkeypatch.setattr(os, 'environ', dict(os.environ))
  for name in (
    'JAX_PLATFORMS',
    'TPU_SKIP_MDS_QUERY',
    'TPU_WORKER_HOSTNAMES',
    'TPU_WORKER_ID',
  ):
    os.environ.pop(name, None)
  return os.environ


@pytest.mark.parametrize('name', topology.TOPOLOGIES)
def test_every_slice_has_its_chips(name):
  pytest.importorskip('libtpu')
  topology.prepare()
  devices = topology.devices(name)
  rows, columns = topology.grid(name)
  assert len(devices) == rows * columns == topology.num_chips(name)
  assert {device.device_kind for device in devices} == {topology.DEVICE_KIND}
  assert sorted(tuple(device.coords[:2]) for device in devices) == [
    (row, column) for row in range(rows) for column in range(columns)
  ]


def test_other_slices_are_refused():
  with pytest.raises(errors.UserError, match="one of v5e:1x1.* got 'v5e:3x3'"):
    topology.check('v5e:3x3')


def test_slices_grow_up_to_256_chips():
  names, name = [], topology.TOPOLOGIES[0]
  while name:
    names.append(topology.num_chips(name))
    name = topology.larger(name)
  assert names == [1, 4, 8, 16, 32, 64, 128, 256]


def test_without_libtpu_it_says_what_to_install(monkeypatch, environment):
  monkeypatch.setattr(topology, '_installed', lambda: None)
  with pytest.raises(errors.UserError, match=r'codelaw\[train,tpu\]'):
    topology.prepare()
  assert 'TPU_SKIP_MDS_QUERY' not in environment


@pytest.mark.parametrize(
  ('installed', 'files', 'given', 'expected'),
  [
    (True, [], None, 'cpu'),
    (True, ['/dev/accel0'], None, None),
    (True, ['/dev/nvidia0'], None, None),
    (False, [], None, None),
    (True, [], 'tpu', 'tpu'),
  ],
)
def test_a_tpu_that_is_not_there_is_not_looked_for(
  monkeypatch, environment, installed, files, given, expected
):
  monkeypatch.setattr(topology, '_installed', lambda: installed or None)
  monkeypatch.setattr(
    topology.glob,
    'glob',
    lambda pattern: [f for f in files if f.startswith(pattern.rstrip('*'))],
  )
  if given:
    environment['JAX_PLATFORMS'] = given
  topology.hide_absent_tpu()
  assert environment.get('JAX_PLATFORMS') == expected


@pytest.mark.parametrize('name', ['TPU_WORKER_ID', 'TPU_WORKER_HOSTNAMES'])
def test_a_host_of_a_slice_does_not_fall_back_on_its_cpu(
  monkeypatch, environment, name
):
  monkeypatch.setattr(topology, '_installed', lambda: True)
  monkeypatch.setattr(topology.glob, 'glob', lambda pattern: [])
  environment[name] = '0'
  topology.hide_absent_tpu()
  assert 'JAX_PLATFORMS' not in environment
