"""A student's pieces put together: `minigpt grade --assemble FOLDER`.

`gpt.py` is the GPT that the pieces make, and runs in the sandbox; `pieces.py` has the library's version of each;
`parts.py` finds and judges a student's; `assemble.py` runs the whole; `told.py` says what came of it.
"""
