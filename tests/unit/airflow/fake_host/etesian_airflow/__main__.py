"""Stands in for etesian_airflow: speaks the host's protocol and does what a test asks for.

How it behaves is read from the file FAKE_HOST_SCRIPT, one JSON object, at each start and each request. It appends what
it is asked to FAKE_HOST_LOG, one JSON object a line.
"""
import argparse
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

LOCK = threading.Lock()


def script():
    try:
        with open(os.environ["FAKE_HOST_SCRIPT"]) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def note(what):
    with LOCK, open(os.environ["FAKE_HOST_LOG"], "a") as file:
        file.write(json.dumps(what) + "\n")


def send(channel, frame):
    body = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    with LOCK:
        channel.sendall(struct.pack(">I", len(body)) + body)


def receive(channel, count):
    data = b""
    while len(data) < count:
        part = channel.recv(count - len(data))
        if not part:
            return None
        data += part
    return data


def read_frame(channel):
    head = receive(channel, 4)
    return None if head is None else json.loads(receive(channel, struct.unpack(">I", head)[0]))


def dag_json(dag_id, file, tags):
    """The smallest DAG that the SDK would write."""
    return {"__version": 3, "dag": {
        "dag_id": dag_id, "fileloc": file, "relative_fileloc": os.path.basename(file), "timezone": "UTC",
        "timetable": {"__type": "airflow.timetables.simple.NullTimetable", "__var": {}}, "catchup": False,
        "max_active_tasks": 16, "max_active_runs": 16, "max_consecutive_failed_dag_runs": 0, "tags": tags,
        "disable_bundle_versioning": False, "_processor_dags_folder": os.path.dirname(file), "dag_dependencies": [],
        "deadline": None, "allowed_run_types": None, "edge_info": {}, "params": [],
        "task_group": {"_group_id": None, "group_display_name": "", "prefix_group_id": True, "tooltip": "",
                       "ui_color": "CornflowerBlue", "ui_fgcolor": "#000", "children": {"t": ["operator", "t"]},
                       "upstream_group_ids": [], "downstream_group_ids": [], "upstream_task_ids": [],
                       "downstream_task_ids": []},
        "tasks": [{"__type": "operator", "__var": {
            "task_id": "t", "task_type": "BashOperator", "_task_module": "airflow.providers.standard.operators.bash",
            "template_fields": ["bash_command"], "ui_color": "#fff", "_needs_expansion": False, "retry_delay": 300.0,
            "has_retry_policy": False, "bash_command": "true"}}]}}


def parse(request):
    """Parse as the lines of the file say.

    `# dag <id> [tag ...]` gives a DAG (the tag `now` is another each time), `# import <path>` reads on in that file,
    `# error <text>` breaks, `# once <tag>` puts a tag on the DAGs that the first parse only gives, `# die` kills the host.
    """
    answer = {"op": "parsed", "id": request["id"], "file": request["file"], "dags": [], "errors": [], "warnings": [],
              "output": "", "wall_s": 0.0, "cpu_s": 0.0}
    relative = os.path.relpath(request["file"], request["bundle_path"])
    try:
        lines = open(request["file"]).read().splitlines()
    except FileNotFoundError:
        lines = ["# error it is gone"]
    is_first = sum(line.get("file") == request["file"] for line in logged()) == 1
    once = [line.split()[2] for line in lines if line.startswith("# once") and is_first]
    for line in lines:
        words = line.split()
        if words[:2] == ["#", "import"]:
            lines += open(os.path.join(request["bundle_path"], words[2])).read().splitlines()
    for line in lines:
        words = line.split()
        if words[:2] == ["#", "dag"]:
            tags = [str(time.monotonic_ns()) if word == "now" else word for word in words[3:]]
            answer["dags"].append(dag_json(words[2], request["file"], tags + once))
        elif words[:2] == ["#", "error"]:
            answer["errors"].append({"file": relative, "trace": "Traceback (most recent call last):\n  File \"" +
                                     request["file"] + "\", line 2, in <module>\n" + " ".join(words[2:]) + "\n"})
        elif words[:2] == ["#", "die"]:
            os.kill(os.getpid(), signal.SIGKILL)
    return answer


def serve_tasks(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".tmp")
    listener.listen(64)
    os.rename(path + ".tmp", path)
    while True:
        channel, _ = listener.accept()
        threading.Thread(target=serve_task, args=(channel,), daemon=True).start()


def serve_task(channel):
    ways = script().get("task", {})
    if ways.get("drop", 0) > sum(line.get("op") == "dropped" for line in logged()):
        note({"op": "dropped"})
        channel.close()
        return
    head, fds, _, _ = socket.recv_fds(channel, 4, 2)
    head += receive(channel, 4 - len(head)) if len(head) < 4 else b""
    request = json.loads(receive(channel, struct.unpack(">I", head)[0]))
    odd = os.fsencode(request["env"].pop("ODD", "")).hex()
    note(request | {"fds": len(fds), "odd": odd})
    if ways.get("refuse"):
        send(channel, {"op": "refused", "error": ways["refuse"]})
        return
    send(channel, {"op": "started", "pid": os.getpid()})
    os.write(fds[0], b"out of the task\n")
    os.write(fds[1], b"error of the task\n")
    if ways.get("break"):
        channel.close()
        for fd in fds:
            os.close(fd)
        return
    if ways.get("await_signal"):
        note(read_frame(channel))
    for fd in fds:
        os.close(fd)
    send(channel, {"op": "ended", "code": ways.get("code", 0)})


def logged():
    try:
        with open(os.environ["FAKE_HOST_LOG"]) as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--control-fd", type=int)
    options.add_argument("--socket")
    options = options.parse_args()
    ways = script()
    note({"op": "start", "pid": os.getpid(), "token": os.environ.get("TOKEN"),
          "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:5]})
    control = socket.socket(fileno=options.control_fd)
    if "broken" in ways:
        send(control, {"op": "broken", "error": ways["broken"]})
        sys.exit(1)
    if "exit" in ways:
        print("last words", file=sys.stderr)
        sys.exit(ways["exit"])
    threading.Thread(target=serve_tasks, args=(options.socket,), daemon=True).start()
    send(control, {"op": "ready", "airflow": "3.3.2", "sdk": "1.3.2", "python": "3.11", "pid": os.getpid()})
    while (request := read_frame(control)) is not None:
        note(request)
        op = request["op"]
        ways = script()
        if op == "stat" and not ways.get("silent"):
            send(control, {"op": "stat", "rss_bytes": 1, "tasks": 0, "triggers": 0})
        elif op == "parse" and not ways.get("no_answer"):
            send(control, parse(request))
        elif op == "echo":
            send(control, request | {"big": "x" * request.get("bytes", 0)})
        elif op == "garbage":
            send(control, b"no json")
        elif op == "nan":
            send(control, {"op": "fired", "id": "a", "payload": [float("nan"), float("-inf"), 'NaN "NaN"']})
        elif op == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif op == "say":
            send(control, request["frame"])
    while ways.get("stay"):
        time.sleep(1)


main()
