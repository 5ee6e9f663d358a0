"""Exercises of notebook 07."""

from vae_lessons.exercises.source import Lesson

LESSON = Lesson("07", "", ())
