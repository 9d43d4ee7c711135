"""What `codelaw report` makes a page from, when it is not a study."""

import dataclasses
from typing import Protocol

from codelaw.reports import layout


class Analysis(Protocol):
  """Anything that can compute its own page."""

  def page(self) -> layout.Page:
    """The whole page."""
    ...


@dataclasses.dataclass(frozen=True)
class ReportPlan:
  """Bound in gin by a report's file.

  Attributes:
    analysis: whose page is written.
  """

  analysis: Analysis
