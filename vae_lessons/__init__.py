"""Helpers of the course *Variational autoencoders, checked*: one module, one idea.

Importing the package costs nothing; each lesson imports the modules it has explained by name,
for example ``from vae_lessons.gaussian import kl_to_standard``.
"""

__version__ = "0.1.0"
