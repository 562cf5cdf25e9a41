"""A campaign on a SLURM cluster.

    python slurm.py [--jobs N] [--show] -- OPTIONS OF hippo-verify run

Run it where jobs can be submitted, in the environment that hippo-verify is installed in, on a file system that the
compute nodes see. Needs: pip install 'hippo-verify[distributed]' dask-jobqueue. What to change: QUEUE, ACCOUNT,
INTERFACE, and how large a job is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from dask_jobqueue import SLURMCluster

QUEUE = None  # partition, as in `sbatch -p`; None: the default one
ACCOUNT = None  # as in `sbatch -A`
INTERFACE = None  # network that nodes reach each other by, such as "ib0"; None: the default one
CORES = 16  # units judged at a time by one job, each in a process of its own
MEMORY = "64GiB"  # of one job; a unit of order 1024 takes a few GiB
WALLTIME = "04:00:00"
LIFETIME = "225m"  # a worker leaves before its job is ended, and the next job takes over


def cluster() -> SLURMCluster:
    """The scheduler, in this process; jobs are submitted by `scale`."""
    return SLURMCluster(
        queue=QUEUE,
        account=ACCOUNT,
        interface=INTERFACE,
        cores=CORES,
        processes=1,
        memory=MEMORY,
        walltime=WALLTIME,
        python=sys.executable,
        log_directory="slurm-logs",
        worker_extra_args=["--lifetime", LIFETIME, "--lifetime-stagger", "10m"],
        # Exact results stay on the node; the scheduler hands them on to the others.
        job_script_prologue=["export HIPPO_VERIFY_CACHE=${TMPDIR:-/tmp}/hippo-verify-$USER"],
        scheduler_options={"dashboard_address": None},
    )


def main() -> int:
    """Submit the jobs, run the campaign, end the jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4, help="SLURM jobs at a time")
    parser.add_argument("--show", action="store_true", help="print the job script and submit nothing")
    parser.add_argument("options", nargs="*", help="after --: options of hippo-verify run")
    given = parser.parse_args()
    with cluster() as jobs:
        if given.show:
            sys.stdout.write(jobs.job_script())
            return 0
        # Not `scale`: adaptive deployment submits another job when one has ended.
        jobs.adapt(minimum_jobs=given.jobs, maximum_jobs=given.jobs)
        command = [sys.executable, "-m", "verify.cli", "run", *given.options]
        command += ["--executor", "dask", "--scheduler", jobs.scheduler_address]
        return subprocess.run(command, check=False).returncode  # noqa: S603 -- what was asked for


if __name__ == "__main__":
    sys.exit(main())
