"""Names to things: a kind is a file, and the file holds one class of the room's type."""

import dataclasses
import hashlib
import importlib
import pkgutil
import re

from latentmem.base.errors import check_known, hint, InputError


class Room:
  """The kinds in a package: `make('titans', width=64)` builds `package/titans.py`."""

  def __init__(self, package: str, interface: str = 'interface', shared: tuple[str, ...] = ()):
    """`interface` names the file that defines `Base`; `shared` the files that hold no kind."""
    self.package, self.interface, self.shared = package, interface, shared

  def kinds(self) -> list[str]:
    path = importlib.import_module(self.package).__path__
    return sorted({m.name for m in pkgutil.iter_modules(path)} - {self.interface, *self.shared})

  def find(self, kind: str) -> type:
    """The class of `kind`. Raises InputError for an unknown kind, naming the nearest."""
    if kind not in self.kinds():
      raise InputError(f'{self.package} has no {kind!r}{hint(kind, self.kinds())}; it has {self.kinds()}.')
    module = importlib.import_module(f'{self.package}.{kind}')
    base = importlib.import_module(f'{self.package}.{self.interface}').Base
    own = [v for v in vars(module).values()
           if isinstance(v, type) and issubclass(v, base) and v.__module__ == module.__name__]
    if len(own) != 1:
      raise TypeError(f'{module.__name__} must define one {base.__name__}, not {len(own)}.')
    return own[0]

  def fields(self, kind: str, **chosen) -> dict:
    """All of a kind's fields, at their defaults unless chosen: what a config records.

    Raises InputError for an unknown field, or for a field that must be chosen and is not.
    """
    known = {f.name: f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
             for f in self._declared(kind)}
    for field in chosen:
      check_known(field, known, kind, 'field')
    filled = known | chosen
    missing = [name for name, value in filled.items() if value is dataclasses.MISSING]
    if missing:
      raise InputError(f'{kind} needs {missing}.')
    return dict(kind=kind) | filled

  def known_fields(self, kind: str, **wanted) -> dict:
    """Of the fields that are wanted, those that a kind has: for a config that takes any kind."""
    names = {f.name for f in self._declared(kind)}
    return {name: value for name, value in wanted.items() if name in names}

  def _declared(self, kind: str) -> list[dataclasses.Field]:
    declared = dataclasses.fields(self.find(kind))
    # Linen adds a parent and a name to every module; elsewhere a name is a field like any other.
    linen = ('parent', 'name') if any(f.name == 'parent' for f in declared) else ()
    return [f for f in declared if f.init and f.name not in linen]

  def make(self, kind: str, **chosen):
    """Builds `kind` with its fields."""
    return self.build(self.fields(kind, **chosen))

  def build(self, fields: dict, **given):
    """Builds from a dict of kind and fields, and what is given beside them; what is missing is at its default."""
    fields = dict(fields)
    return self.find(fields.pop('kind'))(**fields, **given)


def file_name(name: str, most: int = 100) -> str:
  """A name that every file system and a list with commas take: odd characters as '_', a long end as its hash."""
  if len(name) > most:
    name = f'{name[:most - 20]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}'
  return re.sub(r'[^\w.=-]+', '_', name, flags=re.ASCII)
