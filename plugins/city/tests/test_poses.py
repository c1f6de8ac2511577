"""The pose cache: transforms, states, velocities, files."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city.poses import PoseCache, load, rotations, save

from cosmos_core.errors import InputError


def turning(frames=5, fps=24.0):
    """One body that turns about Z at 1 radian a second and moves along x at 2.4 m/s; one that rests."""
    angle = np.arange(frames) / fps
    poses = np.zeros((frames, 2, 7), dtype=np.float32)
    poses[:, :, 3] = 1
    poses[:, 0, 0] = 1 + 2.4 * angle
    poses[:, 0, 3], poses[:, 0, 6] = np.cos(angle / 2), np.sin(angle / 2)
    poses[:, 1, :3] = (5, 6, 7)
    return PoseCache(
        poses=poses,
        pivots=np.array([(1, 0, 0), (5, 6, 7)], dtype=np.float32),
        bodies=np.array([0, 0, -1, 1], dtype=np.int32),
        starts=np.zeros(2, dtype=np.float32),
        fps=fps,
    )


def test_rest_is_no_transform():
    """In the first frame, matrices leave every point where it rests."""
    points = np.random.default_rng(1).random((10, 3)).astype(np.float32)
    matrices = turning().matrices(0)

    for matrix in matrices:
        assert np.allclose(points, points @ matrix[:, :3].T + matrix[:, 3], atol=1e-6)


def test_a_point_turns_about_the_pivot():
    """A point one metre beside the pivot is one metre beside where the body is, turned."""
    cache = turning()
    matrix = cache.matrices(4)[0]
    angle = 4 / 24

    assert np.allclose(
        [1 + 2.4 * angle + np.cos(angle), np.sin(angle), 0],
        matrix[:, :3] @ (2, 0, 0) + matrix[:, 3],
        atol=1e-6,
    )


def test_moved_is_for_good():
    """A body counts as moved from the frame in which it is beyond the distance, even if it comes back."""
    cache = turning()
    poses = cache.poses.copy()
    poses[4, 0, 0] = 1
    back = attrs.evolve(cache, poses=poses)

    assert [False, False, False, True, True] == back.moved()[:, 0].tolist()
    assert not back.moved()[:, 1].any()
    assert not back.moved(5.0).any()


def test_velocities_are_per_second():
    """Linear and angular velocity come from the frame before, whatever the sign of the quaternion."""
    cache = turning()
    poses = cache.poses.copy()
    poses[2, 0, 3:] *= -1
    flipped = attrs.evolve(cache, poses=poses)

    assert np.allclose([2.4, 0, 0, 0, 0, 1], cache.velocities(2)[0], atol=1e-4)
    assert np.allclose([2.4, 0, 0, 0, 0, 1], flipped.velocities(2)[0], atol=1e-4)
    assert not cache.velocities(0).any()
    assert not cache.velocities(3)[1].any()


def test_houdini_gets_y_up():
    """Turning points in Houdini's axes gives what turning them in ours and then changing axes gives."""
    random = np.random.default_rng(2)
    turn = random.normal(size=4)
    turn /= np.linalg.norm(turn)
    poses = np.concatenate([random.random(3), turn]).astype(np.float32)[None, None]
    cache = PoseCache(
        poses=poses,
        pivots=random.random((1, 3)).astype(np.float32),
        bodies=np.zeros(1, dtype=np.int32),
        starts=np.zeros(1, dtype=np.float32),
        fps=24,
    )
    place, orient, pivot = cache.houdini()
    point = random.random(3)
    ours = cache.matrices(0)[0] @ (*point, 1)
    wxyz = orient[0][:, [3, 0, 1, 2]].astype(np.float64)
    theirs = rotations(wxyz)[0] @ ((point[0], point[2], -point[1]) - pivot[0]) + place[0, 0]

    assert np.allclose((ours[0], ours[2], -ours[1]), theirs, atol=1e-5)


def test_a_file_gives_the_cache_back(tmp_path):
    """What was saved is loaded with the same digest; saving twice gives equal bytes and leaves nothing else."""
    cache = turning()
    save(cache, tmp_path / "a.npz")
    save(cache, tmp_path / "b.npz")

    assert cache.digest == load(tmp_path / "a.npz").digest
    assert 24.0 == load(tmp_path / "a.npz").fps
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert ["a.npz", "b.npz"] == sorted(path.name for path in tmp_path.iterdir())


def test_the_digest_covers_everything():
    """A change of one bit of any field changes the digest."""
    cache = turning()
    digests = {cache.digest}
    for name in ("poses", "pivots", "bodies", "starts"):
        array = getattr(cache, name).copy()
        array.view(np.uint8).reshape(-1)[0] ^= 1
        digests.add(attrs.evolve(cache, **{name: array}).digest)
    digests.add(attrs.evolve(cache, fps=25.0).digest)

    assert 6 == len(digests)


@pytest.mark.parametrize("content", [b"", b"not a cache", None])
def test_a_damaged_file_is_refused(tmp_path, content):
    """Missing, empty and foreign files are refused by name."""
    path = tmp_path / "poses.npz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"poses\.npz"):
        load(path)


def test_a_truncated_file_is_refused(tmp_path):
    """A file that lost its end is refused."""
    path = tmp_path / "poses.npz"
    save(turning(), path)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InputError, match="not a pose cache"):
        load(path)
