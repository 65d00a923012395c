# The files of the project that the scene is in, found by the ends of their paths.
import os
import re

# How many files and folders are looked at. A person can pack a scene in a folder of anything.
MOST_ENTRIES = 200000

# The tokens of images in tiles, and the names that each of them stands for.
TOKENS = {"<UDIM>": r"\d{4}", "<UVTILE>": r"u\d+_v\d+"}


class Project:
    def __init__(self, folder, origins, is_fetched):
        self.folder = os.path.normpath(folder)
        # Where the files are that were outside of the project, by their former paths.
        self.origins = {folded(path): file for path, file in origins.items()}
        # The paths of files and folders as lists of names, by the last name in small letters.
        self.files, self.folders = {}, {}
        count = 0
        for path, folders, names in os.walk(self.folder):
            # A scene may not read the hidden files of a person's own folder.
            folders[:] = sorted(it for it in folders if is_fetched or not it.startswith("."))
            below = os.path.relpath(path, self.folder)
            start = [] if below == "." else below.split(os.sep)
            for found, each in ((self.files, names), (self.folders, folders)):
                for name in each:
                    found.setdefault(name.lower(), []).append(start + [name])
            count += len(names) + len(folders)
            if count > MOST_ENTRIES:
                break

    def find(self, path, is_folder=False):
        """The path in the project of the file or folder that a path leads to on another machine. None
        if there is none, or if several are as likely."""
        origin = self.origins.get(folded(path))
        if origin and not is_folder:
            return os.path.join(self.folder, origin)
        names = names_in(path)
        if not names:
            return None
        *before, last = names
        found = []
        for candidate, name in self.candidates(last, is_folder):
            same = common_end(before, candidate[:-1], str.lower)
            exact = common_end(before, candidate[:-1], str) + (candidate[-1] == last)
            found.append((same, exact, candidate[:-1] + [name]))
        best = max(((same, exact) for same, exact, _ in found), default=None)
        paths = [each for same, exact, each in found if (same, exact) == best]
        # The tiles of an image are many files with one name.
        paths = [list(each) for each in dict.fromkeys(tuple(each) for each in paths)]
        return os.path.join(self.folder, *paths[0]) if len(paths) == 1 else None

    def candidates(self, last, is_folder):
        """Pairs of a path in the project whose last name fits, and the name to use for it."""
        token = next((token for token in TOKENS if token in last), None)
        if token is None:
            for path in (self.folders if is_folder else self.files).get(last.lower(), ()):
                yield path, path[-1]
            return
        before, _, after = last.partition(token)
        form = "(%s)%s(%s)" % (re.escape(before), TOKENS[token], re.escape(after))
        for paths in self.files.values():
            for path in paths:
                match = re.fullmatch(form, path[-1], re.IGNORECASE)
                if match:
                    yield path, match.group(1) + token + match.group(2)


def names_in(path):
    """The names in a path of any system, behind its last `..`."""
    names = [name for name in re.split(r"[/\\]", path) if name not in ("", ".")]
    if names and re.fullmatch("[A-Za-z]:", names[0]):
        del names[0]
    while ".." in names:
        del names[: names.index("..") + 1]
    return names


def folded(path):
    return path.replace("\\", "/").lower()


def common_end(one, other, form):
    """How many names at the end of two lists are the same."""
    count = 0
    for a, b in zip(reversed(one), reversed(other)):
        if form(a) != form(b):
            break
        count += 1
    return count
