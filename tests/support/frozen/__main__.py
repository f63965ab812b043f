"""`python -m support.frozen write`: write the files anew."""

import sys

from support.frozen.files import frozen_files

if sys.argv[1:] != ["write"]:
    sys.exit("usage: python -m support.frozen write")
for path, text in frozen_files().items():
    path.write_text(text)
