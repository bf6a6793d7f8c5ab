"""The suite `storage`: how well a run's model goes on with a text after its memory lay in a bank in fewer bits.

It reads the first part of held-out documents; its carry is put into a bank and got back, by each kind of storage; then
it reads on. The place where it stops is in the middle of a chunk. A carry that has forgotten everything shows what
there is to lose.
"""

import datetime
import functools
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import data, model
from latentmem.bank import storage as bank_storage
from latentmem.bank import store
from latentmem.base import records
from latentmem.base.errors import InputError
from latentmem.train import checkpoint

# Tokens read at once, tokens that are missing at the end of the first part, tokens that are next.
PIECE, SHORT, NEXT = 256, 11, 256
FORGOTTEN = 'forgotten'
# What is stored so: the memory's own arrays, or all that the model carries.
WHATS = dict(memory=lambda name: '/memory/' in f'/{name}/', carry=lambda name: True)


def documents(source, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
  """(tokens, bytes of each), [B, T + 1] both, of the first held-out documents that are long enough."""
  if not hasattr(source, 'heldout_documents'):
    raise InputError('The suite storage takes a run that was trained on a corpus.')
  held = source.heldout_documents
  starts = np.concatenate([[0], held.ends_D[:-1]])
  chosen = [start for start, end in zip(starts, held.ends_D) if end - start > length][:rows]
  if len(chosen) < rows:
    raise InputError(f'The corpus holds out {len(chosen)} documents of more than {length} tokens, not {rows}.')
  sizes = np.ones(len(held.tokens_N), int) if held.bytes_N is None else held.bytes_N
  cut = lambda a: np.stack([a[start:start + length + 1] for start in chosen])
  return cut(held.tokens_N).astype(np.int32), cut(sizes)


def reader(it, params):
  """read(carry, tokens_BT) -> carry, nats [B, T - 1] of each token after the first."""
  @jax.jit
  def piece(params, carry, tokens_BT, targets_BT):
    carry, logits_BTV = it.apply(params, carry, tokens_BT)
    log_p = jax.nn.log_softmax(logits_BTV.astype(jnp.float32))
    return carry, -jnp.take_along_axis(log_p, targets_BT[..., None], axis=-1)[..., 0]

  def read(carry, tokens_BT):
    nats = []
    for begin in range(0, tokens_BT.shape[1] - 1, PIECE):
      part_BT = tokens_BT[:, begin:begin + PIECE + 1]
      carry, nats_BT = piece(params, carry, part_BT[:, :-1], part_BT[:, 1:])
      nats.append(np.asarray(nats_BT, np.float64))
    return carry, np.concatenate(nats, axis=1)
  return read


def kept(bank: store.Bank, carry, kind: str, chosen) -> tuple[object, dict]:
  """(the carry as it comes out of a bank, what lay there): of the arrays whose names are chosen."""
  arrays = store.named(carry)
  part = {name: array for name, array in arrays.items() if chosen(name)}
  header = bank.header('state', bank.put('state', part, kind='carry', storage=kind))
  back, _ = bank.get(header, like=part)
  size = lambda array: float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 0.0
  relative = {name: how.rms / (size(part[name]) or 1.0) for name, how in header.stored.items()}
  said = dict(bytes=header.bytes, of=sum(array.nbytes for array in part.values()), relative_rms=relative)
  return store.shaped(arrays | back, carry, header), said


def run(workdir: str, lengths: list[int], rows: int, told=print) -> dict:
  """Measures a run's model at each length, half of which is read first, and returns the record."""
  config, params = checkpoint.load_params(workdir)
  it, source, measured = model.make(**config['model']), data.make(config['data']), []
  start = jax.jit(lambda params: it.apply(params, rows, method='init_state'))
  for length in lengths:
    tokens_BT, sizes_BT = documents(source, rows, length)
    read, half = reader(it, params), length // 2 - SHORT
    carry, _ = read(start(params), tokens_BT[:, :half + 1])
    score = functools.partial(bits, read, tokens_BT[:, half:], sizes_BT[:, half + 1:])
    exact = score(carry)
    with tempfile.TemporaryDirectory() as there:
      bank = store.Bank(pathlib.Path(there))
      for what, chosen in WHATS.items():
        for kind in bank_storage.KINDS:
          back, said = kept(bank, carry, kind, chosen)
          measured.append(dict(what=what, storage=kind, length=length) | score(back) | said)
    measured.append(dict(what='carry', storage=FORGOTTEN, length=length) | score(start(params)))
    for row in measured:
      if row['length'] == length:
        row['change'], row['change_next'] = (row[name] / exact[name] - 1 for name in exact)
        told(describe(row))
  return dict(suite='storage', rows=measured, documents=rows, data=source.describe(), config=config,
              versions=records.versions(), commit=records.commit(), machine=records.machine(jax.devices()),
              date=datetime.date.today().isoformat())


def bits(read, tokens_BT, sizes_BT, carry) -> dict[str, float]:
  """Bits per byte of all tokens after the first, and of those that are next."""
  _, nats_BT = read(carry, tokens_BT)
  per_byte = lambda count: float(nats_BT[:, :count].sum() / sizes_BT[:, :count].sum() / np.log(2))
  return dict(bits_per_byte=per_byte(None), bits_per_byte_next=per_byte(NEXT))


def describe(row: dict) -> str:
  share = f'  {row["bytes"] / row["of"]:6.1%} of the bytes' if 'bytes' in row else ''
  return (f'{row["what"]:8}{row["storage"]:10} length {row["length"]:6}  {row["bits_per_byte"]:.5f} bits a byte '
          f'({row["change"]:+.4%}), the next {NEXT} {row["bits_per_byte_next"]:.5f} ({row["change_next"]:+.4%}){share}')
