"""Background jobs: progress, one result or one problem, one job at a time."""

import threading

from pages.shared.background import FAILED, Job
from vl_core.errors import ModelError

PATIENCE = 20  # seconds: only a job that hangs takes them


def ended(job):
    """The job, once it has ended."""
    job.thread.join(PATIENCE)
    assert job.is_done
    return job


def test_a_job_ends_with_its_result_and_without_a_problem():
    """What the work returns is kept, and nothing is reported as wrong."""
    job = ended(Job(lambda _: 6 * 7))

    assert (job.result, job.problem) == (42, None)


def test_progress_is_seen_while_the_work_goes_on():
    """Another thread reads the share and the sentence that the work reported last."""
    is_reported, may_end = threading.Event(), threading.Event()

    def work(report):
        report(0.25, "a quarter of it")
        is_reported.set()
        return may_end.wait(PATIENCE)

    job = Job(work)
    assert is_reported.wait(PATIENCE)
    seen = job.share, job.sentence, job.is_done
    may_end.set()

    assert seen == (0.25, "a quarter of it", False)
    assert ended(job).result is True


def test_a_share_stays_between_nothing_and_all():
    """A progress bar refuses other numbers; where nobody can tell, there is none to show."""
    shares = []

    def work(report):
        for share in (-0.5, 1.5, None):
            report(share, "")
            shares.append(job.share)

    started = threading.Event()
    job = Job(lambda report: started.wait(PATIENCE) and work(report))
    started.set()
    ended(job)

    assert shares == [0.0, 1.0, None]


def test_an_error_of_ours_is_said_in_its_own_words():
    """A message that was written for the visitor reaches the visitor."""

    def work(report):
        raise ModelError("It does not fit. Choose a smaller one.")

    job = ended(Job(work))

    assert (job.result, job.problem) == (None, "It does not fit. Choose a smaller one.")


def test_any_other_error_becomes_one_sentence_and_goes_to_the_log(caplog):
    """No traceback reaches the page, and none is lost."""

    def work(report):
        raise ZeroDivisionError("secret path")

    job = ended(Job(work))

    assert job.problem == FAILED
    assert "secret path" in caplog.text


def test_a_failed_job_can_begin_again():
    """The problem is forgotten and the second try counts."""
    tries = iter([ValueError("first"), None])

    def work(report):
        if error := next(tries):
            raise error
        return "second"

    job = ended(Job(work))
    assert job.problem == FAILED
    job.start()
    ended(job)

    assert (job.result, job.problem) == ("second", None)


def test_a_job_that_is_stopped_ends_where_it_next_reports():
    """With the sentence that it was given, without a result; then it can begin again."""
    is_begun, may_go_on, steps = threading.Event(), threading.Event(), []

    def work(report):
        is_begun.set()
        may_go_on.wait(PATIENCE)
        steps.append("before")
        report(0.5, "half")
        steps.append("after")
        return "done"

    job = Job(work)
    assert is_begun.wait(PATIENCE)
    job.stop("Enough.")
    seen = job.is_stopping, job.was_stopped
    may_go_on.set()
    ended(job)

    assert seen == (True, False)
    assert (job.is_stopping, job.was_stopped) == (False, True)
    assert (job.result, job.problem, steps) == (None, "Enough.", ["before"])
    job.start()
    ended(job)
    assert (job.result, job.problem, job.was_stopped) == ("done", None, False)


def test_what_has_ended_cannot_be_stopped():
    """A problem stays a problem, and a result a result."""

    def work(report):
        raise ModelError("It does not fit.")

    for job in (Job(work), Job(lambda _: 42)):
        ended(job)
        job.stop("Enough.")
        assert (job.is_stopping, job.was_stopped) == (False, False)


def test_jobs_run_one_after_the_other():
    """A second job starts its work only when the first has ended."""
    order = []
    is_begun, may_end = threading.Event(), threading.Event()

    def first(report):
        is_begun.set()
        may_end.wait(PATIENCE)
        order.append("first")

    one = Job(first)
    assert is_begun.wait(PATIENCE)
    two = Job(lambda _: order.append("second"))
    two.thread.join(0.1)
    assert not two.is_done
    may_end.set()
    ended(one)
    ended(two)

    assert order == ["first", "second"]
