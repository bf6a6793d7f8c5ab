"""Asks a base PersonaMem's questions behind the chat that it reads itself, and tells one table by type of question.

  python -m launch.personamem --base=Qwen3-0.6B --path=personamem --version=32k --context=8192 --workdir=runs/personamem

--path is a folder with questions_<version>.csv and shared_contexts_<version>.jsonl. The base, a Hugging Face folder or
a run of launch.train over text, reads the last --context tokens of the chat before each question (0: all of it), in
pieces and once for all questions after the same turns, and chooses the likeliest of four answers: by its letter, or
with --by=text by its text, a byte of it. Chat and question are written by the chat template of the folder, if it has
one, and else in plain text, a turn a paragraph that opens with who speaks. Beside it stand the base with the question
alone, and the rule of the longest option. The folder gets table.txt, table.json, table.png and report.html; the same
command goes on where it stopped.
"""

import functools

from absl import flags, logging

from latentmem.base.errors import InputError
from latentmem.tasks import personamem
from launch import comparing, parts, shell
from launch.personalizing import bases, choosing, comparison

_BASE = flags.DEFINE_string('base', None, 'Folder of the base.')
_PATH = flags.DEFINE_string('path', None, 'Folder of PersonaMem v1.')
_VERSION = flags.DEFINE_enum('version', personamem.VERSIONS[0], personamem.VERSIONS, 'Length of the chats.')
_CONTEXT = flags.DEFINE_integer('context', 0, 'Tokens of the chat that are read, the last ones; 0 for all.')
_BY = flags.DEFINE_enum('by', personamem.BY[0], personamem.BY, 'What is compared of the four answers.')
_WORKDIR = flags.DEFINE_string('workdir', 'runs/personamem', 'Folder of the table.')


def main():
  logging.set_verbosity(logging.FATAL)
  if not _BASE.value or not _PATH.value or _CONTEXT.value < 0:
    raise InputError('launch.personamem needs --base=FOLDER, --path=FOLDER, and a --context of 0 tokens or more.')
  bench = personamem.read(_PATH.value, _VERSION.value)
  # A template that cannot be used is told before the base is read.
  bases.chat_of(_BASE.value)
  base = bases.load(_BASE.value, parts.mesh(1, 1))
  bases.check_text(base)
  asked = choosing.Questions(bench, bases.speech(base), _BY.value)
  choosing.check(asked, base)
  folder, last = comparing.begun(_WORKDIR.value), _CONTEXT.value
  pages = {}
  for name, read in ((f'last {last} tokens' if last else 'whole chat', last), ('question alone', None)):
    print(f'The base is asked: {name}', flush=True)
    pages[name] = comparison.kept(folder / f'{_VERSION.value}-{_BY.value}-{name.replace(" ", "-")}.json', base, asked,
                                  functools.partial(choosing.scored, base, asked, read))
  print(choosing.tell(folder, asked, pages, base))


if __name__ == '__main__':
  shell.run(main)
