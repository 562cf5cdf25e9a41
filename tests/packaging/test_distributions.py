"""The wheel and the source distribution hold what they must, nothing else, and are the same whoever builds them."""

import re
import subprocess
import sys
import tomllib
import zipfile
from datetime import UTC, datetime
from email import message_from_string
from importlib import metadata
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging_tools import EPOCH, ROOT, built, copied, metadata_of, names, shipped, unpacked

import hippo_fast
import hippo_ref
import verify

pytest.importorskip("setuptools", "77", reason="builds without isolation need setuptools")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]
PACKAGES = ("hippo_fast/", "hippo_ref/", "verify/")
TEMPLATES = "reports/templates/"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The source distribution, and two wheels made of it: by different people, in different places, at other times."""
    base = tmp_path_factory.mktemp("distributions")
    files = shipped()
    source, said = built("sdist", copied(base / "tree", files), base / "out")
    wheels = []
    for name, zone in (("here", "UTC"), ("there", "Asia/Tokyo")):
        tree = unpacked(source, base / name)
        wheel, more = built("wheel", tree, base / f"wheel-{name}", PYTHONHASHSEED=str(len(name)), TZ=zone)
        wheels.append(wheel)
        said += more
    return SimpleNamespace(files=files, source=source, tree=tree, wheel=wheels[0], again=wheels[1], said=said)


def expected_in_the_wheel(paths):
    """Where the files of the packages, and the templates that the report is made from, lie in a wheel."""
    inside = [path for path in paths if path.startswith(PACKAGES)]
    return sorted(
        inside + [f"verify/report/{path.removeprefix('reports/')}" for path in paths if path.startswith(TEMPLATES)]
    )


def test_the_wheel_holds_the_packages_and_their_data_and_nothing_else(made):
    held = [name for name in names(made.wheel) if ".dist-info/" not in name]
    assert sorted(held) == expected_in_the_wheel(made.files)
    for name in ("hippo_ref/py.typed", "hippo_fast/py.typed", "verify/py.typed", "verify/expected_failures.toml"):
        assert name in held
    assert not any("test" in name.split("/")[0] for name in held)


def test_the_source_distribution_is_the_repository(made):
    """With all of it the tests run and the documentation is built; only what setuptools writes is added."""
    assert shipped(made.tree) == made.files


def test_two_builds_give_the_same_bytes(made):
    assert made.wheel.read_bytes() == made.again.read_bytes()
    with zipfile.ZipFile(made.wheel) as file:
        stamps = {item.date_time for item in file.infolist()}
    assert stamps == {datetime.fromtimestamp(EPOCH, UTC).timetuple()[:6]}


def test_the_build_has_nothing_to_complain_about(made):
    for word in ("absent from", "Deprecat", "would be ignored", "no files found"):
        assert word not in made.said


def test_the_metadata_is_that_of_the_project(made):
    message = message_from_string(metadata_of(made.wheel))
    assert message["Version"] == VERSION
    assert made.wheel.name == f"hippo_verify-{VERSION}-py3-none-any.whl"
    assert set(message.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    base = {str(Requirement(text)) for text in message.get_all("Requires-Dist") if "extra ==" not in text}
    assert base == {str(Requirement(text)) for text in PROJECT["dependencies"]}
    assert message["License-Expression"] == "Apache-2.0"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names(made.wheel))


def test_an_index_shows_the_readme_with_links_that_lead_somewhere(made):
    message = message_from_string(metadata_of(made.wheel))
    assert message["Description-Content-Type"] == "text/markdown"
    text = message.get_payload()
    assert text.startswith("# hippo-verify")
    tree = f"https://github.com/hippo-verify/hippo-verify/blob/v{VERSION}/"
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert len(linked) > 20
    for link in linked:
        assert link.startswith(("https://", "#")), link
        if link.startswith(tree):
            assert (ROOT / link.removeprefix(tree).partition("#")[0]).exists(), link


# The version stands in one place.


def test_the_version_is_the_same_wherever_it_is_asked_for():
    assert {metadata.version("hippo-verify"), verify.__version__, hippo_ref.__version__, hippo_fast.__version__} == {
        VERSION
    }


@pytest.mark.parametrize("package", [hippo_ref, hippo_fast, verify], ids=lambda package: package.__name__)
def test_nothing_else_is_made_up(package):
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute '__versoin__'"):
        package.__versoin__  # noqa: B018


def test_a_bump_is_one_edit(tmp_path):
    """All that a wheel and what is installed from it say of the version comes from one line of pyproject.toml."""
    few = [
        name
        for name in shipped()
        if name.startswith(PACKAGES) or name in ("pyproject.toml", "setup.py", "README.md", "LICENSE")
    ]
    tree = copied(tmp_path / "tree", few)
    project = tree / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    assert text.count(f'version = "{VERSION}"') == 1
    project.write_text(text.replace(f'version = "{VERSION}"', 'version = "98.7.6"'), encoding="utf-8")
    (tree / "reports/templates").mkdir(parents=True)
    wheel, _ = built("wheel", tree, tmp_path / "out")
    assert wheel.name == "hippo_verify-98.7.6-py3-none-any.whl"
    assert "/blob/v98.7.6/docs/" in metadata_of(wheel)
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "installed")
    code = """
        import hippo_fast, hippo_ref, verify
        from verify.provenance import collect
        print(hippo_fast.__version__, hippo_ref.__version__, verify.__version__, collect(0)["versions"]["hippo-verify"])
        from verify.cli import app
        app(["--version"])
    """
    answer = subprocess.run(
        [sys.executable, "-P", "-c", "\n".join(line.strip() for line in code.splitlines())],
        cwd=tmp_path, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(tmp_path / "installed")},
    )  # fmt: skip
    assert answer.stdout.split() == ["98.7.6"] * 4 + ["hippo-verify", "98.7.6"]
