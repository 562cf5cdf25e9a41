"""A program that speaks hippo-exec/1, right LegS matrices, until its argument has it do something else. No packages."""

import json
import math
import os
import signal
import sys
import time

DEED = sys.argv[1] if len(sys.argv) > 1 else ""
AT = int(sys.argv[2]) if len(sys.argv) > 2 else 0  # the order at which it happens; 0: at each


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def introduce(**changes):
    record = {
        "protocol": "hippo-exec/1",
        "name": "exec_zoo.py",
        "version": "1.0",
        "capabilities": {"levels": ["matrices"], "measures": {"legs": {}}},
    }
    write(json.dumps({**record, **changes}) + "\n")


def legs(order):
    s = [math.sqrt(2 * n + 1) for n in range(order)]
    A = [-s[n] * s[k] if n > k else -(n + 1.0) if n == k else 0.0 for n in range(order) for k in range(order)]
    return {"A": {"shape": [order, order], "values": A}, "B": {"shape": [order], "values": s}}


def sleep():
    while True:
        time.sleep(60)


def daemon():
    """A process that has left the group and the session, and holds stdout open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            sleep()
        os._exit(0)
    os.wait()


HELLOS, DEEDS = {}, {}


def hello(function):
    """What may go wrong before the first question; it ends the program, or questions follow."""
    HELLOS[function.__name__] = function


def deed(function):
    """What may go wrong with a question; what it returns is written."""
    DEEDS[function.__name__] = function


@hello
def silent():
    sleep()


@hello
def garbage():
    write("Welcome to LegS 3000!\n")
    sleep()


@hello
def banner():
    write("loading the library ...\n")
    introduce()


@hello
def other_version():
    introduce(protocol="hippo-exec/2")


@hello
def no_capabilities():
    introduce(capabilities=None)


@hello
def no_levels():
    introduce(capabilities={"measures": {"legs": {}}})


@hello
def unknown_level():
    introduce(capabilities={"levels": ["matrice"], "measures": {"legs": {}}})


@hello
def unknown_measure():
    introduce(capabilities={"levels": ["matrices"], "measures": {"lego": {}}})


@hello
def unknown_method():
    introduce(capabilities={"levels": ["scan"], "measures": {"legs": {}}, "methods": ["tustin"]})


@hello
def unknown_capability():
    introduce(capabilities={"levels": ["matrices"], "measures": {"legs": {}}, "rules": ["zoh"]})


@hello
def fixed_to_words():
    introduce(capabilities={"levels": ["matrices"], "measures": {"legt": {"theta": "wide"}}})


@hello
def turned_orders():
    introduce(capabilities={"levels": ["matrices"], "measures": {"legs": {}}, "orders": [64, 4]})


@hello
def exits_first():
    sys.exit(3)


@hello
def long_hello():
    write("x" * 2**21)
    sleep()


@hello
def hostile_words():
    introduce(protocol="\x1b[31m[red]</script>\n\u202e")


@deed
def never_answers(asked, right):
    sleep()


@deed
def hangs_in_a_line(asked, right):
    write(right[:20])
    sleep()


@deed
def wrong_id(asked, right):
    return right.replace(f'"id": {asked["id"]}', f'"id": {asked["id"] + 1}')


@deed
def no_id(asked, right):
    return json.dumps({"answer": legs(asked["order"])}) + "\n"


@deed
def text_id(asked, right):
    return right.replace(f'"id": {asked["id"]}', f'"id": "{asked["id"]}"')


@deed
def truncated(asked, right):
    return right[:40] + "\n"


@deed
def ends_in_a_line(asked, right):
    write(right[:20])
    os._exit(0)


@deed
def twice(asked, right):
    return right * 2


@deed
def stale(asked, right, kept=[]):  # noqa: B006
    kept.append(right)
    return kept[max(len(kept) - 2, 0)]


@deed
def noisy(asked, right):
    return "computing ...\n" + right


@deed
def blank_line(asked, right):
    return "\n" + right


@deed
def latin(asked, right):
    sys.stdout.buffer.write(b'{"id": 1, "error": "\xe9"}\n')
    sys.stdout.flush()


@deed
def deep(asked, right):
    return "[" * 50_000 + "\n"


@deed
def a_list(asked, right):
    return "[1]\n"


@deed
def says_nothing(asked, right):
    return json.dumps({"id": asked["id"], "anser": {}}) + "\n"


@deed
def says_two_things(asked, right):
    return json.dumps({"id": asked["id"], "answer": legs(asked["order"]), "error": "or not"}) + "\n"


@deed
def long_line(asked, right):
    for _ in range(100):
        write("1" * 10**6)
    return "\n"


@deed
def endless_line(asked, right):
    while True:
        write("1" * 10**6)


@deed
def flood(asked, right):
    while True:
        write("noise\n" * 10_000)


@deed
def segfaults(asked, right):
    os.kill(os.getpid(), signal.SIGSEGV)


@deed
def kills_itself(asked, right):
    os.kill(os.getpid(), signal.SIGKILL)


@deed
def leaves_its_output_open(asked, right):
    if os.fork() == 0:
        time.sleep(3)
    os._exit(5)


@deed
def shell_of_a_crash(asked, right):
    os._exit(128 + signal.SIGSEGV)


@deed
def exits(asked, right):
    os._exit(0)


@deed
def exits_after(asked, right):
    write(right)
    os._exit(7)


@deed
def closes_stdout(asked, right):
    os.close(1)
    sleep()


@deed
def closes_stdin(asked, right):
    os.close(0)
    write(right)
    sleep()


@deed
def eats_memory(asked, right, kept=[]):  # noqa: B006
    while True:
        kept.append(bytearray(2**24))


@deed
def fails(asked, right):
    return json.dumps({"id": asked["id"], "error": "no operator\n\x1b[31m today"}) + "\n"


@deed
def refuses(asked, right):
    return json.dumps({"id": asked["id"], "unsupported": "odd [red]orders[/] alone"}) + "\n"


@deed
def floods_stderr(asked, right):
    sys.stderr.write("flood " * 200_000)
    return right


@deed
def no_answer_at_all(asked, right):
    return json.dumps({"id": asked["id"], "answer": None}) + "\n"


@deed
def no_B(asked, right):
    return json.dumps({"id": asked["id"], "answer": {"A": legs(asked["order"])["A"]}}) + "\n"


@deed
def short_A(asked, right):
    answer = legs(asked["order"])
    answer["A"]["values"].pop()
    return json.dumps({"id": asked["id"], "answer": answer}) + "\n"


@deed
def huge_shape(asked, right):
    answer = legs(asked["order"])
    answer["A"]["shape"] = [int("1" * 4000)] * 3
    return json.dumps({"id": asked["id"], "answer": answer}) + "\n"


@deed
def nested_A(asked, right):
    return json.dumps({"id": asked["id"], "answer": {**legs(asked["order"]), "A": [[1.0]]}}) + "\n"


@deed
def null_in_B(asked, right):
    answer = legs(asked["order"])
    answer["B"]["values"][1] = None
    return json.dumps({"id": asked["id"], "answer": answer}) + "\n"


@deed
def nan_in_B(asked, right):
    answer = legs(asked["order"])
    answer["B"]["values"][1] = "nan"
    return json.dumps({"id": asked["id"], "answer": answer}) + "\n"


@deed
def five_rows(asked, right):
    return json.dumps({"id": asked["id"], "answer": legs(asked["order"] + 1)}) + "\n"


@deed
def half_B(asked, right):
    answer = legs(asked["order"])
    answer["B"]["values"] = [x / 2 for x in answer["B"]["values"]]
    return json.dumps({"id": asked["id"], "answer": answer}) + "\n"


def main():
    sys.stdin.readline()
    if DEED == "exits_after_hello":
        introduce()
        return
    if DEED == "answers_unasked":
        introduce()
        write(json.dumps({"id": 1, "answer": legs(4)}) + "\n")
    elif DEED == "daemon":
        introduce()
        daemon()
    elif DEED in HELLOS:
        HELLOS[DEED]()
    else:
        introduce()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = json.dumps({"id": asked["id"], "answer": legs(asked["order"])}) + "\n"
        if DEED in DEEDS and AT in (0, asked["order"]):
            answer = DEEDS[DEED](asked, answer) or ""
        write(answer)


main()
