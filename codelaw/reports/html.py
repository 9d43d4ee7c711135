"""A study as one HTML file that needs nothing but a browser."""

import jinja2

from codelaw.reports import contents
from codelaw.reports import findings
from codelaw.reports import study_folder
from codelaw.reports import svg
from codelaw.reports import tables


def page(study: study_folder.Study) -> str:
  """The page: answer, warnings, figures and tables, next steps, provenance.

  Everything is inline; the page loads no other resource, follows the
  reader's light or dark setting, and is the same text for the same study.
  """
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('codelaw.reports', ''),
    autoescape=True,
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  sections = [
    {
      'title': section.title,
      'pictures': [
        {
          'svg': svg.inline(picture.figure, picture.name, picture.caption),
          'caption': picture.caption,
        }
        for picture in section.pictures
      ],
      'tables': section.tables,
    }
    for section in contents.sections(study)
  ]
  return environment.get_template('page.html.j2').render(
    name=study.name,
    answer=findings.answer(study),
    warnings=list(findings.warnings(study)),
    sections=sections,
    commands=list(contents.commands(study)),
    provenance=tables.provenance(study),
  )
