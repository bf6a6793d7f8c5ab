"""Agents that share slots over a bank: some see and write, others are asked and read, in any number of processes.

    scenes = Shared(Bank('runs/bank'), 'kitchen', net, params)        # each agent has one; net is of the kind `sharing`
    scenes.write(scenes.see(left_BS, place=0))                        # what this agent saw, as a message
    scenes.write(scenes.see(right_BS, place=4), rule='refuse')        # somebody else, elsewhere, at the same time
    logits_BQV = scenes.answer(questions_BQ)                          # from the slots in the bank alone

The object holds one array of whole numbers for each slot that was written ('slot-0', ...): what passes between the
agents, in as many bits. An agent adds its slots to the version it has read. Where somebody was quicker, the two are
merged from the version that both had read: slots that one of them wrote are taken from it, and what both wrote
differently is decided by the rule, as `bank.merging` says ('refuse' raises, and the object stays as it was).
B rows (scenes), S tokens of what one agent sees, Q tokens of questions, L layers, N slots, K numbers that tell one.
"""

import contextlib
import functools
import uuid

import jax
import jax.numpy as jnp
import numpy as np

from latentmem.bank.store import Bank, Conflict
from latentmem.base.errors import InputError
from latentmem.session import state as states

KIND = 'shared slots'


class Shared:
  """One object of a bank as an agent sees it.

  Attributes:
    bank, name: Where the slots lie.
    model, params: A pair of the kind `sharing`; all agents have the same.
    fingerprint: Of the pair, as a bank keeps it; what another pair has written is refused. None: of all it holds.
  """

  def __init__(self, bank: Bank, name: str, model, params, fingerprint: str | None = None):
    self.bank, self.name, self.model, self.params = bank, name, model, params
    self.fingerprint = states.identity(model, params).fingerprint if fingerprint is None else fingerprint
    self._see = jax.jit(functools.partial(_seen, model))
    self._answer = jax.jit(functools.partial(_answered, model))

  def see(self, scene_BS, place: int = 0) -> dict[str, np.ndarray]:
    """Perception: the message about some views of scenes, a slot an array [B, L, K], from slot number `place` on.

    Raises InputError where reasoning has not so many slots.
    """
    codes_BLNK = np.asarray(self._see(self.params, jnp.asarray(scene_BS)))
    count, room = codes_BLNK.shape[2], self._slots
    if not 0 <= place <= room - count:
      raise InputError(f'{count} slots from number {place} on do not fit into {room}.')
    least = np.uint8 if self.model.codes <= 256 else np.uint16
    return {slot(place + n): codes_BLNK[:, :, n].astype(least) for n in range(count)}

  def read(self) -> tuple[dict[str, np.ndarray], int]:
    """(the slots that are there, the version); none and 0 where there is no such object yet."""
    if self.name not in self.bank.list():
      return {}, 0
    arrays, header = self.bank.get(self.name, kind=KIND, fingerprint=self.fingerprint)
    return arrays, header.version

  def write(self, message: dict[str, np.ndarray], since: tuple[dict, int] | None = None, rule: str = 'refuse',
            when: str = '') -> int:
    """Adds a message to the slots -> the version that has it.

    Args:
      message: From `see`.
      since: What the agent had `read`; the newest version where it is not given.
      rule: For slots that others have written since, as in `bank.merging`.
      when: A time, ISO 8601 as text; the rule 'newest' asks for it.

    Raises InputError where the rule refuses; nothing is changed then.
    """
    had, version = self.read() if since is None else since
    said = dict(kind=KIND, fingerprint=self.fingerprint, when=when)
    if not version:
      # The first version holds nothing, so that the first to write have something to come from.
      with contextlib.suppress(Conflict):
        self.bank.put(self.name, {}, onto=0, **said)
      version = 1
    try:
      return self.bank.put(self.name, had | message, onto=version, **said)
    except Conflict:
      aside = f'{self.name[:60]}.{uuid.uuid4().hex}'
      self.bank.put(aside, had | message, parents=[f'{self.name}@{version}'], **said)
    try:
      return self._merged(aside, rule, when)
    finally:
      self.bank.forget(aside)

  def _merged(self, aside: str, rule: str, when: str) -> int:
    while True:
      newest = self.bank.versions(self.name)[-1]
      with contextlib.suppress(Conflict):
        return self.bank.merge([f'{self.name}@{newest}', aside], rule, into=self.name, onto=newest, when=when)

  def answer(self, questions_BQ) -> jax.Array:
    """Reasoning: logits [B, Q, V] of questions, from what lies in the bank; slots that nobody wrote are zeros."""
    arrays, _ = self.read()
    questions_BQ = jnp.asarray(questions_BQ)
    empty_BLK = np.zeros((len(questions_BQ), self.model.reasoning['layers'], self.model.told_by), np.uint8)
    wrong = {name: list(a.shape) for name, a in arrays.items() if a.shape != empty_BLK.shape}
    if wrong:
      raise InputError(f'{self.name} of {self.bank.path} holds slots of other shapes than {list(empty_BLK.shape)}: '
                       f'{wrong}.')
    names = [slot(n) for n in range(self._slots)]
    codes_BLNK = np.stack([arrays.get(name, empty_BLK).astype(np.int32) for name in names], 2)
    there_N = np.array([name in arrays for name in names])
    return self._answer(self.params, codes_BLNK, there_N, questions_BQ)

  @property
  def _slots(self) -> int:
    return self.model.reasoning['memory']['slots']


def slot(n: int) -> str:
  """The name of a slot's array."""
  return f'slot-{n}'


def _seen(model, params, scene_BS):
  return model.apply(params, model.apply(params, scene_BS, method='perceive'), method='message')


def _answered(model, params, codes_BLNK, there_N, questions_BQ):
  s_BLNM = model.apply(params, codes_BLNK, method='told') * there_N[:, None]
  carry = model.apply(params, len(questions_BQ), method='init_state')
  return model.apply(params, carry, s_BLNM, questions_BQ, method='answer')[1]
