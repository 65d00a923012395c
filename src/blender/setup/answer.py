# What the setup script finds out about the job: warnings, and reasons to refuse it.
import difflib
import json
import os
import re

# How many names a message lists.
MOST_NAMES = 12

# The exit status of a Blender that must not render. The answer tells the worker why.
REFUSED = 86


class Findings:
    def __init__(self):
        self.warnings = []
        # What the flags ask for and the scene does not have, or values that do not fit.
        self.mistakes = []
        # What the flags ask for and this Blender does not have.
        self.lacks = []

    def mistake(self, text):
        self.mistakes.append(text)

    def lack(self, text):
        self.lacks.append(text)

    def refuse_if_any(self, path):
        """Writes the reasons to refuse the job to the answer's path, if there are any, and ends
        Blender."""
        if self.mistakes:
            refuse(path, "usage", self.mistakes + self.lacks)
        if self.lacks:
            refuse(path, "unavailable", self.lacks)


def refuse(path, kind, problems):
    write(path, {"refused": {"kind": kind, "problems": problems}})
    # Exit at once: a Blender that quits in the ordinary way renders first.
    os._exit(REFUSED)


def write(path, content):
    """Writes the answer to the worker, atomically."""
    partial = path + ".partial"
    with open(partial, "w", encoding="utf-8", errors="replace") as file:
        json.dump(content, file, ensure_ascii=False)
    os.replace(partial, path)


def unknown(flag, owner, kind, name, existing):
    """The message about a name that does not exist, with those that do."""
    if not existing:
        return "%s: %s has no %s" % (flag, owner, kind)
    return "%s: %s has no %s %s%s" % (flag, owner, kind, name, similar(name, existing))


def similar(name, existing):
    """The names that exist: the similar ones, or else all of them."""
    lower = {each.lower(): each for each in existing}
    close = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, 5, 0.6)]
    if close:
        return "; did you mean %s?" % " or ".join(close)
    more = len(existing) - MOST_NAMES
    names = ", ".join(sorted(existing)[:MOST_NAMES])
    return "; there are %s%s" % (names, " and %d more" % more if more > 0 else "")


def choices(error):
    """The names that Blender's error about an unknown one lists."""
    return re.findall(r"'([^']+)'", str(error).partition("not found in")[2])
