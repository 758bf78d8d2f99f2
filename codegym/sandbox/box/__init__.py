"""Program that runs inside a box: server, forker, and the candidate's side of both. It needs the standard library only.

The candidate is the untrusted program; the examiner runs the author's tests in the server's process. The folder is
copied into the box or mounted there, and started by ``__main__``. The host imports only ``plain_codec``, ``frames`` and
``protocol`` from it.
"""
