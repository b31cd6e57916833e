"""The exercises, one file a lesson: each with its question, the right answer, and the mistakes that people make.

A file `lNN_name.py` belongs to `lessons/NN_name.py` and ends in `EXERCISES`, which is all that others use of it; the
functions are called as those of `lessons/solutions/NN_name.py`, where their arguments are described.
An exercise that is a function has

- `draw_...(rng)`: one question, as arguments and options;
- the reference, called as the student's function must be;
- wrong versions of it. The docstring of each is the hint for a student whose answers equal its answers.

An exercise that is an operation names one of `minigpt.check.OPERATIONS`, whose cases and planted bugs judge it; it
needs those of its two functions that the lesson's stub leaves open, and arguments like those of the stub's forward.
"""
