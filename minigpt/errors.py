"""The one kind of error that is the user's to mend."""


class UserError(ValueError):
    """Bad input: one sentence that names the value, what was expected and the remedy.

    The command line prints it without a traceback and exits with code 2.
    """
