# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read recipes: TOML files with all settings of a training run.
"""

import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

__all__ = ['DataRecipe', 'OptimiserRecipe', 'Recipe', 'check_name',
           'list_recipes', 'read_recipe']

_KINDS = {str: str, int: int, float: (int, float), bool: bool, list: list,
          dict: dict}

FOLDER = Path(__file__).parent / 'recipes'

# A name of weights; file systems allow names of 255 bytes.
_NAME = re.compile(r'(?!\.)[A-Za-z0-9._-]{1,100}')


def check_name(name):
    """
    Check that the name of weights can be the name of a file.

    Parameters
    ----------
    name : str
        The name.

    Raises
    ------
    ValueError
        If the name has other characters than letters, digits, dots,
        hyphens and underscores, begins with a dot, is longer than 100
        characters, or is that of another file of a training run.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        msg = ('recipe: name must have 1 to 100 letters, digits, dots, '
               'hyphens or underscores and not begin with a dot, because '
               f'the weights are written to a file of that name; got {name!r}'
               ': give another name in the recipe')
        raise ValueError(msg)
    # the model card would overwrite recipe.json, with which a run resumes
    if name.lower() == 'recipe':
        msg = ("recipe: name must not be 'recipe', because recipe.json is "
               'another file of a training run: give another name in the '
               'recipe')
        raise ValueError(msg)


@dataclass(frozen=True)
class DataRecipe:
    """
    Table ``[data]`` of a recipe.

    Attributes
    ----------
    source : str
        'simulation', or 'pairs': shards of real images with profiles.

    folder : str
        Of the shards, for 'pairs'.

    survey : str
        The instruments that the simulator draws ('mix', 'sdss', 'sdss-r',
        'any', ...).

    n_pix : list of int
        Sides of the images; they take turns from batch to batch.

    batch_size : list of int
        Images in a batch of each side.

    repeat : int
        Number of times that a simulated image is shown, each time shifted
        and turned.

    wobble : int
        The largest random shift of the crop in pixels.

    clutter : bool
        Stars, neighbours, defects and residual sky.

    features : bool
        Whether bars, rings, clumps and tides of simulated galaxies are more
        common and stronger than in the local Universe.

    length : float
        The longest profile, as a fraction of the side.

    tail : int
        Values after the end of the profile that are trained, so that the
        network learns to stop.

    snr : float
        A simulated profile ends where the signal-to-noise ratio of a
        perfect ring falls to this. For 'pairs' see ``cut_window``.

    cut_window, cut_snr : int, float
        A profile of 'pairs' ends where (mean/std)^2 in a window of so many
        values falls to this (section 2.3 of the paper).

    workers : int
        Processes that prepare the batches.

    validation : int
        The number of images that validation uses.
    """

    source: str = 'simulation'
    folder: str = ''
    survey: str = 'mix'
    n_pix: list = field(default_factory=lambda: [256])
    batch_size: list = field(default_factory=lambda: [32])
    repeat: int = 3
    wobble: int = 8
    clutter: bool = True
    features: bool = False
    length: float = 0.7
    tail: int = 32
    snr: float = 1.0
    cut_window: int = 40
    cut_snr: float = 4.0
    workers: int = 1
    validation: int = 256

    def __post_init__(self):
        if self.source not in ('simulation', 'pairs'):
            msg = ("data.source must be 'simulation' or 'pairs', got "
                   f'{self.source!r}')
            raise ValueError(msg)
        if self.source == 'pairs' and not self.folder:
            msg = "data.folder must be given with data.source = 'pairs'"
            raise ValueError(msg)
        if len(self.n_pix) != len(self.batch_size) or not self.n_pix:
            msg = ('data.n_pix and data.batch_size must have equal lengths, '
                   f'got {self.n_pix} and {self.batch_size}')
            raise ValueError(msg)
        for name in ('repeat', 'validation'):
            if getattr(self, name) < 1:
                msg = (f'data.{name} must be 1 or more, got '
                       f'{getattr(self, name)}')
                raise ValueError(msg)


@dataclass(frozen=True)
class OptimiserRecipe:
    """
    Table ``[training]`` of a recipe.

    Attributes
    ----------
    steps : int
        Steps of the optimiser.

    optimiser : str
        'adam' or 'adamw'.

    learning_rate, weight_decay : float
        Of the optimiser.

    schedule : str
        'constant'; 'cosine', to zero at the last step; or 'trapezoid',
        constant and linear to zero in the last quarter of the steps.

    warmup : int
        Steps in which the learning rate rises.

    loss : str
        'mse' as in the paper, or 'l1', which is what the median measures.

    teacher_forcing : float
        The share of the steps in which the truth is fed in.

    clip : float
        The largest norm of the gradient; 0 for no limit.

    ema : float
        The decay of the averaged weights, which are validated and
        exported; 0 for none.

    precision : str
        As Lightning names it: '32-true', 'bf16-mixed'.

    freeze_norm : int
        From this step on, batch normalisation uses the averages that it has
        gathered instead of those of the batch, in which the brightness of
        one galaxy depends on that of the others; 0 for never.

    checkpoint_steps : int
        Steps between checkpoints, which are also those between
        validations and in an epoch; ``steps`` is a multiple of it.

    seed : int
        Of everything.

    start : str
        Weights to begin with, a name or a file; by default, random ones.
    """

    steps: int = 1000
    optimiser: str = 'adam'
    learning_rate: float = 2e-4
    weight_decay: float = 0.0
    schedule: str = 'constant'
    warmup: int = 0
    loss: str = 'mse'
    teacher_forcing: float = 0.4
    clip: float = 0.0
    ema: float = 0.0
    precision: str = '32-true'
    freeze_norm: int = 0
    checkpoint_steps: int = 100
    seed: int = 0
    start: str = ''

    def __post_init__(self):
        for name, allowed in (('optimiser', ('adam', 'adamw')),
                              ('schedule', ('constant', 'cosine',
                                            'trapezoid')),
                              ('loss', ('mse', 'l1'))):
            if getattr(self, name) not in allowed:
                msg = (f'training.{name} must be one of '
                       f'{", ".join(allowed)}; got {getattr(self, name)!r}')
                raise ValueError(msg)
        for name in ('steps', 'checkpoint_steps', 'learning_rate'):
            if getattr(self, name) <= 0:
                msg = (f'training.{name} must be positive, got '
                       f'{getattr(self, name)}')
                raise ValueError(msg)
        if (self.steps > self.checkpoint_steps
                and self.steps % self.checkpoint_steps):
            msg = ('training.steps must be a multiple of '
                   'training.checkpoint_steps, or the end would not be '
                   f'validated; got {self.steps} and '
                   f'{self.checkpoint_steps}')
            raise ValueError(msg)
        for name in ('teacher_forcing', 'ema'):
            if not 0 <= getattr(self, name) <= 1:
                msg = (f'training.{name} must be from 0 to 1, got '
                       f'{getattr(self, name)}')
                raise ValueError(msg)


@dataclass(frozen=True)
class Recipe:
    """
    Settings of a training run.

    Attributes
    ----------
    name : str
        The name of the weights that it makes, which is that of their file:
        letters, digits, dots, hyphens and underscores, without a dot in
        front.

    description : str
        The purpose of the weights.

    architecture : str
        A key of `astro_pix2prof.networks.architectures.ARCHITECTURES` that
        has a training task.

    network : dict
        The settings of the network.

    data : `DataRecipe`
        The images.

    training : `OptimiserRecipe`
        The optimisation.
    """

    name: str
    description: str = ''
    architecture: str = 'captioner'
    network: dict = field(default_factory=dict)
    data: DataRecipe = field(default_factory=DataRecipe)
    training: OptimiserRecipe = field(default_factory=OptimiserRecipe)

    def __post_init__(self):
        check_name(self.name)

    def to_dict(self):
        """
        Return the recipe as nested dictionaries.
        """
        return asdict(self)

    @property
    def digest(self):
        """
        Short hash that changes with anything in the recipe.
        """
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def presentations(self):
        """
        Approximate number of images that a run shows.
        """
        sizes = self.data.batch_size
        return round(self.training.steps * sum(sizes) / len(sizes))


def list_recipes():
    """
    List the names of the recipes that ship with the package.
    """
    return sorted(path.stem for path in FOLDER.glob('*.toml'))


def _table(cls, values, name):
    if not isinstance(values, dict):
        msg = f'recipe: [{name}] must be a table, got {values!r}'
        raise ValueError(msg)
    known = {item.name for item in fields(cls)}
    unknown = set(values) - known
    if unknown:
        msg = (f'recipe: unknown settings in [{name}]: '
               f'{", ".join(sorted(unknown))}; known are '
               f'{", ".join(sorted(known))}')
        raise ValueError(msg)
    for item in fields(cls):
        value, kind = values.get(item.name), item.type
        if value is None or kind not in _KINDS:
            continue
        allowed = _KINDS[kind]
        # True is an integer to Python, and a mistake here
        if not isinstance(value, allowed) or (
                isinstance(value, bool) and kind is not bool):
            msg = (f'recipe: {item.name} in [{name}] must be of the type '
                   f'{kind.__name__}, got {value!r}')
            raise ValueError(msg)
    return cls(**values)


def read_recipe(recipe, **changes):
    """
    Read a recipe.

    Parameters
    ----------
    recipe : str or path-like
        A name of `list_recipes`, or a TOML file.

    **changes
        Other values of settings, such as ``training={'steps': 10}``.

    Returns
    -------
    recipe : `Recipe`

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a setting is unknown or out of range.
    """
    path = Path(recipe)
    if str(recipe) in list_recipes():
        path = FOLDER / f'{recipe}.toml'
    if not path.is_file():
        msg = (f'recipe: {path} does not exist, and is none of '
               f'{", ".join(list_recipes())}')
        raise FileNotFoundError(msg)
    try:
        values = tomllib.loads(path.read_text(encoding='utf-8'))
    except tomllib.TOMLDecodeError as error:
        msg = f'recipe: {path} is not valid TOML: {error}'
        raise ValueError(msg) from error
    values.setdefault('name', path.stem)
    for key, value in changes.items():
        values[key] = ({**values.get(key, {}), **value}
                       if isinstance(value, dict) else value)
    for key, cls in (('data', DataRecipe), ('training', OptimiserRecipe)):
        values[key] = _table(cls, values.get(key, {}), key)
    return _table(Recipe, values, 'top level')
