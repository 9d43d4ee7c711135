"""Compiles the train step of a run for its slice, in a process of its own.

The compiler must be set up before JAX is imported (`topology.prepare`), and
its memory is given back when the process ends.
"""

from concurrent import futures
from concurrent.futures import process
import multiprocessing

from codelaw import errors
from codelaw import execution as execution_lib
from codelaw import records
from codelaw.studies import compiled_steps
from codelaw.train import topology as topology_lib


def compile_step(
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
) -> compiled_steps.CompiledStep:
  """Compiles a step; half a minute to two minutes of two cores.

  Args:
    plan: of the run.
    execution: how it is computed.
    topology: the slice.

  Raises:
    UserError: without the compiler, and when mesh, batch or attention do not
      suit the slice.
  """
  topology_lib.check(topology)
  context = multiprocessing.get_context('spawn')
  # Ends its process in order; libtpu prints a stack trace when it is ended.
  with futures.ProcessPoolExecutor(1, context) as pool:
    try:
      return pool.submit(_compile, plan, execution, topology).result()
    except process.BrokenProcessPool as error:
      raise errors.UserError(
        f'The compiler ended without a word on a step for {topology}, as it'
        ' does when the machine has not enough memory; compile it on a larger'
        ' one with `codelaw study --dry_run --compile`.'
      ) from error


def _compile(
  plan: records.RunPlan,
  execution: execution_lib.Execution,
  topology: str,
) -> compiled_steps.CompiledStep:
  """Runs in the other process."""
  topology_lib.prepare()
  from codelaw.train import ahead_of_time

  report = ahead_of_time.compile_step(plan, execution, topology)
  bounds = None
  if report.fits and report.roofline is not None:
    bounds = report.roofline.bound_seconds, report.roofline.sum_seconds
  return compiled_steps.compiled(
    plan, execution, topology, bounds, report.used_bytes
  )
