"""Several processes that train one run together, on the devices of them all.

Every process runs the same loop on its rows of the same batches. The first
alone writes the folder of the run, but for checkpoints, which all write. They
end together: a wish to stop on one is a wish on all, at the same step, and
where one fails, the others end and say why. With one process nothing here
does anything.

Definitions owned here:
  coordinator: the service in the first process that knows who is alive, and
    keeps the messages of one process to the others.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import itertools
import json
import os
import sys
import threading
import time
from typing import Any
from typing import NamedTuple
from typing import NoReturn

import jax
from jax._src import distributed as jax_distributed
from jax._src import xla_bridge
import jax.numpy as jnp
import numpy as np

from codelaw import errors
from codelaw import records

_SHUTDOWN_TIMEOUT_SECONDS = 30  # of waiting for the others at the end
_START_TIMEOUT_SECONDS = 300  # machines of a pod do not start at once
# For the others to notice by themselves and to leave with what they have.
_GRACE_SECONDS = 10
_WATCH_SECONDS = 1.0  # between looks at the messages of the others
_FAILURE = 'codelaw/failure'
_record_numbers, _message_numbers = itertools.count(), itertools.count()
_PART_CHARACTERS = 2**18  # below the limit of a message of gRPC, 4 MiB
_WAIT_MILLISECONDS = 10_000
_NO_CLUSTER = 'coordinator_address should be defined'  # of JAX, see below


def initialize(
  coordinator_address: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
  heartbeat_timeout_seconds: int = 60,
) -> None:
  """Joins the processes of a run; call it before any device is touched.

  On TPU pods, Slurm and Open MPI JAX finds out by itself. Elsewhere the
  arguments say it; the address may also be in JAX_COORDINATOR_ADDRESS. Where
  there is neither, or this process has computed something already, the run has
  one process.

  Args:
    coordinator_address: host:port of the first process.
    num_processes: of the run.
    process_id: of this process, from 0.
    heartbeat_timeout_seconds: after which a silent process counts as dead.

  Raises:
    UserError: when some but not all of it is known.
    TemporaryError: when the others cannot be found or do not come.
  """
  given = (coordinator_address, num_processes, process_id)
  if given == (None, None, None) and xla_bridge.backends_are_initialized():
    return
  # It would take SIGTERM away from `train.interruption`.
  jax.config.update('jax_enable_preemption_service', False)
  try:
    jax.distributed.initialize(
      *given,
      initialization_timeout=_START_TIMEOUT_SECONDS,
      heartbeat_timeout_seconds=heartbeat_timeout_seconds,
      shutdown_timeout_seconds=_SHUTDOWN_TIMEOUT_SECONDS,
    )
  except ValueError as error:
    if given == (None, None, None) and _NO_CLUSTER in str(error):
      return
    raise errors.UserError(
      'A run in several processes needs --coordinator_address=HOST:PORT (of the'
      ' first process), --num_processes and --process_id (from 0), the last'
      f' different in each; got {coordinator_address!r}, {num_processes!r} and'
      f' {process_id!r}: {error}'
    ) from error
  except ImportError as error:  # JAX asks the metadata server of a TPU VM.
    raise errors.UserError(
      f'To find the other hosts of its slice, JAX needs {error.name} on a TPU'
      " VM; install it with: pip install 'codelaw[train,tpu]'."
    ) from error
  # Of names that do not resolve, hosts that do not come, and the metadata
  # server.
  except (RuntimeError, OSError) as error:
    raise errors.TemporaryError(
      'The processes of this run have not found each other within'
      f' {_START_TIMEOUT_SECONDS} s ({error}). Start all of them again.'
    ) from error


def is_first() -> bool:
  """Whether this process writes and prints for all."""
  return jax.process_index() == 0


def is_alone() -> bool:
  """Whether there is no other process."""
  return jax.process_count() == 1


def on_first(
  context: Callable[..., contextlib.AbstractContextManager], *arguments: Any
) -> contextlib.AbstractContextManager:
  """`context(*arguments)` in the first process, nothing in the others."""
  return context(*arguments) if is_first() else contextlib.nullcontext()


def record_of_first(record: records.RunRecord) -> records.RunRecord:
  """The record that the first process has; every process must ask."""
  if jax.process_count() == 1:
    return record
  key = f'codelaw/record/{next(_record_numbers)}'
  if is_first():
    _client().key_value_set(key, json.dumps(records.to_json(record)))
  text = _client().blocking_key_value_get(key, _START_TIMEOUT_SECONDS * 1000)
  return records.from_json(json.loads(text), records.RunRecord)


def send(message: str) -> None:
  """Says something to all other processes, in the first one.

  Returns when they have it; each must `receive` as often as this is called.
  """
  key = _next_message()
  parts = range(0, len(message) or 1, _PART_CHARACTERS)
  for number, start in enumerate(parts):
    part = message[start : start + _PART_CHARACTERS]
    # A first character, because a value may not be empty.
    _client().key_value_set(f'{key}/{number}', f':{part}')
  _client().key_value_set(f'{key}/parts', str(len(parts)))
  _have_it(key)
  _client().key_value_delete(key)


def receive() -> str:
  """What the first process says next; waits for it as long as it takes."""
  key = _next_message()
  number = int(_value(f'{key}/parts'))
  message = ''.join(_value(f'{key}/{part}')[1:] for part in range(number))
  _have_it(key)
  return message


def _next_message() -> str:
  return f'codelaw/message/{next(_message_numbers)}'


def _have_it(key: str) -> None:
  name = f'{key}/received'
  _client().wait_at_barrier(name, _START_TIMEOUT_SECONDS * 1000)


def _value(key: str) -> str:
  while True:
    try:
      return _client().blocking_key_value_get(key, _WAIT_MILLISECONDS)
    except jax.errors.JaxRuntimeError as error:
      if 'DEADLINE_EXCEEDED' not in str(error):
        raise


def agreed(
  asked: Callable[[], bool], mesh: jax.sharding.Mesh
) -> Callable[[], bool]:
  """A wish that all processes see at the same time, if any of them has it.

  Every process must call the function that is returned once per step. It says
  what was wished one call before: what the devices then began to add up is
  there by now, so that it costs no waiting.
  """
  if jax.process_count() == 1:
    return asked
  flags = jax.sharding.NamedSharding(
    mesh, jax.sharding.PartitionSpec(mesh.axis_names)
  )
  add = jax.jit(
    jnp.sum,
    out_shardings=jax.sharding.NamedSharding(
      mesh, jax.sharding.PartitionSpec()
    ),
  )

  def everywhere(wish: bool) -> jax.Array:
    piece = np.full(1, wish, np.int32)
    return jax.make_array_from_callback((mesh.size,), flags, lambda _: piece)

  mine = {wish: everywhere(wish) for wish in (False, True)}
  before: list[jax.Array] = []

  def agree() -> bool:
    before.append(add(mine[asked()]))
    return len(before) > 1 and bool(before.pop(0) > 0)

  return agree


def is_of_connection(error: BaseException) -> bool:
  """Whether an error says that another process can no longer be reached."""
  text = str(error)
  return isinstance(error, jax.errors.JaxRuntimeError) and any(
    word in text for word in ('Gloo', 'UNAVAILABLE', 'coordination')
  )


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
  """Ends every process when one of them fails inside, saying which and why.

  A process that raises tells the others. One that waits for its devices, which
  wait for a process that is no more, is ended from a thread.

  Raises:
    UserError: what another process has said, instead of what JAX raised because
      that has ended.
    TemporaryError: likewise, where that was stopped or is gone.
  """
  if jax.process_count() == 1:
    yield
    return
  left = threading.Event()
  watch = threading.Thread(target=_end_with_others, args=[left], daemon=True)
  watch.start()
  try:
    yield
  except BaseException as error:
    failure = _failure()
    if failure is None and is_of_connection(error):
      _tell(errors.TemporaryError(_LOST))
      time.sleep(2 * _WATCH_SECONDS)  # with the first process goes the message
      _end(_Failure(_LOST, is_temporary=True), all_alive=False)
    if failure is None:
      _tell(error)
    if failure is None or isinstance(
      error, errors.UserError | KeyboardInterrupt
    ):
      raise
    raise failure.error() from error
  finally:
    left.set()
    watch.join()  # it must not be in a call when the interpreter ends


_LOST = (
  'Another process of this run has ended without a word: it was killed, or its'
  ' machine is gone. Start all of them again; the run goes on from its last'
  ' checkpoint.'
)


def _client() -> Any:
  """JAX's own connection to the coordinator, of which it shows no other way."""
  return jax_distributed.global_state.client


class _Failure(NamedTuple):
  """Why a process has ended.

  Attributes:
    message: for people.
    is_temporary: whether the run goes on when it is started again.
  """

  message: str
  is_temporary: bool

  def error(self) -> errors.TemporaryError | errors.UserError:
    """What the other processes raise."""
    if self.is_temporary:
      return errors.TemporaryError(self.message)
    return errors.UserError(self.message)


def _tell(error: BaseException) -> None:
  """Leaves what has happened for the other processes."""
  failure = _Failure(
    f'Process {jax.process_index()} of this run has ended:'
    f' {str(error) or type(error).__name__}',
    isinstance(error, errors.TemporaryError | KeyboardInterrupt),
  )
  with contextlib.suppress(jax.errors.JaxRuntimeError):  # another was first
    _client().key_value_set(_FAILURE, json.dumps(failure))


def _failure() -> _Failure | None:
  """What another process has left."""
  try:
    return _Failure(*json.loads(_client().key_value_try_get(_FAILURE)))
  except jax.errors.JaxRuntimeError:  # nothing, or the coordinator is gone
    return None


def _end_with_others(left: threading.Event) -> None:
  """Ends this process soon after another has said that it failed."""
  while not left.wait(_WATCH_SECONDS):
    failure = _failure()
    if failure is None:
      continue
    if left.wait(_GRACE_SECONDS):
      return
    _end(failure, all_alive=True)


def _end(failure: _Failure, all_alive: bool) -> NoReturn:
  """Ends this process at once, whatever its main thread waits for.

  Those that are alive take leave of each other; waiting for others would end
  in an abort by JAX.
  """
  sys.stdout.flush()
  print(f'codelaw train: {failure.message}', file=sys.stderr, flush=True)
  if all_alive:
    jax.distributed.shutdown()
  # As `cli.main` does.
  os._exit(errors.TemporaryError.EXIT_CODE if failure.is_temporary else 2)
