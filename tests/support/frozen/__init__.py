"""What an upgrade must not change: it is kept in files, which tests/unit/test_frozen.py compares.

The files in tests/golden/frozen were written by the operator of commit 35e183e. `python -m
support.frozen write` (with PYTHONPATH=operator:tests) writes them anew; a difference that is
committed needs a reason that users can be told.
"""
