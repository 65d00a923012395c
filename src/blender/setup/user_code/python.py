# The scripts of the user that prepare the scene (--python).
import traceback

import render_worker_answer as answer


def run(scripts, path):
    """Runs scripts as Blender's own --python does. Refuses the job, with an answer at the path, if
    one of them fails."""
    for script in scripts:
        with open(script["path"], "rb") as file:
            source = file.read()
        name = script["name"]
        try:
            code = compile(source, name, "exec")
            exec(code, {"__name__": "__main__", "__file__": name})
        except SystemExit as end:
            # A script may end like this, too.
            if end.code not in (None, 0):
                refuse(path, name, "it ended with %s" % end.code)
        except Exception as error:
            traceback.print_exc()
            refuse(path, name, "%s%s: %s" % (place(error, name), type(error).__name__, error))


def place(error, name):
    """The line of the script at which an error occurred."""
    if isinstance(error, SyntaxError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == name]
    return "line %d: " % lines[-1] if lines else ""


def refuse(path, name, problem):
    answer.refuse(path, "script", ["--python (PYTHON_FILE): %s failed: %s" % (name, problem)])
