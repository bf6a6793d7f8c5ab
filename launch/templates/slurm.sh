#!/bin/bash
#SBATCH --job-name={{name}}
#SBATCH --nodes={{hosts}}
#SBATCH --ntasks-per-node={{devices}}
#SBATCH --gpus-per-node={{devices}}
#SBATCH --time={{time}}
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={{log}}
# One process a GPU. Told to leave, all save; requeued, they go on.
set -eu
cd {{folder}}
exec srun --kill-on-bad-exit=1 {{command}}
