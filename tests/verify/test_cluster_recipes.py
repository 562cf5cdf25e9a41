"""The recipes of docs/cluster.md are what they say: names fit together, and the commands in them exist."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

pytest.importorskip("distributed", reason="distributed is in the extra of that name")

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs/examples/cluster"
MANIFEST = (RECIPES / "kubernetes.yaml").read_text()


@pytest.fixture(scope="module")
def known():
    """What each program accepts."""
    import typer
    from distributed.cli import dask_scheduler, dask_worker

    from verify.cli import app

    commands = {
        "dask worker": dask_worker.main,
        "dask scheduler": dask_scheduler.main,
        "hippo-verify run": typer.main.get_command(app).commands["run"],
    }
    return {
        program: {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        for program, command in commands.items()
    }


def unknown(words, known):
    """What is wrong with a command of one of those programs."""
    program = " ".join(words[:2])
    if program not in known:
        return [program]
    return [f"{program} {word}" for word in words[2:] if word.startswith("--") and word not in known[program]]


def faults(text, known):
    """What does not fit together in a manifest."""
    documents = list(yaml.safe_load_all(text))
    found = []
    named = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    pods = [document for document in documents if "template" in document.get("spec", {})]
    labels = {document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"] for document in pods}
    for document in pods:
        name, spec = document["metadata"]["name"], document["spec"]["template"]["spec"]
        chosen = document["spec"].get("selector", {}).get("matchLabels")
        if chosen is not None and chosen != labels[name]:
            found.append(f"{name} does not select its own pods")
        for container in spec["containers"]:
            found += unknown(container["args"], known)
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            if mounted != {volume["name"] for volume in spec.get("volumes", ())}:
                found.append(f"{name} mounts {mounted}")
            for word in container["args"]:
                if word.startswith("tcp://"):
                    host, _, port = word.removeprefix("tcp://").partition(":")
                    service = named.get(("Service", host))
                    if service is None or str(service["spec"]["ports"][0]["port"]) != port:
                        found.append(f"{name} asks {word}, which no service is")
        found += [
            f"{name} claims what is not there"
            for volume in spec.get("volumes", ())
            if "persistentVolumeClaim" in volume
            and ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) not in named
        ]
    for (kind, name), document in named.items():
        if kind == "Service" and document["spec"]["selector"] != labels["hippo-verify-scheduler"]:
            found.append(f"service {name} selects something else")
    images = {container["image"] for pod in pods for container in pod["spec"]["template"]["spec"]["containers"]}
    return found if len(images) == 1 else [*found, f"{len(images)} images: their versions may differ"]


def test_the_manifest_fits_together(known):
    assert faults(MANIFEST, known) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("--nthreads", "--n-threads", "dask worker --n-threads"),
        ("--no-dashboard]", "--no-dash]", "dask scheduler --no-dash"),
        ("--store, /store/run", "--stores, /store/run", "hippo-verify run --stores"),
        ("port: 8786, targetPort", "port: 8787, targetPort", "which no service is"),
        ("selector: {app: hippo-verify, role: scheduler}", "selector: {app: hippo}", "selects something else"),
        ("claimName: hippo-verify-store", "claimName: other", "claims what is not there"),
        ("matchLabels: {app: hippo-verify, role: worker}", "matchLabels: {app: w}", "does not select its own pods"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told(known, right, wrong, fault):
    assert right in MANIFEST
    assert any(fault in said for said in faults(MANIFEST.replace(right, wrong, 1), known))


def test_the_manifest_is_valid_by_the_schemas_of_kubernetes():
    validate = pytest.importorskip("kubernetes_validate", reason="a hundred megabytes of schemas, in no extra")
    for document in yaml.safe_load_all(MANIFEST):
        validate.validate(document, validate.latest_version(), strict=True)


def test_the_image_has_what_the_manifest_runs():
    text = (RECIPES / "Dockerfile").read_text()
    (extras,) = re.findall(r"hippo-verify\[([\w,-]+)\]", text)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(declared["optional-dependencies"])
    assert "distributed" in extras
    assert set(re.findall(r"args: \[([\w-]+),", MANIFEST)) == {"dask", "hippo-verify"}


def test_the_job_script_of_slurm_starts_a_worker_of_ours(tmp_path, known):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is in the test extra")
    answer = subprocess.run(
        [sys.executable, str(RECIPES / "slurm.py"), "--show"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    script = answer.stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    for line in ("#SBATCH --cpus-per-task=16", "#SBATCH --mem=64G", "#SBATCH -t 04:00:00", "HIPPO_VERIFY_CACHE="):
        assert line in script
    (worker,) = [line for line in script.splitlines() if "dask_worker" in line]
    words = shlex.split(worker)
    assert words[0] == sys.executable
    assert unknown(["dask", "worker", *words[3:]], known) == []
    assert words[words.index("--nthreads") + 1] == "16"


def test_what_the_recipe_for_slurm_runs_is_a_command_of_ours(known):
    source = (RECIPES / "slurm.py").read_text()
    assert '"-m", "verify.cli", "run"' in source
    assert {"--executor", "--scheduler"} <= known["hippo-verify run"]
    assert 'command += ["--executor", "dask", "--scheduler"' in source


@pytest.fixture
def certificates(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "certificates"
    script = RECIPES / "certificates.sh"
    subprocess.run(["sh", str(script), str(folder)], check=True, capture_output=True)
    return folder


def test_certificates_are_for_their_owner_alone_and_dask_takes_them(certificates):
    shellcheck = shutil.which("shellcheck", path=Path(sys.executable).parent)
    if shellcheck is not None:
        assert subprocess.run([shellcheck, str(RECIPES / "certificates.sh")], check=False).returncode == 0
    assert (certificates / "key.pem").stat().st_mode & 0o077 == 0
    asked = "from distributed import Security; s = Security(); print(all(map(bool, map(s.get_connection_args, "
    asked += "('scheduler', 'worker', 'client')))), s.require_encryption)"
    answer = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True,
        env={"PATH": "", "DASK_CONFIG": str(certificates / "tls.yaml")},
    )  # fmt: skip
    assert answer.stdout.split() == ["True", "True"]
