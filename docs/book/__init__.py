"""The book on the web: from the stored notebooks to static pages (`python3 -m vae_lessons site`)."""


class BookError(Exception):
    """Something that an author has to act on; its text is the one sentence they get."""
