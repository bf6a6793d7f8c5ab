"""Writing into one person's memory, and reading from it: only the person's own numbers move.

Each step reads a batch of items as rows [person | question | answer] and makes -log p(answer) small, by Adam on the
person's numbers alone; the base and what people share are constants of the program. Half of a batch are new items, half
are old ones: rehearsal keeps what was known. Of either, half are asked and half are only told, where there are both,
and a row weighs what another does, however long: a thousand turns would leave a hundred answers of one word little say.
One program serves everybody.
B rows, T tokens of a row, Q tokens of a question, A tokens of an answer, V vocabulary.
"""

from collections.abc import Callable, Sequence
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from latentmem.base import arrays
from latentmem.base.errors import InputError
from latentmem.base.spans import NOTHING
from latentmem.personal import identity
from latentmem.personal.model import BASE, Personal
from latentmem.personal.profile import check_item, Fits, Item, Profile


class Writer:
  """Writes and reads memories that belong to one base and one projection.

  Attributes:
    fits: What a memory has to fit.
    people: Those that the projection was trained with.
  """

  def __init__(self, net: Personal, params: dict, base: dict, answer: int = 2, rows: int = 32,
               learning_rate: float = 0.03):
    """Args: params: The adapter's, of any number of people. base: The base's parameters. answer: A, at most."""
    self.net = Personal(net.base, net.adapter, 1, net.question)
    tables = params['params']['personal']
    if 'personal' not in tables:
      raise InputError(f'{net.adapter["kind"]} holds nothing of a person; there is nothing to write into.')
    self._tables, self._rows, self._answer = tables['personal'], rows, answer
    self.people = jax.tree.leaves(self._tables)[0].shape[0]
    self._constant = dict(shared=tables.get('shared'), base=base)
    shapes = {name: table.shape[1:] for name, table in arrays.named(self._tables).items()}
    self.fits = Fits(dict(net.adapter), identity.of_model(net.base, base),
                     identity.fingerprint(tables.get('shared', {})), shapes, net.vocab, net.question, answer)
    self._tree = jax.tree.structure(self._tables)
    self._optimizer = optax.adam(learning_rate)
    self._step, self._told = jax.jit(self._stepped, donate_argnums=(1, 2)), jax.jit(self._tell)

  def blank(self, name: str, seed: int = 0) -> Profile:
    """Somebody of whom nothing is known."""
    start = self._adapter().start_personal(jax.random.key(seed), 1)
    return Profile(name, self._flat(jax.tree.map(lambda a: a[0], start)))

  def known(self, name: str, person: int, items: Sequence[Item] = ()) -> Profile:
    """Somebody who was among those that the projection was trained with, and items that are to be rehearsed."""
    return Profile(name, self._flat(jax.tree.map(lambda table: table[person], self._tables)),
                   tuple(check_item(item, self.fits) for item in items))

  def absorb(self, profile: Profile, items: Sequence[Item], steps: int = 300, rehearse: float = 0.5,
             seed: int = 0) -> Profile:
    """Writes new items -> the profile that knows them too. With no new items it writes the old ones again."""
    new, old = ([check_item(item, self.fits) for item in each] for each in (items, profile.items))
    if not new and not old:
      raise InputError(f'There is nothing to write into {profile.name}: no item is given, and none is stored.')
    if steps < 1 or not 0 <= rehearse <= 1:
      raise InputError(f'Writing takes 1 step or more and a share of rehearsal from 0 to 1; it got {steps} and '
                       f'{rehearse}.')
    rng, whole = np.random.default_rng(seed), self._table(profile)
    state, rows = self._optimizer.init(whole), self._laid([*old, *new])
    groups = _groups(old, new, self._rows, rehearse)
    for _ in range(steps):
      picked_B = np.concatenate([rng.choice(places, size=count) for places, count in groups])
      whole, state, loss = self._step(self._constant, whole, state, [column[picked_B] for column in rows])
    if not bool(jnp.isfinite(loss)):
      raise InputError(f'Writing into {profile.name} did not stay finite; nothing was changed. A lower learning_rate '
                       'may help.')
    return dataclasses.replace(profile, arrays=self._flat(jax.tree.map(lambda a: a[0], whole)),
                               items=tuple([*old, *new]))

  def nats(self, profile: Profile, items: Sequence[Item]) -> np.ndarray:
    """-log p of each item's answer, summed over its tokens."""
    return self._over(profile, items)[0]

  def right(self, profile: Profile, items: Sequence[Item]) -> np.ndarray:
    """Whether the likeliest tokens are each item's answer."""
    return self._over(profile, items)[1]

  def recall(self, profile: Profile, question: Sequence[int], begins: int, longest: int = 1,
             ended: Callable[[list[int]], bool] = lambda said: False) -> list[int]:
    """The likeliest answer to a question, token by token, until it has `ended`; `begins` is what is read first."""
    said = []
    while len(said) < min(longest, self._answer - 1) and not (said and ended(said)):
      row = self._laid([check_item(Item(tuple(question), (begins, *said, 0)), self.fits)] * self._rows)
      said.append(int(self._told(self._constant, self._table(profile), row)[2][0, len(said)]))
    return said

  def _over(self, profile, items):
    rows, whole, out = self._rows, self._table(profile), []
    items = [check_item(item, self.fits) for item in items]
    for i in range(0, len(items), rows):
      part = items[i:i + rows]
      nats_B, right_B, _ = self._told(self._constant, whole, self._laid(part + part[:1] * (rows - len(part))))
      out.append((np.asarray(nats_B)[:len(part)], np.asarray(right_B)[:len(part)]))
    return [np.concatenate(column) for column in zip(*out)] if out else [np.zeros(0), np.zeros(0, bool)]

  def _laid(self, items: Sequence[Item]):
    """tokens_BT, targets_BA, weights_BA of items."""
    begins, said = 1 + self.net.question, self._answer - 1
    tokens_BT = np.full((len(items), begins + said), NOTHING, np.int32)
    targets_BA, weights_BA = np.zeros((len(items), said), np.int32), np.zeros((len(items), said), np.float32)
    tokens_BT[:, 0] = self.net.vocab
    for row_T, target_A, weight_A, item in zip(tokens_BT, targets_BA, weights_BA, items):
      count = len(item.answer) - 1
      row_T[1:1 + len(item.question)] = item.question
      row_T[begins:begins + count], target_A[:count], weight_A[:count] = item.answer[:-1], item.answer[1:], 1
    return tokens_BT, targets_BA, weights_BA

  def _logits(self, constant, whole, tokens_BT):
    held = dict(personal=whole) | ({} if constant['shared'] is None else dict(shared=constant['shared']))
    read = lambda net, tokens_BT: net(net.init_state(tokens_BT.shape[0]), tokens_BT)[1]
    logits_BTV = self.net.apply({'params': dict(personal=held), BASE: constant['base']}, tokens_BT, method=read)
    return logits_BTV[:, 1 + self.net.question:]

  def _tell(self, constant, whole, batch):
    """-> nats_B, right_B, likeliest_BA"""
    tokens_BT, targets_BA, weights_BA = batch
    logits_BAV = self._logits(constant, whole, tokens_BT)
    cost_BA = optax.softmax_cross_entropy_with_integer_labels(logits_BAV, targets_BA)
    likeliest_BA = jnp.argmax(logits_BAV, -1)
    return (cost_BA * weights_BA).sum(1), ((likeliest_BA == targets_BA) | (weights_BA == 0)).all(1), likeliest_BA

  def _stepped(self, constant, whole, state, batch):
    loss = lambda whole: jnp.mean(self._tell(constant, whole, batch)[0] / batch[2].sum(1))
    value, grads = jax.value_and_grad(loss)(whole)
    moves, state = self._optimizer.update(grads, state)
    return optax.apply_updates(whole, moves), state, value

  def _adapter(self):
    from latentmem import personal
    return personal.make(self.net.adapter, self.net.base, 1)

  def _flat(self, tree) -> dict[str, np.ndarray]:
    return {name: np.asarray(leaf, np.float32) for name, leaf in arrays.named(tree).items()}

  def _table(self, profile: Profile):
    """A table of one person."""
    found = {name: array.shape for name, array in profile.arrays.items()}
    if found != self.fits.shapes:
      raise InputError(f'{profile.name} has arrays {found}, and this projection reads {self.fits.shapes}.')
    return self._tree.unflatten([jnp.asarray(profile.arrays[name])[None] for name in arrays.named(self._tables)])


def _groups(old: Sequence[Item], new: Sequence[Item], rows: int, rehearse: float) -> list[tuple[list[int], int]]:
  """Places in [*old, *new] that are drawn from alike, and how many rows of a batch are; what is asked comes first."""
  aside = round(rows * rehearse) if new and old else rows * (not new)
  groups = []
  for items, first, share in ((old, 0, aside), (new, len(old), rows - aside)):
    kinds = [[first + i for i, item in enumerate(items) if bool(item.question) == asked] for asked in (True, False)]
    kinds = list(filter(None, kinds))
    groups += [(places, (share + len(kinds) - 1 - i) // len(kinds)) for i, places in enumerate(kinds)]
  return groups
