# Any property of the scene (--set), by its path. Only properties that Blender declares are followed:
# nothing in the path or the value is evaluated as Python.
import math

import bpy

import render_worker_animation as animation
import render_worker_answer as answer

SWITCHES = {"true": True, "false": False}


class Mistake(Exception):
    """The path leads nowhere, or the value does not fit."""


def set_property(scene, setting, findings):
    shown = path_text(setting["path"])
    try:
        owner, name = owner_of(scene, setting["path"])
        declared = owner.bl_rna.properties[name]
        if declared.is_readonly:
            raise Mistake("it can only be read")
        value = converted(owner, declared, setting["value"])
        try:
            animation.replace(owner, name, value)
        except (TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise Mistake(refused_value(setting["value"], error)) from None
    except Mistake as mistake:
        findings.mistake("--set (SET): %s: %s" % (shown, mistake))


def path_text(path):
    text = ""
    for step in path:
        if isinstance(step, str):
            text += "." * bool(text) + step
        else:
            text += '["%s"]' % step["key"] if "key" in step else "[%d]" % step["index"]
    return text


def owner_of(scene, path):
    """The structure that has the property at the end of the path, and the property's name."""
    value, declared = scene, None
    for position, step in enumerate(path):
        if isinstance(step, str):
            check_structure(value, path[:position])
            if step not in value.bl_rna.properties.keys():
                names = [each for each in value.bl_rna.properties.keys() if each != "rna_type"]
                raise Mistake(no_property(value, step, names))
            declared = value.bl_rna.properties[step]
            owner, name = value, step
            value = getattr(value, step)
        elif declared is None or declared.type != "COLLECTION":
            raise Mistake("%s is no collection" % path_text(path[:position]))
        else:
            value = item(value, step, path_text(path[:position]))
            declared = None
    if declared is None:
        raise Mistake("it ends at an item, and not at a property of it")
    return owner, name


def check_structure(value, path):
    if value is None:
        raise Mistake("%s is empty" % path_text(path))
    if not isinstance(value, bpy.types.bpy_struct):
        raise Mistake("%s has no properties" % path_text(path))


def no_property(value, name, names):
    what = value.bl_rna.identifier
    return "%s has no property %s%s" % (what, name, answer.similar(name, names))


def item(collection, step, shown):
    if "index" in step:
        if step["index"] >= len(collection):
            raise Mistake("%s has %d items, counted from 0" % (shown, len(collection)))
        return collection[step["index"]]
    key = step["key"]
    if key not in collection.keys():
        raise Mistake("%s has no %s%s" % (shown, key, answer.similar(key, collection.keys())))
    return collection[key]


def converted(owner, declared, text):
    """The value of a property of this type, from text."""
    if declared.type in {"POINTER", "COLLECTION"}:
        raise Mistake("it is no plain value but a structure; name a property of it")
    if declared.type == "ENUM" and declared.is_enum_flag:
        return {part.strip() for part in text.split(",") if part.strip()}
    if getattr(declared, "is_array", False):
        parts = [part.strip() for part in text.split(",")]
        # The declared length of an array can be 0, if it differs from owner to owner.
        length = len(getattr(owner, declared.identifier))
        if len(parts) != length:
            raise Mistake("it takes %d values, separated by commas" % length)
        return [single(declared, part) for part in parts]
    return single(declared, text)


def single(declared, text):
    if declared.type == "BOOLEAN":
        if text.lower() not in SWITCHES:
            raise Mistake("it takes true or false, and not %s" % text)
        return SWITCHES[text.lower()]
    if declared.type == "INT":
        return number(declared, text, int, "a whole number")
    if declared.type == "FLOAT":
        return number(declared, text, float, "a number")
    if declared.type == "STRING":
        if declared.length_max and len(text.encode()) >= declared.length_max:
            raise Mistake("it takes a text of less than %d bytes" % declared.length_max)
    return text


def refused_value(text, error):
    names = answer.choices(error)
    if names:
        return "it cannot be %s%s" % (text, answer.similar(text, names))
    return str(error)


def number(declared, text, kind, described):
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    low, high = declared.hard_min, declared.hard_max
    if not low <= value <= high:
        limits = " from %s to %s" % (limit(low), limit(high))
        raise Mistake("it takes %s%s, and not %s" % (described, limits, text))
    return value


def limit(value):
    return "%g" % value if abs(value) < 1e9 else "any"
