"""Targets that answer, but wrongly."""

import itertools

import numpy as np
from hostile_right import legs

_CALLS = itertools.count()


def nan_at_eight(order):
    A, B = legs(order)
    if order == 8:
        A[5, 2] = np.nan
    return A, B


def inf_at_eight(order):
    A, B = legs(order)
    return A, B * (np.inf if order == 8 else 1.0)


def wrong_shape(order):
    A, B = legs(order + 1)
    return A, B


def nothing(order):
    return None


def half_nothing(order):
    return legs(order)[0], None


def complex_parts(order):
    A, B = legs(order)
    return A + 1e-3j * np.eye(order), B


def ragged(order):
    return [[1.0], [1.0, 2.0]], [1.0]


def words(order):
    return np.full((order, order), "one"), np.full(order, "two")


def drifts(order):
    A, B = legs(order)
    return A, B * (1 + 1e-9 * next(_CALLS))


def writes_into_state(state, sample, k):
    order = len(state)
    A, B = legs(order)
    unit = np.eye(order)
    right = (
        unit[0] * sample
        if k == 0
        else np.linalg.solve(unit - A / (2 * k), (unit + A / (2 * k)) @ state + B / k * sample)
    )
    state[:] = right
    return right
