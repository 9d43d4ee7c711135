"""`codelaw train` on the hosts of a TPU slice, all of them on this machine.

Each host is a process that finds what Google gives a real one, and nothing
else tells it of the others. What is not real: the addresses are those of the
loopback, the devices are virtual CPUs (JAX_PLATFORMS), and the port of the
coordinator is a free one (JAX_COORDINATOR_PORT; in a slice it is 8482).

  A container on Google Kubernetes Engine has variables, which GKE's webhook
    adds to pods that ask for google.com/tpu
    (https://cloud.google.com/kubernetes-engine/docs/concepts/tpus), and jax
    reads in `jax._src.clusters.cloud_tpu_cluster.GkeTpuCluster`. It also has a
    metadata server, which knows nothing of slices; jax asks it for several of
    them three times six times, which takes 9 s.
  A TPU VM has a metadata server that knows, which `GceTpuCluster` asks.

Before either, jax looks for the chips on the PCI bus. JAX_FORCE_TPU_INIT takes
the place of a look that finds some; it is not enough on a TPU VM, which asks
the metadata server only for chips that are there: so a TPU VM gets a mount
namespace with a PCI bus of our own.
"""

import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

_ROOT = pathlib.Path(__file__).parents[2]
_TIMEOUT_SECONDS = 900
_BUS = '/sys/bus/pci/devices'
_ON_BUS_OF_OURS = f'mount --bind "$1" {_BUS} && shift && exec "$@"'


class Hosts:
  """The hosts of a slice; ends them when it is left.

  Args:
    gin_file: of the run.
    environments: of each host, beside what all have.
    wrapper: what the command of each host is an argument of.
  """

  def __init__(self, gin_file, environments, wrapper=()):
    with socket.socket() as free:
      free.bind(('localhost', 0))
      port = free.getsockname()[1]
    self._processes = [
      subprocess.Popen(
        [
          *wrapper,
          *(sys.executable, '-m', 'codelaw', 'train'),
          f'--gin_file={gin_file}',
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env=_without_tpu(os.environ)
        | {
          'JAX_PLATFORMS': 'cpu',
          'JAX_COORDINATOR_PORT': str(port),
          'PYTHONPATH': str(_ROOT),
          **environment,
        },
      )
      for environment in environments
    ]

  def __enter__(self):
    return self

  def __exit__(self, *_):
    for process in self._processes:
      if process.poll() is None:
        process.kill()
      process.communicate()

  def are_alive(self):
    """Whether none has ended."""
    return all(process.poll() is None for process in self._processes)

  def preempt(self, host):
    """As a host is told that its machine will be taken away."""
    self._processes[host].send_signal(signal.SIGTERM)

  def wait(self):
    """[(exit code, stdout, stderr)] of all."""
    end, results = time.monotonic() + _TIMEOUT_SECONDS, []
    for process in self._processes:
      out, err = process.communicate(timeout=max(1, end - time.monotonic()))
      results.append((process.returncode, out, err))
    return results


def _without_tpu(environment):
  """Without what jax has put there on finding no chips in this process."""
  return {
    name: value
    for name, value in environment.items()
    if not name.startswith('TPU_')
  }


def injected(host, num_hosts, subdomain=''):
  """What GKE adds to a container of host number `host` of a v5e slice."""
  return {
    'TPU_WORKER_ID': str(host),
    'TPU_WORKER_HOSTNAMES': ','.join(
      f'host-{i}.{subdomain}' if subdomain else f'127.0.0.{i + 1}'
      for i in range(num_hosts)
    ),
    'TPU_ACCELERATOR_TYPE': f'v5litepod-{4 * num_hosts}',
    'TPU_SKIP_MDS_QUERY': 'true',
    'KUBERNETES_SERVICE_HOST': '10.0.0.1',
  }


@contextlib.contextmanager
def on_gke(gin_file, num_hosts):
  """Pods of a slice on Google Kubernetes Engine.

  Args:
    gin_file: of the run.
    num_hosts: of the slice.
  """
  with _metadata_server({}) as address:
    common = {'JAX_FORCE_TPU_INIT': '1', 'GCE_METADATA_IP': address}
    with Hosts(
      gin_file,
      [{**injected(host, num_hosts), **common} for host in range(num_hosts)],
    ) as hosts:
      yield hosts


def has_namespaces():
  """Whether a process may have a PCI bus of its own here."""
  command = ['unshare', '--mount', '--map-root-user', 'sh', '-c']
  mount = f'mount --bind /tmp {_BUS}'
  return (
    shutil.which('unshare') is not None
    and os.path.isdir(_BUS)
    and not subprocess.run([*command, mount], capture_output=True).returncode
  )


@contextlib.contextmanager
def on_tpu_vms(gin_file, num_hosts, folder):
  """TPU VMs of a slice, each with its metadata server; where has_namespaces.

  Args:
    gin_file: of the run.
    num_hosts: of the slice.
    folder: to write to.
  """
  for chip in range(4):
    device = folder / 'bus' / f'0000:00:0{chip}.0'
    device.mkdir(parents=True, exist_ok=True)
    (device / 'vendor').write_text('0x1ae0\n')  # Google
    (device / 'device').write_text('0x0063\n')  # TPU v5e
    (device / 'class').write_text('0x120000\n')  # an accelerator
  endpoints = ','.join(
    f'unknown:unknown:127.0.0.{host + 1}' for host in range(num_hosts)
  )
  with contextlib.ExitStack() as stack:
    environments = []
    for host in range(num_hosts):
      attributes = {
        'agent-worker-number': str(host),
        'worker-network-endpoints': endpoints,
        'tpu-env': f"ACCELERATOR_TYPE: 'v5litepod-{4 * num_hosts}'\n",
      }
      address = stack.enter_context(_metadata_server(attributes))
      environments.append({'GCE_METADATA_IP': address})
    wrapper = ('unshare', '--mount', '--map-root-user', 'sh', '-c')
    wrapper += (_ON_BUS_OF_OURS, 'sh', str(folder / 'bus'))
    yield stack.enter_context(Hosts(gin_file, environments, wrapper))


class _Metadata(http.server.BaseHTTPRequestHandler):
  """https://cloud.google.com/compute/docs/metadata/querying-metadata."""

  _FOLDER = '/computeMetadata/v1/instance/attributes/'

  def __init__(self, attributes, *arguments):
    self._attributes = attributes
    super().__init__(*arguments)

  def do_GET(self):  # noqa: N802, the name is the library's
    value = self._attributes.get(self.path.removeprefix(self._FOLDER))
    if self.headers['Metadata-Flavor'] != 'Google':
      self.send_error(403)
    elif value is None:
      self.send_error(404)
    else:
      self.send_response(200)
      self.send_header('Metadata-Flavor', 'Google')
      self.end_headers()
      self.wfile.write(value.encode())

  def log_message(self, *_):
    """Says nothing."""


@contextlib.contextmanager
def _metadata_server(attributes):
  """host:port of a server that has these attributes of an instance."""
  server = http.server.ThreadingHTTPServer(
    ('127.0.0.1', 0), functools.partial(_Metadata, attributes)
  )
  thread = threading.Thread(target=server.serve_forever, daemon=True)
  thread.start()
  try:
    yield f'127.0.0.1:{server.server_port}'
  finally:
    server.shutdown()
    server.server_close()
    thread.join()
