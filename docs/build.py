"""Build the book on the web: ``python3 -m vae_lessons site`` sets up what it needs and calls this."""

import sys

from book.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
