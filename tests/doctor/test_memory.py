import resource

import pytest

from seqtrain.doctor.memory import check_open_files, check_ram, container_limit

GIB = 2**30


def cgroup(root, groups, files):
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return container_limit(root)


def test_the_tightest_limit_of_the_groups_above_counts(tmp_path):
    files = {
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/memory.max": f"{4 * GIB}\n",
        "sys/fs/cgroup/a/memory.current": f"{3 * GIB}\n",
    }
    assert cgroup(tmp_path, "0::/a/b\n", files) == (4 * GIB, 3 * GIB)


def test_the_first_version_of_cgroups_is_understood_too(tmp_path):
    files = {
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
        "sys/fs/cgroup/memory/docker/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert cgroup(tmp_path, "4:memory:/docker\n1:cpu:/\n", files) == (2 * GIB, 5)


def test_no_limit_is_none(tmp_path):
    assert cgroup(tmp_path, "0::/\n", {"sys/fs/cgroup/memory.max": "max\n"}) is None
    assert container_limit(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("available", "limit", "status"),
    [
        (8 * GIB, None, "ok"),
        (8 * GIB, (4 * GIB, 3 * GIB), "warning"),
        (8 * GIB, (4 * GIB, 4 * GIB - 1), "problem"),
        (GIB // 4, None, "problem"),
        (None, None, "ok"),
    ],
)
def test_the_smaller_of_machine_and_container_counts(available, limit, status):
    assert check_ram(available, limit).status == status


def test_few_open_files_are_raised_no_further_than_the_hard_limit():
    assert check_open_files((1024, 4096)).status == "ok"
    assert check_open_files((resource.RLIM_INFINITY, resource.RLIM_INFINITY)).status == "ok"
    assert check_open_files((256, 2048)).fix == "ulimit -n 2048"
    assert check_open_files((256, resource.RLIM_INFINITY)).fix == "ulimit -n 4096"
    assert "--ulimit nofile=4096" in check_open_files((200, 200)).fix
