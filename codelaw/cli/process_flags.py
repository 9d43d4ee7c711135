"""Flags by which the processes of one run find each other."""

import argparse


def add(parser: argparse.ArgumentParser) -> None:
  """Adds the flags; TPU pods need none of them."""
  group = parser.add_argument_group('several processes (not on TPU pods)')
  group.add_argument(
    '--coordinator_address',
    metavar='HOST:PORT',
    help='of the first process; any free port',
  )
  group.add_argument('--num_processes', type=int, help='of the run')
  group.add_argument('--process_id', type=int, help='of this one, from 0')
  group.add_argument(
    '--heartbeat_timeout_seconds',
    type=int,
    default=60,
    help='a process that is silent for so long is dead (default %(default)s)',
  )


def join(args: argparse.Namespace) -> None:
  """Joins the processes, before any device is touched."""
  from codelaw.train import distributed

  distributed.initialize(
    args.coordinator_address,
    args.num_processes,
    args.process_id,
    args.heartbeat_timeout_seconds,
  )
