"""Large memory pages for a launcher's process.

XLA on a CPU asks for its scratch memory anew at every step. In pages of 4 KiB the kernel then spends as long on handing
out memory as the step does on arithmetic; glibc (2.35 and later) asks for large pages where it is told so from outside.
"""

import os
import sys

TUNABLES = 'GLIBC_TUNABLES'


def ask() -> None:
  """Starts `python -m launch.NAME` over with large pages; does nothing elsewhere, or where tunables are set."""
  run_by_name = sys.argv[0] == '-m'
  if run_by_name and sys.platform == 'linux' and TUNABLES not in os.environ:
    os.environ[TUNABLES] = 'glibc.malloc.hugetlb=1'
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
