# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
The original network of the paper
=================================

The authors of Pix2Prof (Smith et al. 2021) published the weights of their
network. This package runs that file as it is. You see how such a network turns
an image into a profile, how its file is read, and how its successors in this
package do on the same galaxy.
"""

# %%
# The file
# --------
#
# ``pix2prof_2020-10-08.pth`` is a checkpoint of PyTorch: a dictionary with the
# weights of an encoder, a ResNet-18 that turns an image into 512 numbers, and
# of a decoder, three gated recurrent units that write the profile value by
# value. It is not part of this package. Get it from the authors, and put its
# path here:

import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    Pix2ProfFitter,
    load_example,
    load_example_truth,
)
from astro_pix2prof.networks.original import OriginalPix2Prof, load_original

path = Path(os.environ.get('PIX2PROF_CHECKPOINT', 'pix2prof_2020-10-08.pth'))

# %%
# Without that file, as when this page was built, a file of the same layout
# stands in for it. **Its weights are random: its profile means nothing.** It
# shows that the way from the file to the table works, and no more.

temporary = TemporaryDirectory()
is_original = path.exists()
if not is_original:
    torch.manual_seed(1)
    stand_in = OriginalPix2Prof()
    with torch.no_grad():
        # (a ramp of values as bright as a galaxy)
        stand_in.decoder.fc.weight.abs_().mul_(12)
        stand_in.decoder.fc.bias.fill_(19.0)
    path = Path(temporary.name) / 'stand_in.pth'
    torch.save({'encoder': stand_in.encoder.state_dict(),
                'decoder': stand_in.decoder.state_dict(), 'epoch': 0}, path)
print('the original file' if is_original else 'a stand-in, random weights')

# %%
# What is in it
# -------------
#
# The file is read as tensors only. Nothing in it is executed, which loading
# such files with older versions of PyTorch would do.

network = load_original(path)
for name in ('encoder', 'decoder'):
    part = getattr(network, name)
    n = sum(weight.numel() for weight in part.parameters())
    print(f'{name}: {n / 1e6:.1f} million weights')

# %%
# How it sees a galaxy
# --------------------
#
# The network knows images of the SDSS in nanomaggies, of 256 pixels, with the
# galaxy in the middle. It divides by fixed numbers, so that an image in
# another unit is another galaxy to it: a file that has no unit must be
# converted first.
#
# `Pix2ProfFitter.from_original <astro_pix2prof.Pix2ProfFitter.from_original>`
# does all of this and gives the same table as any other fitter.

image, truth = load_example(), load_example_truth()
fitter = Pix2ProfFitter.from_original(path)
with warnings.catch_warnings():
    # (random weights give a profile that is doubtful, and it is said so)
    warnings.simplefilter('ignore' if not is_original else 'default',
                          AstropyUserWarning)
    original = fitter(image)
original['radius', 'surface_brightness', 'surface_brightness_err',
         'ellipticity', 'flag'][:4]

# %%
# There are no ellipses in it but one for all rings (FIXED_GEOMETRY), and no
# errors: the network states none. It does not state radii either: a value for
# each pixel is what it learned, and ``radius_step`` says otherwise.
#
# From pixels to a profile
# ------------------------
#
# On the left is the image as the network sees it, clipped at the brightest
# pixel of a thousand. In the middle are the 512 numbers that the encoder makes
# of it: all that the decoder ever knows of the galaxy. On the right are
# profiles. ``captioner`` is the same idea, trained anew for this package on
# simulated galaxies; ``rings`` is the default, which measures pixels along
# ellipses rather than to recite what it has recognised.

scaled = np.minimum(image.data, np.percentile(image.data, 99.9))
scaled = ((scaled - 2) / 28).astype(np.float32)
with torch.inference_mode():
    numbers = network.encoder(torch.from_numpy(scaled)[None, None])[0].numpy()

with warnings.catch_warnings():
    warnings.simplefilter('ignore', AstropyUserWarning)
    profiles = {name: Pix2ProfFitter(name)(image)
                for name in ('captioner', 'rings')}

fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout='constrained',
                         width_ratios=(1, 0.5, 1.3))
axes[0].imshow(np.arcsinh((28 * scaled + 2) / 0.05), origin='lower',
               cmap='gray_r', vmin=-1)
axes[0].set_title('the image', loc='left', fontsize='medium')
axes[1].imshow(numbers.reshape(32, 16), cmap='RdBu_r')
axes[1].set_title('512 numbers', loc='left', fontsize='medium')
for ax in axes[:2]:
    ax.set(xticks=[], yticks=[])
ax = axes[2]
ax.plot(truth['radius'].value, truth['surface_brightness'].value,
        color='0.25', lw=1, label='truth')
for (name, profile), colour in zip(profiles.items(), ('#D55E00', '#0072B2'),
                                   strict=True):
    ax.plot(profile['radius'].value, profile['surface_brightness'].value,
            '.-', ms=4, lw=0.8, color=colour, label=name)
ax.plot(original['radius'].value, original['surface_brightness'].value, ':',
        color='0.5', label='the original' if is_original
        else 'stand-in (random weights)')
ax.set(xlim=(0, 45), ylim=(29, 18), xlabel='Semi-major axis [arcsec]',
       ylabel=r'$\mu_r$ [mag arcsec$^{-2}$]')
ax.set_title('profiles', loc='left', fontsize='medium')
ax.legend(frameon=False, fontsize='small')
plt.show()

# %%
# In numbers, where the galaxy is brighter than 25 mag/arcsec2:

for name, profile in profiles.items():
    true = np.interp(profile['radius'].value, truth['radius'].value,
                     truth['surface_brightness'].value)
    bright = true < 25
    off = np.abs(profile['surface_brightness'].value - true)[bright]
    print(f'{name:10s} median error {np.median(off):.3f} mag')

# %%
# The whole fitter adds nothing to what the network writes: the values are
# those of the network itself.

print(np.array_equal(network.profile(image.data).astype(np.float32),
                     original['surface_brightness'].value.astype(np.float32)))
temporary.cleanup()

# %%
# Where to go from here: :doc:`/weights` has all weights of this package, and
# :doc:`/accuracy_captioner` what the captioner is worth on many galaxies.
