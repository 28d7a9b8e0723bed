"""What meters say by themselves, between our software and that of others, over TCP in the wrapper.

`forms.py` says what is sent, `driver.py` runs one side as a program of its own, and each of the others is one side: it
makes the octets that a meter of its kind sends, and reads what comes. :mod:`interop.matrix` lets one push to another.
"""
