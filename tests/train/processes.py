"""Real processes of codelaw that share one run on this machine."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

_ROOT = pathlib.Path(__file__).parents[2]
_TIMEOUT_SECONDS = 240


class Processes:
  """A verb in several processes; ends them when it is left.

  Args:
    gin_file: of the run.
    num_processes: one runs without any flag.
    num_devices: virtual CPU devices of each.
    mesh: sizes of its axes.
    folders: in which each of them runs; by default the repository's.
    verb: and its own flags.
    entry: record whose `execution` the mesh is for.
  """

  def __init__(
    self,
    gin_file,
    num_processes,
    num_devices,
    mesh,
    folders=None,
    verb=('train',),
    entry='TrainSettings',
  ):
    flags = [
      f'--gin.{entry}.execution=@Execution()',
      '--gin.Execution.mesh=@MeshShape()',
    ]
    for axis, size in zip(('data', 'fsdp', 'tensor'), mesh, strict=True):
      flags.append(f'--gin.MeshShape.{axis}={size}')
    if num_processes > 1:
      with socket.socket() as free:
        free.bind(('localhost', 0))
        address = f'localhost:{free.getsockname()[1]}'
      flags += [
        f'--coordinator_address={address}',
        f'--num_processes={num_processes}',
        '--heartbeat_timeout_seconds=10',
      ]
    environment = os.environ | {
      'JAX_PLATFORMS': 'cpu',
      'XLA_FLAGS': f'--xla_force_host_platform_device_count={num_devices}',
      'PYTHONPATH': str(_ROOT),
    }
    self._processes = []
    for process_id in range(num_processes):
      mine = [f'--process_id={process_id}'] if num_processes > 1 else []
      self._processes.append(
        subprocess.Popen(
          [
            *(sys.executable, '-m', 'codelaw', *verb),
            *(f'--gin_file={gin_file}', *flags, *mine),
          ],
          stdout=subprocess.PIPE,
          stderr=subprocess.PIPE,
          text=True,
          cwd=folders[process_id] if folders else _ROOT,
          env=environment,
        )
      )

  def __enter__(self):
    return self

  def __exit__(self, *_):
    for process in self._processes:
      if process.poll() is None:
        process.kill()
      process.communicate()

  def send(self, process_id, number=signal.SIGTERM):
    """Sends one of them a signal."""
    self._processes[process_id].send_signal(number)

  def wait(self):
    """[(exit code, stdout, stderr)] of all."""
    end, results = time.monotonic() + _TIMEOUT_SECONDS, []
    for process in self._processes:
      out, err = process.communicate(timeout=end - time.monotonic())
      results.append((process.returncode, out, err))
    return results
