"""The window before a job in a real Qt: pressed as a person would, never shown on a screen."""

from __future__ import annotations

import importlib
import time

import pytest

QtCore = pytest.importorskip("PySide6.QtCore", reason="PySide6 is not installed here; Houdini brings its own")
QtTest = pytest.importorskip("PySide6.QtTest")


@pytest.fixture
def desk(packaged, saved_scene, application):
    """Somebody sits before a saved scene with a camera, in a Houdini that has a window."""
    from PySide6 import QtWidgets

    packaged.desk.here = True
    packaged.desk.window = QtWidgets.QMainWindow()
    yield packaged.desk
    packaged.desk.window.deleteLater()
    packaged.desk.window = None


@pytest.fixture
def opened(desk, packaged):
    """``opened(rops, prompt="fog", ...)``: the window about a request."""
    from PySide6 import QtWidgets  # noqa: F401 - before ours, so that a missing library is said plainly

    kept = []

    def _opened(rops=(), prompt="fog", **changes):
        job, talk, dialog = (
            importlib.import_module(f"cosmos_houdini.{name}") for name in ("job", "talk", "dialog")
        )
        facts = {"camera": "/obj/cam1", "ask": job.Ask(prompt=prompt)} | changes
        made = dialog.Dialog(talk.Talk(job.Request(**facts), rops), desk.window)
        made.show()
        kept.append(made)
        return made

    yield _opened
    for each in kept:
        each.close()


def click(button):
    QtTest.QTest.mouseClick(button, QtCore.Qt.MouseButton.LeftButton)


def button_of(window, label):
    (button,) = [row.button for row in window.rows.values() if row.button and label == row.button.text()]
    return button


def type_into(window, label, text):
    talk = importlib.import_module("cosmos_houdini.talk")
    field = window.fields[talk.FIELDS.index(label)]
    field.setFocus()
    field.selectAll()
    QtTest.QTest.keyClicks(field, text)
    return field


def test_a_row_a_finding_and_a_button_where_one_can_help(opened, packaged):
    """The sentence, what to do, and on the button exactly that; what stops the job stands first."""
    node = packaged.hou.node("/obj").createNode("geo")
    node._fake.errors.append("no geometry")

    window = opened(end=40, width=641)

    assert [None, "Use 1280 x 704", "Use Frames 1 to 93"] == [
        row.button and row.button.text() for row in window.rows.values()
    ]
    assert not window.buttons["Render and Submit"].isEnabled()
    assert window.nothing.isHidden()


def test_a_press_mends_that_one_and_the_list_is_reviewed_again(opened):
    """The other rows stay as they are, the fields say what is asked for now."""
    window = opened(end=40, width=641)

    click(button_of(window, "Use 1280 x 704"))

    assert ["Use Frames 1 to 93"] == [row.button.text() for row in window.rows.values()]
    assert ["1", "40", "1280", "704"] == [field.text() for field in window.fields[4:]]
    assert window.buttons["Render and Submit"].isEnabled()


def test_a_press_is_one_step_of_undo(opened, packaged):
    """Of Houdini's own, with the button's words."""
    node = packaged.hou.node("/out").createNode("opengl", "draft")
    node.bypass(True)
    window = opened([node])

    click(button_of(window, "Switch draft On"))

    assert ("Cosmos: Switch draft On", False) == (packaged.hou.undos.undoLabels()[0], node.isBypassed())
    assert {} == window.rows
    assert not window.nothing.isHidden()


def test_what_is_typed_is_reviewed_and_not_lost_by_a_press(opened):
    """A number in a field that was not left yet counts when a button is pressed, and the press is not swallowed."""
    window = opened(end=40)
    type_into(window, "Width", "641")

    click(button_of(window, "Use Frames 1 to 93"))

    assert (93, 641) == (window.talk.request.end, window.talk.request.width)
    assert ["Use 1280 x 704"] == [row.button.text() for row in window.rows.values()]


def test_without_a_prompt_the_window_stays_and_says_so(opened):
    """Passes need none."""
    window = opened(prompt="")
    click(window.buttons["Render and Submit"])
    assert window.isVisible()
    assert ["The prompt is empty"] == [finding.message for finding in window.rows]

    click(window.buttons["Passes Only"])

    assert (False, "Passes Only") == (window.isVisible(), window.wish)


def test_closing_it_is_changing_ones_mind(opened):
    """As the button Cancel."""
    window = opened()

    QtTest.QTest.keyClick(window, QtCore.Qt.Key.Key_Escape)

    assert (False, "Cancel") == (window.isVisible(), window.wish)


def test_the_shelf_asks_in_this_window(desk, saved_scene, application, monkeypatch):
    """From the press of the shelf's button to the job, typed and pressed while Qt's own loop goes round."""
    import os

    from PySide6 import QtWidgets

    command = importlib.import_module("cosmos_houdini.command")
    shelf = importlib.import_module("cosmos_houdini.shelf")
    started = []
    monkeypatch.setattr(command, "start", lambda words, **_: started.append(list(words)) or os.getpid())

    def person():
        window = QtWidgets.QApplication.activeModalWidget()
        if window is None:
            QtCore.QTimer.singleShot(20, person)
            return
        type_into(window, "Prompt", "a street in fog")
        click(window.buttons["Render and Submit"])

    QtCore.QTimer.singleShot(0, person)
    watch = shelf.render_and_submit({})

    assert [["houdini", "run", str(watch.folder)]] == started
    assert '"prompt": "a street in fog"' in (watch.folder / "job.json").read_text()
    assert [] == desk.dialogs
    watch.stop()


def test_the_window_opens_and_mends_in_no_time(opened, packaged):
    """200 ms of this processor each, fake and Qt included."""
    node = packaged.hou.node("/out").createNode("opengl", "draft")
    node.bypass(True)
    opened().close()
    begun = time.process_time()
    window = opened([node], end=40, width=641)
    opening = time.process_time() - begun

    click(button_of(window, "Switch draft On"))

    assert opening < 0.2
    assert time.process_time() - begun < 0.4
