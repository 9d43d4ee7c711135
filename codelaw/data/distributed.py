"""Writes shards with many workers, on Apache Beam.

Workers write the parts (`shards.write_part`), each alone, whole and kept; then
this process joins them. So the shards are those that `shards.write` gives, and
a pipeline that was stopped is taken up where it was, by either.
"""

from collections.abc import Sequence
from typing import Any

from codelaw import storage
from codelaw.corpora import beam_runner
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import parts as parts_lib
from codelaw.data import shards


def write(
  plan: shards.CachePlan,
  options: Sequence[str] = (),
  progress: manifest_lib.Progress | None = None,
) -> manifest_lib.Manifest:
  """Writes the shards of a corpus, unless they are already there.

  Args:
    plan: what to write; all workers must see its folders.
    options: flags of Beam and its runner, like `--runner=FlinkRunner`.
    progress: called with what is being done and the share that is done.

  Returns:
    The manifest of `plan.shards_dir`.

  Raises:
    UserError: as `shards.write`, and when Beam is missing or does not take an
      option.
  """
  tell = progress or (lambda message, fraction: None)
  settings = beam_runner.options(options)
  if not manifest_lib.exists(plan.shards_dir):
    parts = shards.parts(plan, report.read(plan.corpus_dir))
    with storage.exclusive(plan.shards_dir):
      shards.prepare(plan, tell)
      tell(f'writes {len(parts)} parts on {settings.runner}', 0.1)

      def add_steps(beam: Any, root: Any) -> None:
        _ = (
          root
          | 'Parts' >> beam.Create(parts)
          | 'Spread parts' >> beam.Reshuffle()
          | 'Write' >> beam.Map(_write_part, plan)
        )

      beam_runner.run(add_steps, settings)
  return shards.write(plan, progress)


def _write_part(part: parts_lib.Part, plan: shards.CachePlan) -> None:
  shards.write_part(plan, part)
