# SPDX-License-Identifier: Apache-2.0
"""What tests share that compare with packages of others: which interpreter has these, and what is said where none
does."""
import os
import sys


def restart(*variables):
    """Starts the script anew under the interpreter that the first of these environment variables that is set names."""
    chosen = [value for variable in variables if (value := os.environ.pop(variable, None))]
    if chosen:
        os.execvp(chosen[0], [chosen[0], *sys.argv])


def skip(what, error, variable="DINOMALY_PYTHON"):
    """Ends the script as skipped because a package could not be imported."""
    print(f"skipped: {what} ({error}); see {variable}")
    sys.exit(77)
