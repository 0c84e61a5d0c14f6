"""``python enclosing.py PROXY BUNDLE COMMAND...``: `run_enclosed` in a process of its own.

Ends with the command's code, with 128 and the signal's number, or with 99 where it is not supported.
"""

import os
import sys

from cachy.enclosed import Unsupported, run_enclosed

UNSUPPORTED = 99

if __name__ == "__main__":
    _, proxy_url, bundle, *command = sys.argv
    try:
        code = run_enclosed(command, env=os.environ, proxy_url=proxy_url, bundle=bundle)
    except Unsupported as error:
        sys.exit(print(error, file=sys.stderr) or UNSUPPORTED)
    sys.exit(code if code >= 0 else 128 - code)
