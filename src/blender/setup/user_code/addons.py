# Blender runs this script before it loads the scene, if the job brings or enables add-ons: they are
# then in force when the scene is loaded, as on a desktop.
#
# Reads settings.json beside it:
#   {"description": PATH, "addons": {"names": [NAME, ...], "folder": PATH or null}, ...}
import json
import os
import sys
import traceback

import addon_utils

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import render_worker_answer as answer
import render_worker_installing as installing


def enable(name):
    """Enables an add-on. Returns why that fails, or None."""
    errors = []

    def keep(error):
        traceback.print_exception(type(error), error, error.__traceback__)
        errors.append(error)

    try:
        if addon_utils.enable(name, default_set=True, handle_error=keep):
            return None
    except (Exception, SystemExit) as error:
        # Not every version of Blender hands all errors on.
        keep(error)
    return "%s" % (errors[-1] if errors else "Blender does not say why")


def module_named(name):
    """The module of an add-on. The short name of an extension leaves out its repository."""
    existing = [module.__name__ for module in addon_utils.modules()]
    if name in existing:
        return name
    for module in existing:
        if module.startswith("bl_ext.") and module.split(".")[-1] == name:
            return module
    short = [module.split(".")[-1] for module in existing]
    raise installing.Unusable(
        answer.unknown("--addon (ADDON)", "this Blender", "add-on", name, short)
    )


with open(os.path.join(HERE, "settings.json"), encoding="utf-8") as file:
    settings = json.load(file)

problems = []
modules = []
folder = settings["addons"]["folder"]
if folder:
    try:
        modules += installing.install(folder)
    except (installing.Unusable, OSError) as error:
        problems.append("--addons-dir (ADDONS_DIR): %s" % error)
for name in settings["addons"]["names"]:
    try:
        module = module_named(name)
        if module not in modules:
            modules.append(module)
    except installing.Unusable as error:
        problems.append(str(error))
for module in modules:
    problem = enable(module)
    if problem:
        is_named = module in settings["addons"]["names"]
        flag = "--addon (ADDON)" if is_named else "--addons-dir (ADDONS_DIR)"
        problems.append("%s: add-on %s cannot be enabled: %s" % (flag, module, problem))
    else:
        print("render-worker: add-on %s is enabled" % module, flush=True)
if problems:
    answer.refuse(settings["description"], "addon", problems)
