"""One person's memory: written, asked, looked at, changed, moved and erased.

  python -m launch.profile absorb --run=runs/personal/lpm-0 --path=profiles --user=ann --questions=new.jsonl
  python -m launch.profile recall --run=... --path=... --user=ann --question='what is my job ?' --options=baker,pilot
  python -m launch.profile inspect|list|edit|adopt|export|import|erase --run=... --path=... --user=ann

--run names a run of launch.personalize or launch.locomo, whose base and projection a profile belongs to: a base that
reads text takes any, one that learned from generated persons the words of those. absorb takes files of lines,
--questions ({"question": ..., "options": [...], "answer": ...}) and --turns ({"role": ..., "content": ...}). edit takes
--item and --answer, or no answer to take the item away: the memory is written anew with the items that are left, so
what an adopted one knew beside them goes too. export writes a new file. erase leaves no trace in the folder, older
versions included; it and list need no --run, so that a memory can be erased whose base is gone.
"""

import sys

from absl import flags, logging

from latentmem.base.errors import check_known, InputError
from latentmem.personal.store import Store
from launch import shell

VERBS = ('absorb', 'recall', 'inspect', 'list', 'edit', 'adopt', 'export', 'import', 'erase')
_RUN = flags.DEFINE_string('run', None, 'A run of launch.personalize.')
_PATH = flags.DEFINE_string('path', 'profiles', 'Folder of the profiles.')
_USER = flags.DEFINE_string('user', None, 'Name of the person.')
_QUESTIONS = flags.DEFINE_string('questions', None, 'absorb: file of questions with their answers.')
_TURNS = flags.DEFINE_string('turns', None, 'absorb: file of turns.')
_STEPS = flags.DEFINE_integer('steps', 300, 'absorb, edit: updates of the memory.')
_QUESTION = flags.DEFINE_string('question', None, 'recall: what is asked.')
_OPTIONS = flags.DEFINE_list('options', [], 'recall: answers to choose from.')
_ITEM = flags.DEFINE_integer('item', None, 'edit: number of the item, as inspect shows it.')
_ANSWER = flags.DEFINE_string('answer', None, 'edit: its answer from now on.')
_PERSON = flags.DEFINE_integer('person', None, 'adopt: number of somebody whom the projection was trained with.')
_FILE = flags.DEFINE_string('file', None, 'export, import: the file.')
NEEDS = dict(recall=[_RUN, _USER, _QUESTION], edit=[_RUN, _USER, _ITEM], adopt=[_RUN, _USER, _PERSON],
             export=[_RUN, _USER, _FILE], erase=[_USER], list=[])
NEEDS['import'] = [_RUN, _FILE]


def main(verb: str):
  check_known(verb, VERBS, 'launch.profile', 'verb')
  for flag in NEEDS.get(verb, [_RUN, _USER]):
    if flag.value is None:
      raise InputError(f'--{flag.name} is missing; {verb} needs it.')
  logging.set_verbosity(logging.FATAL)
  user = _USER.value
  if verb in ('list', 'erase'):
    store = Store(_PATH.value)
    print('\n'.join(store.names()) if verb == 'list' else f'{user}: {store.erase(user)} files erased')
    return
  from launch.personalizing import profiles
  # What is written wrongly is told before the base is read.
  wording = profiles.wording_of(_RUN.value)
  items = [item for read, path in ((wording.questions, _QUESTIONS.value), (wording.turns, _TURNS.value)) if path
           for item in read(path)]
  room = profiles.opened(_RUN.value, _PATH.value)
  kept = lambda profile: f'{profile.name}: version {profile.version}, {len(profile.items)} items'
  done = {
      'absorb': lambda: kept(profiles.absorb(room, user, items, _STEPS.value)),
      'recall': lambda: profiles.recall(room, user, _QUESTION.value, _OPTIONS.value),
      'inspect': lambda: profiles.inspect(room, user),
      'edit': lambda: kept(profiles.edit(room, user, _ITEM.value, _ANSWER.value, _STEPS.value)),
      'adopt': lambda: kept(profiles.adopt(room, user, _PERSON.value)),
      'export': lambda: kept(room.store.export(user, _FILE.value)),
      'import': lambda: kept(room.store.take(_FILE.value, user or ''))}
  print(done[verb]())


if __name__ == '__main__':
  chosen = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith('-') else ''
  shell.run(lambda: main(chosen))
