"""How a run is computed: devices, precision, kernels, memory.

Nothing here changes what a run computes, up to the rounding of sums: it may
differ between two starts of one run. `auto` is decided by the devices.
"""

import dataclasses
import math

from codelaw import errors

ATTENTIONS = ('auto', 'xla', 'splash', 'cudnn')
COMPUTE_DTYPES = ('auto', 'float32', 'bfloat16')
REMAT_POLICIES = ('none', 'dots', 'full')


@dataclasses.dataclass(frozen=True)
class MeshShape:
  """Devices along each axis of the mesh; one axis may be -1, the rest.

  Attributes:
    data: copies of the parameters, each with its share of the batch.
    fsdp: parts into which parameters, optimizer state and batch are divided;
      a layer's parameters are gathered when it is computed.
    tensor: parts into which heads, feed-forward width and vocabulary are
      divided.
  """

  data: int = 1
  fsdp: int = -1
  tensor: int = 1

  def __post_init__(self):
    sizes = dataclasses.astuple(self)
    for field, size in zip(dataclasses.fields(self), sizes, strict=True):
      if not isinstance(size, int) or (size < 1 and size != -1):
        raise errors.UserError(
          f'MeshShape.{field.name} must be a positive whole number, or -1 for'
          f' the remaining devices; got {size!r}.'
        )
    if sizes.count(-1) > 1:
      raise errors.UserError(
        f'Only one axis of MeshShape can be -1 (the rest); got {self}.'
      )

  def sizes(self, num_devices: int) -> tuple[int, int, int]:
    """(data, fsdp, tensor) on `num_devices` devices.

    >>> MeshShape(tensor=2).sizes(8)
    (1, 4, 2)

    Raises:
      UserError: when the axes do not multiply to that number.
    """
    sizes = dataclasses.astuple(self)
    known = math.prod(size for size in sizes if size != -1)
    if num_devices % known or (-1 not in sizes and known != num_devices):
      raise errors.UserError(
        f'A mesh of data={self.data}, fsdp={self.fsdp}, tensor={self.tensor}'
        f' does not fit {num_devices} devices; the axes must multiply to'
        ' that, and one of them may be -1, the rest.'
      )
    rest = num_devices // known
    data, fsdp, tensor = (rest if size == -1 else size for size in sizes)
    return data, fsdp, tensor


@dataclasses.dataclass(frozen=True)
class Execution:
  """How the train step of a run is computed.

  Attributes:
    mesh: how the devices are laid out.
    attention: `splash` (Pallas, TPU), `cudnn` (GPU), `xla` (anywhere), or
      `auto`: the one of the platform.
    compute_dtype: `bfloat16`, `float32`, or `auto`: float32 on a CPU, else
      bfloat16. Parameters, norms, softmax and loss stay in float32.
    remat: what the backward pass computes again: `none`; `dots`, all but the
      results of matrix products; `full`, all but the input of each layer.
    microbatches: parts into which a batch is divided, computed one after
      another; the gradient is that of the whole batch.
    loss_block_tokens: tokens per device whose logits exist at a time; None
      decides by the size of the vocabulary.
  """

  mesh: MeshShape = MeshShape()
  attention: str = 'auto'
  compute_dtype: str = 'auto'
  remat: str = 'none'
  microbatches: int = 1
  loss_block_tokens: int | None = None

  def __post_init__(self):
    if not isinstance(self.mesh, MeshShape):
      raise errors.UserError(
        f'Execution.mesh must be @MeshShape(), got {self.mesh!r}.'
      )
    for name, choices in (
      ('attention', ATTENTIONS),
      ('compute_dtype', COMPUTE_DTYPES),
      ('remat', REMAT_POLICIES),
    ):
      if getattr(self, name) not in choices:
        raise errors.UserError(
          f'Execution.{name} must be one of {choices}, got'
          f' {getattr(self, name)!r}.'
        )
    for name in ('microbatches', 'loss_block_tokens'):
      value = getattr(self, name)
      if name == 'loss_block_tokens' and value is None:
        continue
      if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise errors.UserError(
          f'Execution.{name} must be a positive whole number, got {value!r}.'
        )


AUTOMATIC = Execution()
