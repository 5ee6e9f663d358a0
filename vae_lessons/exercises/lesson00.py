"""Exercises of notebook 00: three small ones, which show how exercises work."""

import torch

from vae_lessons.exercises.source import Case, Exercise, Lesson, Mistake, shares

SETUP = "import math"


def _nats(generator: torch.Generator) -> list[Case]:
    """Single numbers: none, one, a few, and so many that their exponential overflows."""
    few = (30 * shares(generator, 2, dtype=torch.float64)).round(decimals=1)
    return [
        Case("1 nat", (1.0,)),
        Case("0 nats", (0.0,)),
        Case("a negative number of nats", (-2.5,)),
        Case("a thousandth of a nat", (0.001,)),
        Case("1000 nats", (1000.0,)),
        Case("a few nats", (few[0].item() + 2,)),
        Case("a few nats with a minus", (-few[1].item() - 2,)),
    ]


LAST_LATENT = Exercise(
    name="last-latent",
    title="A number",
    task="""Brightness runs from 0 to 1 in these images, and in theory the last KL reaches 0 at β = 1.398.
Now double all pixel values, and leave `noise_var` at 0.5.
At which β does the last KL reach 0?
Replace `...` by your number, run the cell, then the check.
A wrong answer does no harm, so try one first, if you like.""",
    stub="last_dies = ...",
    answer="last_dies",
    solution="last_dies = 2**2 * 1.398",
    why="""The threshold is a variance divided by `noise_var`.
Doubled values have four times the variance, so the threshold rises to 4 · 1.398 = 5.59.""",
    hints=(
        "The threshold is the largest variance divided by `noise_var`. Which of the two changes?",
        "A variance is a mean of squares: what becomes of it when every value is doubled?",
    ),
    mistakes=(
        Mistake("last_dies = 2 * 1.398", "That would be so for a standard deviation. A variance is a mean of squares."),
        Mistake("last_dies = 1.398", "`noise_var` has stayed, but the variance of the images has not."),
        Mistake(
            "last_dies = 1.398 / 4",
            "The factor is right, the direction is not: the variance of the data stands above the fraction line.",
        ),
        Mistake(
            "last_dies = 1.398 / 2",
            "Too small: the variance of the data grows, and it stands above the fraction line. "
            "Look at the factor, too.",
        ),
    ),
)

GREY_BLUR = Exercise(
    name="grey-blur",
    title="A choice",
    task="""At the right end of the slider, at β = 1.6, all ten redrawn digits are the same picture.
Why?
Answer with a letter in quotes.

- `"a"`: the training was too short for digits
- `"b"`: no latent is alive any more, so the decoder draws the average
- `"c"`: this decoder is too small to draw digits
- `"d"`: the decoder's noise was set so high that it covers them""",
    stub="reason = ...",
    answer="reason",
    solution='reason = "b"',
    why="""The KL in the title has vanished: the latents are the same noise for every digit.
Whoever must redraw an unseen digit does best, in mean squared error, with the average of all.""",
    hints=(
        "What does the picture's title say about the KL there?",
        (
            "The nine models differ in one thing only, β. "
            "Which of the four reasons follows from a high price for latents?"
        ),
    ),
    mistakes=(
        Mistake('reason = "a"', "All nine were trained for the same 30 epochs, and at β = 0.02 that was enough."),
        Mistake(
            'reason = "c"',
            "All nine decoders have the same layers and as many weights, and the one at β = 0.02 draws digits.",
        ),
        Mistake(
            'reason = "d"',
            "`noise_var` is 0.5 for all nine. And the pictures show the decoder's mean, to which no noise is added.",
        ),
    ),
)

BITS = Exercise(
    name="nats-to-bits",
    title="A function",
    task="""The title gives the KL in nats.
Write the function that turns nats into bits: a nat is 1/log 2 bits, with the natural logarithm,
which is `math.log` in Python.
The check calls it with numbers of its own, also large ones, and compares what it returns, not how
you wrote it.
Afterwards, `progress()` in a new cell shows what is done.""",
    stub='''def bits(nats):
    """As many bits as this number of nats."""
    ...''',
    answer="bits",
    solution='''def bits(nats):
    """As many bits as this number of nats."""
    return nats / math.log(2)''',
    why="""One bit decides between 2 equally likely cases, so it is log 2 = 0.693 nats; a nat is 1/0.693 = 1.44
bits.""",
    hints=(
        "A number of bits is larger than the same amount in nats, by a constant factor.",
        "`return nats / …` with the natural logarithm of 2.",
    ),
    mistakes=(
        Mistake(
            "def bits(nats):\n    return nats * math.log(2)",
            "That is the way from bits to nats: 1 nat would be 0.69 bits, and it is 1.44.",
        ),
        Mistake(
            "def bits(nats):\n    return nats * 1.44",
            "Nearly: 1.44 is rounded, and off by 2 in a thousand. `math.log(2)` has all digits.",
        ),
        Mistake(
            "def bits(nats):\n    return nats / 0.693",
            "Nearly: 0.693 is rounded, and off by 2 in ten thousand. `math.log(2)` has all digits.",
        ),
        Mistake(
            "def bits(nats):\n    return math.log2(nats)",
            "You took the logarithm of the number of nats. Only the factor between the two units contains a logarithm.",
        ),
        Mistake(
            "def bits(nats):\n    return math.log2(math.exp(nats))",
            "Right on paper, and it works up to 709 nats. "
            "Beyond that `math.exp` is too large for a floating-point number.",
        ),
        Mistake("def bits(nats):\n    return 1 / math.log(2)", "That is the factor; multiply the nats by it."),
    ),
    cases=_nats,
)

LESSON = Lesson("00", SETUP, (LAST_LATENT, GREY_BLUR, BITS))
