"""Targets that give no answer."""

import ctypes
import os
import sys
import time

from hostile_right import legs


def raises(order):
    raise RuntimeError(f"no operator of order {order} today")


def hangs(order):
    while True:
        time.sleep(1)


def segfaults(order):
    ctypes.string_at(0)


def exits_silently(order):
    os._exit(0)


def asks_to_exit(order):
    sys.exit(0)


def eats_memory(order):
    held = []
    while len(held) < 200:
        held.append(bytearray(os.urandom(1024)) * (8 * 1024))
        time.sleep(0.01)


def raises_at_eight(order):
    return raises(order) if order == 8 else legs(order)


def hangs_at_eight(order):
    return hangs(order) if order == 8 else legs(order)


def segfaults_at_eight(order):
    return segfaults(order) if order == 8 else legs(order)


def exits_at_eight(order):
    return exits_silently(order) if order == 8 else legs(order)
