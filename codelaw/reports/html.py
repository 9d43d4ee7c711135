"""A report as one HTML file that needs nothing but a browser."""

import jinja2

from codelaw.reports import contents
from codelaw.reports import svg


def render(page: contents.Page) -> str:
  """HTML: answer, warnings, figures and tables, next steps, provenance.

  Everything is inline; the page loads no other resource, follows the
  reader's light or dark setting, and is the same text for the same content.
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
    for section in page.sections
  ]
  return environment.get_template('page.html.j2').render(
    name=page.name,
    answer=page.answer,
    warnings=page.warnings,
    sections=sections,
    commands=page.commands,
    provenance=page.provenance,
  )
