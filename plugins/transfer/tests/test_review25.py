"""What stands against a request for Transfer 2.5, with its clip and options."""

from __future__ import annotations

import attrs
import pytest
from cosmos_core_transfer.transfer25 import backend
from cosmos_core_transfer.transfer25.options import TransferOptions

from cosmos_core.errors import Level, RefusedError
from cosmos_core.extend import Prompt
from cosmos_core.testing import media

ROWS = [
    # (what is asked, level, a part of the sentence)
    ({}, "fail", "there is no control"),
    ({"edge": 1, "frames": 9}, "fail", "would make 8 without a word"),
    ({"edge": 1, "context_frame_index": 8}, "fail", "past the input's 8 frames"),
    ({"edge": 1, "computed": "blur"}, "fail", "computed names 'blur'"),
    ({"edge": 1, "computed": "vis"}, "fail", "has no control vis"),
    ({"edge": 1, "preset_blur_strength": "low"}, "fail", "preset_blur_strength would have no effect"),
    ({"edge": 1, "preset_edge_threshold": "low"}, "fail", "preset_edge_threshold would have no effect"),
    ({"edge": 1, "preset_edge_threshold": "low", "computed": "edge"}, "ok", ""),
    ({"edge": 1, "seg_control_prompt": "car"}, "fail", "the request has no control seg"),
    ({"seg": 1, "seg_control_prompt": "car"}, "fail", "control_prompt would have no effect"),
    ({"seg": 1, "computed": "seg"}, "warn", "first 128 words"),
    ({"edge": 1, "vis_mask_prompt": "car"}, "fail", "vis_mask_prompt would have no effect"),
    ({"edge": 1, "guided_generation_foreground_labels": "1"}, "fail", "without a mask"),
    ({"edge": 1, "guided_generation_foreground_labels": "car"}, "fail", "is no whole number"),
    ({"edge": 1, "depth": 1, "distilled": True}, "fail", "edge only, not depth, edge"),
    ({"edge": 1, "distilled": True, "num_steps": 35}, "warn", "trained for 4"),
    ({"edge": 1, "distilled": True, "guidance": 5}, "fail", "has no guidance"),
    ({"edge": 1, "distilled": True, "prompt": Prompt("a", "b")}, "fail", "reads no negative prompt"),
    ({"edge": 1, "guardrails": False}, "warn", "safety models are left out"),
    ({"edge": 1, "gpus": 4}, "warn", "the guardrail refuses hangs"),
    ({"edge": 1, "depth": 1, "checkpoint_path": "a.pt"}, "fail", "counts for one control only"),
    ({"edge": 1, "resolution": "480"}, "warn", "trained at 720"),
    ({"edge": 1, "enable_parallel_tokenizer": True}, "fail", "several GPUs"),
    ({"edge": 1, "parallel_tokenizer_grid": "1x2", "gpus": 2}, "fail", "takes enable_parallel_tokenizer"),
    ({"edge": 1, "parallel_tokenizer_grid": "two"}, "fail", "must be like 2x4"),
    (
        {"edge": 1, "enable_parallel_tokenizer": True, "parallel_tokenizer_grid": "2x2", "gpus": 2},
        "fail",
        "is for 4 GPUs",
    ),
    ({"edge": 1, "show_input": True}, "warn", "2 pictures side by side"),
    ({"edge": 1}, "warn", "8 frames cost as much as 93"),
    ({"edge": 1}, "warn", "stretched to 960x704 and stretched back"),
]


@pytest.mark.parametrize(("given", "level", "said"), ROWS, ids=[str(row[0]) for row in ROWS])
def test_a_request_is_judged_before_a_gpu_is_touched(ask, street, given, level, said):
    """
    What would be ignored, die late or be made otherwise is refused; what one should know is a warning.
    """
    found = list(backend().review(ask("transfer2.5", **given), street))
    told = [finding.message for finding in found if finding.level.value == level]

    assert (level == "fail") == any(finding.level is Level.FAIL for finding in found), found
    if said:
        assert any(said in message for message in told), found


@pytest.mark.parametrize(
    ("frames", "fps", "said"),
    [
        (300, 24, "take 4 passes of 93, with seams at frame 93, 185, 277"),
        (94, "30000/1001", "the output will have 29"),
        (5001, 24, "would be cut to 5000"),
    ],
)
def test_long_and_odd_clips_are_told_of(ask, street, frames, fps, said):
    """
    Seams, a rate that is cut and a length that is cut follow from the clip.
    """
    from fractions import Fraction

    clip = attrs.evolve(street, frames=frames, fps=Fraction(fps))

    assert any(said in each.message for each in backend().review(ask("transfer2.5", clip, edge=1), clip))


def test_a_distilled_video_has_one_pass(ask, street):
    """
    Beyond 93 frames the program only warns in its log.
    """
    clip = attrs.evolve(street, frames=121)
    found = backend().review(ask("transfer2.5", clip, edge=1, distilled=True), clip)

    assert any("not trained to go on after 93" in each.message for each in found if each.level is Level.FAIL)


def test_a_short_mask_is_found_before_it_stops_the_program(ask, street, tmp_path):
    """
    A mask or control shorter than the input made older versions work for ever.
    """
    mask = media.make_video(tmp_path / "mask.mp4", frames=4, width=64, height=48)
    for name in ("edge_mask_path", "guided_generation_mask"):
        found = backend().review(ask("transfer2.5", edge=1, **{name: str(mask)}), street)

        assert any("has 4 frames and 8 are made" in each.message for each in found), name


def test_a_label_mask_must_have_its_array(tmp_path):
    """
    An .npz without arr_0, or of another shape, is refused by a sentence; a good one counts its frames.
    """
    import numpy as np
    from cosmos_core_transfer.files import unpin

    from cosmos_core.errors import InputError

    np.savez(tmp_path / "good.npz", np.zeros((5, 4, 4), np.int32))
    np.savez(tmp_path / "named.npz", labels=np.zeros((5, 4, 4)))
    np.savez(tmp_path / "flat.npz", np.zeros((4, 4)))
    good = TransferOptions(guided_generation_mask=str(tmp_path / "good.npz")).guided_generation_mask

    assert 5 == unpin(good).frames
    for name, said in (("named", "no array arr_0"), ("flat", r"must be \(T, H, W\)")):
        with pytest.raises(InputError, match=said):
            TransferOptions(guided_generation_mask=str(tmp_path / f"{name}.npz"))


def test_a_file_is_pinned_by_what_is_in_it(tmp_path):
    """
    Another content under the same name is another request; the same text pinned again stays.
    """
    path = tmp_path / "style.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n one")
    one = TransferOptions(image_context_path=str(path)).image_context_path
    path.write_bytes(b"\x89PNG\r\n\x1a\n another")

    assert one == TransferOptions(image_context_path=one).image_context_path
    assert one != TransferOptions(image_context_path=str(path)).image_context_path


@pytest.mark.parametrize("make", ["make_pointer", "make_html", "make_empty"])
def test_a_file_that_is_none_is_refused_with_its_option(workspace, street, tmp_path, make):
    """
    Row 11: a pointer given as a mask passes NVIDIA's validation.
    """
    from cosmos_core.submission import Ask

    getattr(media, make)(tmp_path / "mask.mp4")
    asked = Ask(
        prompt="a street",
        clip=str(street.folder),
        backend="transfer2.5",
        options={"edge_mask_path": str(tmp_path / "mask.mp4"), "guidance": "3.5", "resolution": "999"},
    )
    with pytest.raises(RefusedError) as caught:
        workspace().submit_many([asked])

    assert {"edge_mask_path", "guidance", "resolution"} == {each.where for each in caught.value.findings}
