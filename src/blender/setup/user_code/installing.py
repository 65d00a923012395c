# Installs add-ons into Blender's own folders in HOME, which is in the scratch folder of the job.
import os
import re
import shutil
import sys
import zipfile

import addon_utils
import bpy

# Limits for all archives together: a small archive can contain any amount of data.
MAX_FILES = 100_000
MAX_BYTES = 2 << 30

MANIFEST = "blender_manifest.toml"


class Unusable(Exception):
    """Something is no add-on, or cannot be installed."""


def install(folder):
    """Installs what is in a folder: an archive, an add-on, or several of them. Returns the names of
    their modules."""
    unpacked = os.path.join(os.path.expanduser("~"), "render-worker-addons")
    shutil.rmtree(unpacked, ignore_errors=True)
    left = Left()
    modules = []
    for position, source in enumerate(sources(folder)):
        place = source
        if is_archive(source):
            # An add-on without a folder of its own is named after the archive.
            name = os.path.splitext(os.path.basename(source))[0]
            place = os.path.join(unpacked, str(position), name)
            unpack(source, place, left)
        found = list(addons_in(place))
        if not found:
            raise Unusable("%s contains no add-on" % os.path.basename(source))
        modules += [install_addon(addon) for addon in found]
    if not modules:
        raise Unusable("it contains no add-on: no archive, no script and no package of Python")
    addon_utils.modules_refresh()
    return modules


class Left:
    """What archives may still contain."""

    def __init__(self):
        self.files, self.bytes = MAX_FILES, MAX_BYTES

    def take(self, name, size):
        self.files -= 1
        self.bytes -= size
        if self.files < 0 or self.bytes < 0:
            raise Unusable(
                "%s and the archives before it have more than %d files or %d GiB"
                % (name, MAX_FILES, MAX_BYTES >> 30)
            )


def sources(folder):
    """The archives and add-ons of the one thing in a folder, which is an archive or a folder."""
    for entry in sorted(os.listdir(folder)):
        path = os.path.join(folder, entry)
        if os.path.isfile(path) or is_package(path):
            yield path
            continue
        for name in sorted(os.listdir(path)):
            inside = os.path.join(path, name)
            if is_archive(inside) or is_addon(inside):
                yield inside


def is_archive(path):
    return path.lower().endswith(".zip") and os.path.isfile(path)


def is_package(path):
    return is_extension(path) or os.path.isfile(os.path.join(path, "__init__.py"))


def is_extension(path):
    return bpy.app.version >= (4, 2) and os.path.isfile(os.path.join(path, MANIFEST))


def is_addon(path):
    return is_package(path) or (path.endswith(".py") and os.path.isfile(path))


def addons_in(path):
    """The add-ons of an unpacked archive: itself, or what lies in it."""
    if is_addon(path):
        yield path
    elif os.path.isdir(path):
        for entry in sorted(os.listdir(path)):
            if is_addon(os.path.join(path, entry)):
                yield os.path.join(path, entry)


def unpack(archive, folder, left):
    name = os.path.basename(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                parts = re.split(r"[/\\]", member.filename)
                if os.path.isabs(member.filename) or ".." in parts:
                    raise Unusable("%s has a path that leaves it: %s" % (name, member.filename))
                left.take(name, member.file_size)
                opened.extract(member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Unusable("%s cannot be unpacked: %s" % (name, error)) from None


def install_addon(source):
    """Copies an add-on to where Blender looks for it. Returns the name of its module."""
    if is_extension(source):
        return install_extension(source)
    if os.path.isfile(os.path.join(source, MANIFEST)) and not has_bl_info(source):
        name = os.path.basename(source)
        raise Unusable("%s is an extension, which takes Blender 4.2 or later" % name)
    target = bpy.utils.user_resource("SCRIPTS", path="addons", create=True)
    if target not in sys.path:
        sys.path.append(target)
    name = os.path.basename(source)
    copy(source, os.path.join(target, name))
    return os.path.splitext(name)[0] if os.path.isfile(source) else name


def has_bl_info(package):
    """Whether a package describes itself as add-ons before Blender 4.2 do."""
    with open(os.path.join(package, "__init__.py"), "rb") as file:
        return b"bl_info" in file.read()


def install_extension(source):
    with open(os.path.join(source, MANIFEST), "rb") as file:
        manifest = file.read()
    name = extension_id(manifest)
    repository = bpy.utils.user_resource("EXTENSIONS", path="user_default", create=True)
    copy(source, os.path.join(repository, name))
    return "bl_ext.user_default." + name


def extension_id(manifest):
    import tomllib  # not in the Python of Blender 4.0 and earlier

    try:
        values = tomllib.loads(manifest.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unusable("%s cannot be read: %s" % (MANIFEST, error)) from None
    name = values.get("id")
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)):
        raise Unusable("the id in %s is no name of a module: %r" % (MANIFEST, name))
    if values.get("type", "add-on") != "add-on":
        raise Unusable("extension %s is no add-on but a %s" % (name, values["type"]))
    return name


def copy(source, target):
    # An earlier launch may have installed it.
    shutil.rmtree(target, ignore_errors=True)
    if os.path.isdir(source):
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
