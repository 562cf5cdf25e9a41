"""Questions to finished records, on any number of processes: the result does not depend on it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from hippo_ref.vectors.answers import answer
from hippo_ref.vectors.question import Question

Vector = dict[str, Any]

BATCH = 32
"""Questions handed to a process at once: few enough that all processes end together."""


def build(
    questions: Sequence[Question], jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[Vector]:
    """The records of the document, with certified answers, in the order of the questions.

    Args:
        questions: from ``groups.questions``.
        jobs: processes; 1 works in this one.
        progress: called with the number done and the number in all.

    Raises:
        ValueError: ``jobs`` below 1, or two questions with one id.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise ValueError(f"two questions have the id {question.id!r}")
        seen.add(question.id)
    batches = _batches(questions)
    found: dict[int, Vector] = {}

    def take(finished: list[tuple[int, Vector]]) -> None:
        found.update(finished)
        if progress is not None:
            progress(len(found), len(questions))

    if jobs == 1 or len(batches) == 1:
        for batch in batches:
            take(_answer(batch))
    else:
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                for future in as_completed([pool.submit(_answer, batch) for batch in batches]):
                    take(future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [found[place] for place in range(len(questions))]


def _batches(questions: Sequence[Question]) -> list[list[tuple[int, Question]]]:
    """Questions about one system together, since it is formed once; the dear ones first, so that none ends alone."""

    def system(place: int) -> tuple[Any, ...]:
        q = questions[place]
        return (-q.order, q.setting.name(), q.method or "", q.dt or 0.0, q.kind, place)

    order = sorted(range(len(questions)), key=system)
    batches: list[list[tuple[int, Question]]] = []
    load = float(BATCH)
    for place in order:
        weight = max(1.0, questions[place].order / 8)
        if load + weight > BATCH:
            batches.append([])
            load = 0.0
        batches[-1].append((place, questions[place]))
        load += weight
    return batches


def _answer(batch: list[tuple[int, Question]]) -> list[tuple[int, Vector]]:
    return [(place, {**question.to_json(), "answer": answer(question)}) for place, question in batch]
