"""A stand-in for the JobSets of a Kubernetes API server, for the real kubectl.

Enough of discovery (https://kubernetes.io/docs/concepts/overview/kubernetes-api)
that kubectl finds the resource and leaves validation to the server.
"""

import contextlib
import http.server
import json
import threading
import urllib.parse

_GROUP, _VERSION = 'jobset.x-k8s.io', 'v1alpha2'
_API = f'{_GROUP}/{_VERSION}'
_ALL = f'/apis/{_API}/namespaces/default/jobsets'
_PATCH = {
  'parameters': [{'name': 'fieldValidation', 'in': 'query'}],
  'x-kubernetes-group-version-kind': {
    'group': _GROUP,
    'version': _VERSION,
    'kind': 'JobSet',
  },
}
_FIXED = {
  '/api': {'kind': 'APIVersions', 'versions': ['v1']},
  '/api/v1': {
    'kind': 'APIResourceList',
    'groupVersion': 'v1',
    'resources': [],
  },
  '/apis': {
    'kind': 'APIGroupList',
    'groups': [
      {
        'name': _GROUP,
        'versions': [{'groupVersion': _API, 'version': _VERSION}],
      }
    ],
  },
  f'/apis/{_API}': {
    'kind': 'APIResourceList',
    'groupVersion': _API,
    'resources': [
      {
        'name': 'jobsets',
        'singularName': 'jobset',
        'namespaced': True,
        'kind': 'JobSet',
        'verbs': ['create', 'delete', 'get', 'list', 'patch', 'watch'],
      }
    ],
  },
  '/openapi/v3': {
    'paths': {f'apis/{_API}': {'serverRelativeURL': f'/openapi/v3/apis/{_API}'}}
  },
  f'/openapi/v3/apis/{_API}': {
    'openapi': '3.0.0',
    'paths': {f'{_ALL}/{{name}}': {'patch': _PATCH}},
  },
}


class _Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = 'HTTP/1.1'
  jobsets = None  # name -> JobSet
  patches = None  # bodies of PATCH

  def log_message(self, *_):
    pass

  def _answer(self, content, code=200):
    body = json.dumps(content).encode()
    self.send_response(code)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def _handle(self):
    body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
    path = urllib.parse.urlparse(self.path).path
    name = path.removeprefix(f'{_ALL}/')
    if path in _FIXED:
      self._answer(_FIXED[path])
    elif (self.command, path) == ('GET', _ALL):
      items = list(self.jobsets.values())
      self._answer({'kind': 'JobSetList', 'apiVersion': _API, 'items': items})
    elif (self.command, path) == ('POST', _ALL):
      found = json.loads(body)
      found['metadata'] |= {'namespace': 'default', 'uid': 'u'}
      self.jobsets[found['metadata']['name']] = found
      self._answer(found, 201)
    elif name not in self.jobsets:
      self._answer(
        {
          'kind': 'Status',
          'status': 'Failure',
          'reason': 'NotFound',
          'message': f'{name} not found',
          'code': 404,
        },
        404,
      )
    elif self.command == 'DELETE':
      del self.jobsets[name]
      details = {'name': name, 'uid': 'u'}
      self._answer({'kind': 'Status', 'status': 'Success', 'details': details})
    else:
      if self.command == 'PATCH':
        self.patches.append(body)
      self._answer(self.jobsets[name])

  do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815


@contextlib.contextmanager
def serving():
  """(address, JobSets by name, patches that were asked for)."""
  jobsets, patches = {}, []
  kind = type('Handler', (_Handler,), {'jobsets': jobsets, 'patches': patches})
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), kind) as server:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}', jobsets, patches
    server.shutdown()
    thread.join()
