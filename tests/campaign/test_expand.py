"""What a campaign file asks for, and everything that can be wrong with one, each with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_core.campaign.expand import expand
from cosmos_core.campaign.folder import Material
from cosmos_core.campaign.form import Report
from cosmos_core.campaign.marked import load

PARTS = {
    "scenes/porch.yaml": "place: a porch\nshort: po",
    "scenes/drive.yaml": "place: a driveway\nshort: dr",
    "subjects/courier.yaml": "description: A courier",
    "prompt.jinja2": "{{ subject.description }} at {{ scene.place }}.",
}


def material(text, parts=None, templates=None):
    """What lies in a folder, without one."""
    report = Report()
    main = load(text, "night.yaml", report)
    found = {at: load(body, f"{at[0]}s/{at[1]}.yaml", report) for at, body in (parts or {}).items()}
    return Material(
        main=main, included=(), parts=found, templates=templates or {}, findings=tuple(report.findings)
    )


def test_an_entry_takes_what_it_does_not_say_from_the_defaults(expanded):
    """
    The nearer word wins, mappings are joined, and a part's value is replaced for one entry alone.
    """
    made = expanded(
        """\
        campaign: night
        defaults:
          template: prompt.jinja2
          durations: [5, 10.5]
          scene: porch
          subject: courier
          options: {num_steps: 20, guidance: 5}
          tags: [night]
        entries:
          - id: A01
          - id: A02
            scene: drive
            options: {guidance: 7}
            seed: 3
            durations: [5]
            set: {subject.description: A fox}
        """,
        PARTS,
    )

    assert () == made.findings
    assert ["A01_5s", "A01_10.5s", "A02_5s"] == [item.name for item in made.items]
    assert ["A courier at a porch."] * 2 + ["A fox at a driveway."] == [
        item.ask.prompt for item in made.items
    ]
    assert [5, 10.5, 5] == [item.ask.seconds for item in made.items]
    assert {"num_steps": 20, "guidance": 7} == made.items[2].ask.options
    assert [None, None, 3] == [item.ask.seed for item in made.items]
    assert {("night",)} == {item.ask.tags for item in made.items}
    assert {"night"} == {item.ask.campaign for item in made.items}
    assert (2, (5, 10.5)) == (made.definitions, made.durations)


def test_matrix_makes_each_combination_and_zip_each_place(expanded):
    """
    Values are added to the id, unless the id says how it is made.
    """
    made = expanded(
        """\
        campaign: night
        defaults: {prompt: "{{ vars.what }} at {{ scene.place }} {{ vars.when }}", subject: courier}
        entries:
          - id: M
            matrix: {scene: [porch, drive], vars.what: [a fox, a dog]}
            vars: {when: now}
          - id: "Z-{{ scene.short }}"
            zip: {scene: [porch, drive], vars.when: [by day, by night]}
            vars: {what: a cat}
          - id: B
            matrix: {seed: [1, 2]}
            zip: {scene: [porch, drive], vars.when: [x, y]}
            vars: {what: a cat}
        """,
        PARTS,
    )

    assert () == made.findings
    assert ["M-porch-a_fox", "M-porch-a_dog", "M-drive-a_fox", "M-drive-a_dog", "Z-po", "Z-dr"] == [
        item.id for item in made.items[:6]
    ]
    assert ["B-porch-x-1", "B-porch-x-2", "B-drive-y-1", "B-drive-y-2"] == [
        item.id for item in made.items[6:]
    ]
    assert "a cat at a driveway by night" == made.items[5].ask.prompt
    assert [1, 2, 1, 2] == [item.ask.seed for item in made.items[6:]]


def test_a_prompt_is_plain_text(expanded):
    """
    What HTML would escape reaches the model as it was written, and braces are the author's own.
    """
    made = expanded(
        """\
        campaign: night
        entries:
          - {id: A, prompt: 'Tom & "Jerry" <3 {{ vars.a }}', vars: {a: 'b & c'}, negative: 'x > {{ id }}'}
          - {id: B, prompt: "@street-fog@2"}
        """
    )

    assert () == made.findings
    assert ('Tom & "Jerry" <3 b & c', "x > A") == (made.items[0].ask.prompt, made.items[0].ask.negative)
    assert "@street-fog@2" == made.items[1].ask.prompt


def shown(made):
    return {item.id: {each.name: each.value for each in item.ask.shows} for item in made.items}


def test_what_a_campaign_varies_can_be_asked_about(expanded):
    """
    Parts by their names and texts of one's own, each with what it is in other videos, longest in no video's way.
    """
    made = expanded(
        """\
        campaign: night
        defaults: {prompt: x, subject: courier, durations: [5, 10]}
        entries:
          - {id: A, scene: porch, vars: {weather: heavy_rain}}
          - id: B
            matrix: {scene: [porch, drive], vars.weather: [clear sky, heavy_rain]}
        """,
        PARTS,
    )
    one = {"weather": "heavy rain", "scene": "porch", "subject": "courier"}

    assert () == made.findings
    assert one == shown(made)["A"] == shown(made)["B-porch-heavy_rain"]
    assert one | {"weather": "clear sky", "scene": "drive"} == shown(made)["B-drive-clear_sky"]
    first = {each.name: each.others for each in made.items[0].ask.shows}
    assert {"weather": ("clear sky",), "scene": ("drive",), "subject": ()} == first
    assert made.items[0].ask.shows == made.items[1].ask.shows


@pytest.mark.parametrize(
    "value",
    [
        "C01",
        "007",
        "12",
        "a7f3c9e2",
        "5 s",
        "take_3",
        "clips/street",
        "@street-fog",
        "seed=4",
        "",
        "no",
        "{x}",
        "a" * 300,
    ],
)
def test_what_no_picture_shows_is_not_asked_about(expanded, value):
    """
    Ids, lengths, seeds, numbers, paths and digests may stand in a campaign, and in no question.
    """
    made = expanded(
        f"""\
        campaign: night
        defaults: {{prompt: x, scene: C01, seed: 4, options: {{style: noir}}, tags: [hero]}}
        entries:
          - {{id: A, durations: [5, 10], vars: {{a: "{value}", b: 3, c: true, d: [x], e: {{f: word}}}}}}
        """,
        {"scenes/C01.yaml": "place: a porch"},
    )

    assert ((), {"A": {}}) == (made.findings, shown(made))


def test_a_campaign_says_what_is_asked_about_and_how(expanded):
    """
    Then nothing else is asked; what is empty is not asked of that video.
    """
    made = expanded(
        """\
        campaign: night
        defaults:
          prompt: x
          scene: porch
          vars: {wet: "", mood: calm}
          shows: {place: "{{ scene.place }}", ground: "{{ vars.wet }}", count: "3 cars"}
        entries:
          - id: A
          - {id: B, scene: drive, vars: {wet: wet asphalt}, shows: {count: ""}}
          - {id: C, matrix: {shows.count: [no car]}}
        """,
        PARTS,
    )

    assert () == made.findings
    assert {
        "A": {"place": "a porch", "count": "3 cars"},
        "B": {"place": "a driveway", "ground": "wet asphalt"},
        "C-no_car": {"place": "a porch", "count": "no car"},
    } == shown(made)


def test_of_many_other_values_the_same_few_are_wrong_answers(expanded):
    """
    A question has room for some, none of which is the right one.
    """
    words = [f"{first}{second}ton" for first in "abcdefgh" for second in "aeiou"]
    made = expanded(
        f"campaign: night\nentries: [{{id: A, prompt: x, matrix: {{vars.town: {words}}}}}]".replace("'", "")
    )
    others = [item.ask.shows[0].others for item in made.items]

    assert {9} == {len(set(each)) for each in others}
    assert all(item.ask.shows[0].value not in item.ask.shows[0].others for item in made.items)
    assert len(set(others)) > 20


ONE = "campaign: night\ndefaults: {prompt: a fox}\nentries:\n"

WRONG = {
    "no name": ("entries: [{id: A, prompt: x}]", "night.yaml:1", "the campaign has no name"),
    "a name that is none": ("campaign: a/b\nentries: [{id: A, prompt: x}]", "night.yaml:1", "'a/b' is not a campaign's name"),
    "an unknown key": ("campaign: night\nentries:\n  - id: A\n    promt: x", "night.yaml:4", "an entry has no key 'promt'"),
    "an unknown key of the file": (f"{ONE}  - id: A\nentry: 3", "night.yaml:5", "a campaign file has no key 'entry'"),
    "an unknown default": ("campaign: n\ndefaults:\n  sceen: x\nentries: [{id: A, prompt: x}]", "night.yaml:3", "defaults has no key 'sceen'"),
    "no entry": ("campaign: night\nentries: []", "night.yaml:1", "there is no entry"),
    "entries that are no list": ("campaign: night\nentries: {a: 1}", "night.yaml:2", "entries must be a list of entries"),
    "an entry that is a word": ("campaign: night\nentries: [A]", "night.yaml:2", "an entry must be a mapping"),
    "an entry without an id": ("campaign: night\nentries: [{prompt: x}]", "night.yaml:2", "an entry has no id"),
    "an id that is none": (f"{ONE}  - id: a b", "night.yaml:4", "'a b' is not an id"),
    "an id that is a number with a point": (f"{ONE}  - id: 1.5", "night.yaml:4", "id must be a name, not 1.5"),
    "neither prompt nor template": ("campaign: night\nentries:\n  - id: A", "night.yaml:3", "the entry has neither a prompt nor a template"),
    "a template that is not there": ("campaign: night\nentries:\n  - id: A\n    template: promt.jinja2", "night.yaml:4", "there is no template 'promt.jinja2'"),
    "a missing part": (f"{ONE}  - id: A\n    scene: prch", "night.yaml:5", "there is no scene 'prch' in scenes/"),
    "a part of a kind without any": (f"{ONE}  - id: A\n    action: run", "night.yaml:5", "there is no action 'run' in actions/"),
    "an undefined word": ("campaign: night\nentries:\n  - id: A\n    scene: porch\n    prompt: '{{ scene.plac }}'", "night.yaml:5", "has no attribute 'plac'"),
    "a dict's method": ("campaign: night\nentries:\n  - id: A\n    scene: porch\n    prompt: 'x {{ scene.items }}'", "night.yaml:5", "has no attribute 'items'"),
    "a whole part in a text": ("campaign: night\nentries:\n  - id: A\n    scene: porch\n    prompt: 'x {{ scene }}'", "night.yaml:5", "a mapping cannot stand in a text"),
    "a part's text with braces": ("campaign: night\nentries:\n  - id: A\n    vars: {a: '{{ id }}'}\n    prompt: 'x {{ vars.a }}'", "night.yaml:5", "still holds '{{'"),
    "no template": ("campaign: night\nentries:\n  - id: A\n    prompt: '{{ id'", "night.yaml:4", "this is not a template"),
    "out of the sandbox": ("campaign: night\nentries:\n  - id: A\n    prompt: '{{ id.__class__.__mro__ }}'", "night.yaml:4", "unsafe"),
    "a bomb": ("campaign: night\nentries:\n  - id: A\n    prompt: \"{{ 'a' * 10000000000 }}\"", "night.yaml:4", "* is for numbers"),
    "a long loop": ("campaign: night\nentries:\n  - id: A\n    prompt: '{% for i in range(99999) %}aaaa{% endfor %}'", "night.yaml:4", "more than 20,000 letters"),
    "a division by nothing": ("campaign: night\nentries:\n  - id: A\n    prompt: '{{ 1 / 0 }}'", "night.yaml:4", "ZeroDivisionError"),
    "an id twice": (f"{ONE}  - id: A\n  - id: a", "night.yaml:5", "the id a is taken by the entry at night.yaml:4"),
    "one output path": ("campaign: night\nname: '{{ id }}'\ndefaults: {prompt: a fox, durations: [5, 10]}\nentries:\n  - id: A", "night.yaml:5", "would both be written to A"),
    "a path in a name": ("campaign: night\nname: '../{{ id }}'\nentries:\n  - {id: A, prompt: x}", "night.yaml:2", "cannot be the name of a file"),
    "an id that does not tell combinations apart": (f"{ONE}  - id: '{{{{ vars.a }}}}'\n    vars: {{a: x}}\n    matrix: {{seed: [1, 2]}}", "night.yaml:4", "makes the id x more than once"),
    "a duration that is none": (f"{ONE}  - id: A\n    durations: [5, -1]", "night.yaml:5", "durations must be a list of seconds"),
    "a duration twice": (f"{ONE}  - id: A\n    durations:\n      - 5\n      - 5.0", "night.yaml:7", "5 s stands here twice"),
    "a duration without end": (f"{ONE}  - id: A\n    durations: [.inf]", "night.yaml:5", ".inf is no number"),
    "frames and durations": (f"{ONE}  - id: A\n    durations: [5]\n    frames: 9", "night.yaml:6", "both frames and durations"),
    "a text for a number": (f"{ONE}  - id: A\n    seed: one", "night.yaml:5", "seed must be a whole number, not 'one'"),
    "a truth value for a number": (f"{ONE}  - id: A\n    seed: true", "night.yaml:5", "seed must be a whole number, not True"),
    "weights that are none": (f"{ONE}  - id: A\n    weights:\n      depth: 1\n      edge: much", "night.yaml:7", "weights must be a mapping of words to numbers"),
    "an empty value": (f"{ONE}  - id: A\n    seed:", "night.yaml:5", "seed is empty"),
    "a matrix of a thing that is none": (f"{ONE}  - id: A\n    matrix:\n      colour: [a]", "night.yaml:6", "matrix cannot expand 'colour'"),
    "a matrix of an id": (f"{ONE}  - id: A\n    matrix: {{id: [a]}}", "night.yaml:5", "matrix cannot expand 'id'"),
    "a matrix of a word": (f"{ONE}  - id: A\n    matrix: {{seed: 5}}", "night.yaml:5", "matrix must be a mapping of keys to lists"),
    "a matrix of wrong values": (f"{ONE}  - id: A\n    matrix: {{seed: [1, x]}}", "night.yaml:5", "seed must be a whole number, not 'x'"),
    "weights of wrong values": (f"{ONE}  - id: A\n    matrix: {{weights.depth: [1, x]}}", "night.yaml:5", "weights.depth must be a number"),
    "lists of two lengths": (f"{ONE}  - id: A\n    zip: {{seed: [1, 2], vars.a: [1]}}", "night.yaml:5", "not of one length: seed has 2, vars.a has 1"),
    "expanded twice": (f"{ONE}  - id: A\n    zip: {{seed: [1]}}\n    matrix: {{seed: [1]}}", "night.yaml:5", "seed is expanded by matrix and by zip"),
    "a set of nothing": (f"{ONE}  - id: A\n    scene: porch\n    set: {{scene.plce: x}}", "night.yaml:6", "set has 'scene.plce'"),
    "what a video shows that is no text": (f"{ONE}  - id: A\n    shows:\n      rain: true", "night.yaml:6", "shows must be a mapping of words to texts"),
    "what a video shows by no name": (f"{ONE}  - id: A\n    shows:\n      the rain: heavy", "night.yaml:6", "'the rain' cannot be the name of a variable"),
    "what a video shows that is a novel": (f"{ONE}  - id: A\n    shows:\n      rain: {'very ' * 50}heavy", "night.yaml:6", "what a video should show as rain is"),
    "what a video shows of what is not there": (f"{ONE}  - id: A\n    shows:\n      rain: '{{{{ vars.rain }}}}'", "night.yaml:6", "has no attribute 'rain'"),
    "totals that disagree": (f"{ONE}  - id: A\n  - id: B\ntotals:\n  definitions: 2\n  runs: 3", "night.yaml:8", "totals says 3 runs, and the entries make 2"),
    "an unknown total": (f"{ONE}  - id: A\ntotals: {{videos: 3}}", "night.yaml:5", "totals has no key 'videos'"),
    "no YAML": ("campaign: night\nentries:\n\t- id: A", "night.yaml:3", "this is not YAML"),
    "a key twice": (f"{ONE}  - id: A\n    seed: 1\n    seed: 2", "night.yaml:6", "the key 'seed' stands here twice, first in line 5"),
    "an alias": ("campaign: &a night\nentries:\n  - {id: *a, prompt: x}", "night.yaml:3", "*a is an alias"),
    "a tag": ("campaign: !!python/name:os.system night\nentries: []", "night.yaml:1", "is a tag"),
    "two documents": ("campaign: night\n---\ncampaign: day", "night.yaml:1", "holds 2 YAML documents"),
    "an empty file": ("", "night.yaml:1", "the file is empty"),
    "a list": ("- a\n- b", "night.yaml:1", "a campaign file must be a mapping"),
    "a file that is not there": (f"{ONE}  - id: A\ninclude: [more.yaml]", "night.yaml:5", "there is no file more.yaml to include"),
    "a file outside": (f"{ONE}  - id: A\ninclude: [../more.yaml]", "night.yaml:5", "leads out of the campaign's folder"),
    "parts outside": (f"{ONE}  - id: A\nparts: /etc", "night.yaml:5", "leads out of the campaign's folder"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_each_mistake_is_found_with_its_line(said, wrong):
    """
    A person goes to that line and reads what to write there.
    """
    text, where, message = WRONG[wrong]
    found = said(text, PARTS)

    assert any(level == "fail" and at == where and message in told for level, at, told, _ in found), found


def test_all_mistakes_are_found_at_once(said):
    """
    Nobody mends a file six times; what has one cause is one finding.
    """
    found = said(
        """\
        campaign: night
        defaults:
          template: prompt.jinja2
          subject: curier
        entries:
          - {id: A, scene: porch}
          - {id: B, scene: prch}
          - {id: C, scene: porch, sed: 1}
          - {id: D, scene: porch, subject: courier, durations: 5}
        """,
        PARTS,
    )

    assert {
        ("night.yaml:4", "there is no subject 'curier' in subjects/"),
        ("night.yaml:7", "there is no scene 'prch' in scenes/"),
        ("night.yaml:8", "an entry has no key 'sed'"),
        ("night.yaml:9", "durations must be a list of seconds, such as [5, 10, 30], not 5"),
    } == {(where, message) for _, where, message, _ in found}
    assert "did you mean courier? (the same 2 times more)" in [hint for *_, hint in found]


def test_a_mistake_in_a_template_is_found_there(said):
    """
    The line is the template's, and the hint says whose entry it was.
    """
    found = said(
        "campaign: night\ndefaults: {template: prompt.jinja2, scene: porch}\nentries:\n  - id: A\n",
        {
            "scenes/porch.yaml": "place: a porch",
            "prompt.jinja2": "A fox\nat {{ scene.place }}\nby {{ scene.light }}.",
        },
    )

    assert [("prompt.jinja2:3", "for the entry at night.yaml:4")] == [
        (where, hint) for _, where, _, hint in found
    ]


def test_entries_may_lie_in_more_files(expanded):
    """
    They are entries like those of the first file, with lines of their own.
    """
    made = expanded(
        f"{ONE}  - id: A\ninclude: [more/b.yaml]",
        {"more/b.yaml": "entries:\n  - id: B\n  - id: a\n"},
    )

    assert ["A", "B", "a"] == [item.id for item in made.items]
    assert ["more/b.yaml:3"] == [finding.where for finding in made.findings]


def test_files_that_stand_for_others_are_refused(said, folder, tmp_path):
    """
    A pointer of Git LFS is no part, and a link out of the folder is none.
    """
    (tmp_path / "secret.yaml").write_text("place: secret")
    made = folder({"scenes/lfs.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"})
    (made / "scenes" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    found = said(f"{ONE}  - id: A")

    assert {"scenes/lfs.yaml:1", "scenes/link.yaml:1"} == {where for _, where, _, _ in found}


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}", fullmatch=True)


@given(
    seeds=st.lists(st.integers(0, 999), min_size=1, max_size=4, unique=True),
    words=st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower),
    durations=st.lists(st.integers(1, 60), max_size=3, unique=True),
    zipped=st.lists(st.integers(0, 99), max_size=3, unique=True),
)
def test_as_many_videos_as_the_product_says_each_by_its_own_name(seeds, words, durations, zipped):
    """
    Whatever is expanded: the count is the product, ids and names are unique, and the same file gives the same again.
    """
    text = (
        f"campaign: n\ndefaults: {{prompt: 'x {{{{ vars.word }}}}', durations: {durations}}}\nentries:\n"
        f"  - id: A\n    matrix: {{seed: {seeds}, vars.word: {words}}}\n"
    )
    text += f"    zip: {{vars.other: {zipped}, priority: {zipped}}}\n" if zipped else ""
    made = expand(material(text))
    definitions = len(seeds) * len(words) * max(1, len(zipped))

    assert () == made.findings
    assert definitions == made.definitions == len({item.id.lower() for item in made.items})
    assert definitions * max(1, len(durations)) == len({item.name.lower() for item in made.items})
    assert [item.ask for item in expand(material(text)).items] == [item.ask for item in made.items]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "id prompt template scene set vars durations frames seed clip weights options tags matrix zip".split()
)


@given(entry=st.dictionaries(KEYS, VALUES, max_size=6), defaults=st.dictionaries(KEYS, VALUES, max_size=3))
def test_whatever_stands_in_a_file_is_a_request_or_a_finding(entry, defaults):
    """
    Nothing that can be written ends in an exception, and what has no request has a sentence with a line.
    """
    import yaml

    text = yaml.safe_dump({"campaign": "n", "defaults": defaults, "entries": [entry]}, allow_unicode=True)
    made = expand(material(text))

    assert made.items or made.findings
    assert all(finding.where.partition(":")[2].isdigit() for finding in made.findings), made.findings


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    """
    A file that is no campaign is told so.
    """
    assert expand(material(text)).findings
