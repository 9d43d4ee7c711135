"""A process with eight virtual CPU devices, for tests of meshes.

The number of devices is fixed when JAX starts, so it needs a process of its
own; the tests of one pytest process share it.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os

NUM_DEVICES = 8
_TIMEOUT_SECONDS = 300
_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  'XLA_FLAGS': f'--xla_force_host_platform_device_count={NUM_DEVICES}',
}


@contextlib.contextmanager
def process():
  """Gives `call(function, *arguments)`, which runs it there.

  The function is one of a module, it and its arguments and result can be
  pickled: NumPy arrays, not those of JAX.
  """
  with concurrent.futures.ProcessPoolExecutor(
    1, mp_context=multiprocessing.get_context('spawn')
  ) as executor:

    def call(function, *arguments):
      before = dict(os.environ)
      os.environ.update(_ENVIRONMENT)  # the first call starts the process
      try:
        future = executor.submit(function, *arguments)
      finally:
        os.environ.clear()
        os.environ.update(before)
      return future.result(_TIMEOUT_SECONDS)

    yield call
