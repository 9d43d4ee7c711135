"""What the content of a file says where its extension is ambiguous.

One rule per extension that several languages share: each looks for what the
one has and the others cannot have, and answers with a language of
`languages`, or None for a file that has none of them.
"""

from collections.abc import Callable
import re

# In languages of the C family: what is kept of the text (lines that include)
# and what is not (comments, strings).
_C_NOISE = re.compile(
  r'(^[ \t]*#[ \t]*(?:include|import)[^\n]*)'
  r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?(?:\*/|\Z)',
  re.MULTILINE | re.DOTALL,
)
# Constructs that C does not have: at the start of a line, and anywhere.
_CPLUSPLUS_LINE = re.compile(
  r'^[ \t]*(?:template\s*<|namespace\s+\w*\s*\{|namespace\s+\w+(?:::\w+)*\s*\{'
  r'|using\s+[\w:]+\s*[;=]|using\s+namespace\b|(?:public|private|protected):'
  r'|class\s+\w[\w\s]{0,200}(?:[:{]|;$)|enum\s+class\s|friend\s+\w'
  r'|virtual\s+[~\w]|#[ \t]*include[ \t]*<\w+>'
  r'|#[ \t]*include[ \t]*["<][^">\n]+\.(?:hpp|hh|hxx)[">])',
  re.MULTILINE,
)
_CPLUSPLUS_WORD = re.compile(
  r'\b(?:std::|nullptr\b|constexpr\b|(?:static|dynamic|const|reinterpret)_cast<'
  r'|operator\s*(?:[-+*/=<>!]=?|\[\]|\(\))\s*\()'
)
_OBJECTIVE_C_LINE = re.compile(
  r'^[ \t]*(?:@(?:interface|protocol|implementation|class|property|import)\b'
  r'|@end\b|#[ \t]*import[ \t]*[<"][^>"\n]+\.h[>"])',
  re.MULTILINE,
)
_OBJECTIVE_C_WORD = re.compile(
  r'\bNS(?:(?:String|Object|U?Integer|Array|Dictionary|Error)\b'
  r'|_(?:ENUM|OPTIONS|ASSUME_NONNULL_BEGIN)\b)'
)
_HTML_TAG = re.compile(
  r'<(?:!doctype|html|head|body|title|meta|link|script|style|div|span|p|a|img'
  r'|h[1-6]|ul|ol|li|table|tr|td|form|input|button|label|section|article|nav'
  r'|main|header|footer|template|pre)\b',
  re.IGNORECASE,
)
_PHP_TAG = re.compile(r'<\?(?:php\b|=|\s)', re.IGNORECASE)
_VUE_BLOCK = re.compile(r'^[ \t]*<(?:template|script|style)\b', re.MULTILINE)
_RENDERSCRIPT = re.compile(
  r'^[ \t]*#\s*pragma\s+(?:version|rs)\b', re.MULTILINE
)
_SMALLTALK = re.compile(
  r'^!|\bmethodsFor:|subclass:\s*#|^Class\s*\{|\bifTrue:\s*\[|\bdo:\s*\['
  r'|\bTranscript\b|^[ \t]*\^\s*\w|>>\s*#?\w+'
  r'|^[ \t]*\|[ \t]*\w+(?:[ \t]+\w+){0,20}[ \t]*\|',
  re.MULTILINE,
)
_SMALLTALK_CHUNK = re.compile(r'^!.*\bmethodsFor:|^!\s*$', re.MULTILINE)
_STRUCTURED_TEXT = re.compile(
  r'^[ \t]*(?:END_|VAR\b|VAR_|PROGRAM\b|FUNCTION_BLOCK\b)', re.MULTILINE
)
_TEX_CODE = re.compile(
  r'\\(?:Provides(?:Class|Package|File|Expl)|NeedsTeXFormat|LoadClass'
  r'|RequirePackage|document(?:class|style)|(?:re)?newcommand|newif|[gex]?def'
  r'|let|makeat(?:letter|other)|DeclareOption|ExplSyntaxOn|begin|input)'
  r'(?![a-z])'
)
_SQL_START = re.compile(
  r'^[ \t]*(?:select|insert|update|delete|create|alter|drop|truncate|grant'
  r'|revoke|merge|with|begin|declare|exec|execute|use|set|call|copy|pragma'
  r'|comment\s+on|values|explain|print|delimiter|replace|rename|do)\b',
  re.IGNORECASE | re.MULTILINE,
)
_SQL_END = re.compile(r';|^[ \t]*go\s*$|\bfrom\b', re.IGNORECASE | re.MULTILINE)
_MAKE_LINE = re.compile(
  r'^(?:[^\s#=:<][^=:\n<]*::?(?!=)|[\w.]+[ \t]*[:?+]?=|-?include\b|ifn?def\b'
  r'|ifn?eq\b|define\b|![a-z]+\b)',
  re.MULTILINE | re.IGNORECASE,
)
_SCALA = re.compile(
  r'^[ \t]*(?:import\s|package\s|(?:case\s+)?(?:object|class)\s|val\s|def\s'
  r'|trait\s|@main\b|//> using\b)',
  re.MULTILINE,
)
_SUPERCOLLIDER = re.compile(
  r'\bSynthDef\b|^[ \t]*arg\s|^[ \t]*\^|~\w+\s*=|\}\.play\b'
  r'|^\+?[ \t]*\w+\s*:\s*\w+\s*\{',
  re.MULTILINE,
)
_GCC_MACHINE = re.compile(r'^\(define_\w+', re.MULTILINE)
_BRACED_STYLE = re.compile(r'(?<!#)\{[^{}:;]*:[^{};]*;')
_JSON_COMMENT = re.compile(r'\s*(?://[^\n]*\n\s*|/\*.*?\*/\s*)*', re.DOTALL)


def _c_or_cplusplus(text: str) -> str | None:
  """C, C++, or None for Objective-C (not one of our languages)."""
  code = _C_NOISE.sub(lambda match: match.group(1) or ' ', text)
  # Headers that serve both guard what is for Objective-C alone.
  if '__OBJC__' not in code and _has(
    code, _OBJECTIVE_C_LINE, _OBJECTIVE_C_WORD
  ):
    return None
  return 'c++' if _has(code, _CPLUSPLUS_LINE, _CPLUSPLUS_WORD) else 'c'


def _has(text: str, *patterns: re.Pattern[str]) -> bool:
  return any(pattern.search(text) for pattern in patterns)


def _csharp(text: str) -> str:
  """Change sets of Squeak are `.cs` files too."""
  return 'smalltalk' if _SMALLTALK_CHUNK.search(text) else 'c#'


def _html(text: str) -> str | None:
  return 'html' if _HTML_TAG.search(text) else None


def _json(text: str) -> str | None:
  """An object or a list, comments allowed; notebooks are a source apart."""
  content = text[_JSON_COMMENT.match(text).end() :]  # type: ignore[union-attr]
  if not content.startswith(('{', '[')):
    return None
  if '"nbformat"' in content and '"cells"' in content:
    return None
  return 'json'


def _makefile(text: str) -> str | None:
  return 'makefile' if _MAKE_LINE.search(text) else None


def _markdown(text: str) -> str | None:
  """GCC describes its machines in `.md` files too."""
  return None if _GCC_MACHINE.search(text) else 'markdown'


def _php(text: str) -> str | None:
  return 'php' if _PHP_TAG.search(text) else None


def _rust(text: str) -> str | None:
  """RenderScript is C in `.rs` files."""
  return None if _RENDERSCRIPT.search(text) else 'rust'


def _sass(text: str) -> str:
  """Braces and semicolons make it the other syntax of the same language."""
  return 'scss' if _BRACED_STYLE.search(text) else 'sass'


def _scala(text: str) -> str | None:
  """SuperCollider has the extension `.sc` too."""
  if _SUPERCOLLIDER.search(text) or not _SCALA.search(text):
    return None
  return 'scala'


def _smalltalk(text: str) -> str | None:
  """Not StringTemplate, nor the structured text of machine controls."""
  if _STRUCTURED_TEXT.search(text) or not _SMALLTALK.search(text):
    return None
  return 'smalltalk'


def _sql(text: str) -> str | None:
  found = _SQL_START.search(text) and _SQL_END.search(text)
  return 'sql' if found else None


def _tex(text: str) -> str | None:
  """Apex and Visual Basic have `.cls` files too."""
  return 'tex' if _TEX_CODE.search(text) else None


def _vue(text: str) -> str | None:
  return 'vue' if _VUE_BLOCK.search(text) else None


# Extension -> what settles the language from the content.
SETTLE: dict[str, Callable[[str], str | None]] = {
  extension: settle
  for extensions, settle in (
    (('.h',), _c_or_cplusplus),
    (('.cs',), _csharp),
    (('.html', '.htm', '.xhtml', '.xht'), _html),
    (('.json', '.jsonc', '.geojson', '.topojson', '.webmanifest'), _json),
    (('.mak',), _makefile),
    (('.md',), _markdown),
    (('.php', '.php3', '.php4', '.php5', '.php7', '.php8', '.phtml'), _php),
    (('.ctp', '.phpt', '.inc', '.module', '.install', '.theme'), _php),
    (('.rs',), _rust),
    (('.sass',), _sass),
    (('.sc',), _scala),
    (('.st',), _smalltalk),
    (('.sql', '.ddl', '.mysql', '.pgsql', '.psql', '.plsql'), _sql),
    (('.cls', '.sty'), _tex),
    (('.vue',), _vue),
  )
  for extension in extensions
}
