"""`python3 -m vae_lessons`: set the course up once and open it; `--help` says more."""

# Only syntax that Python 3.6 can parse may stand in this file: an old interpreter has to get
# as far as the sentence below instead of stopping at a SyntaxError.
import sys

if sys.version_info < (3, 10):
    sys.exit(
        "vae_lessons: Python 3.10 or newer is needed, and this is {}.{}. Run the command with a newer one, "
        "for example python3.12 -m vae_lessons.".format(*sys.version_info[:2])
    )

from vae_lessons.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
