"""Host of the official Airflow packages: parses DAG files, runs tasks, callbacks and triggers for Etesian.

One warm process imports Airflow once and forks for every piece of user code:

* ``__main__``   the command line; takes the descriptors and hands over to ``host``
* ``host``       what the server's messages do; ``loop`` its event loop, children and deadlines
* ``framing``    length-prefixed JSON, the form of every message
* ``warm``       what is imported and built once, before the first fork
* ``process``    what a forked child needs: sessions, limits, killing a tree, cgroups
* ``parse``      the child that loads one DAG file
* ``callback``   the child that runs one callback request
* ``task``       the forked task supervisor: the SDK's supervisor, tied to the stub that asked for it
* ``job``        a bounded child: deadline, tail of output, one answer
* ``tasks``      the socket that stubs connect to
* ``triggers``   keeps what runs, and starts the process that runs it
* ``trigger``    that process, an asyncio loop; ``trigger_log`` is its output
* ``comms``      Variables, Connections and the rest of the Execution API for code that is not a task
* ``logs``       how log records look in children
* ``credential`` keeps the host's own token out of reach of tasks

User code never runs in the parent, so that nothing it does can outlast its own child.
"""
