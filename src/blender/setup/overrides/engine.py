# The render engine. Its names depend on the version of Blender and on add-ons.
import render_worker_answer as answer

# The names of EEVEE: the second one in Blender 4.2 to 4.5.
EEVEE = ["BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"]


def set_engine(render, engine, findings):
    own = render.engine
    if engine is None or engine == own:
        return
    for name in [engine] + [name for name in EEVEE if engine in EEVEE and name != engine]:
        if name == own:
            return
        try:
            render.engine = name
        except TypeError as error:
            # The error lists the engines that exist.
            existing = answer.choices(error)
        else:
            break
    else:
        findings.lack(
            "--engine (ENGINE): this Blender has no such render engine, %s; it has %s"
            % (engine, ", ".join(existing))
        )
        return
    findings.warnings.append(
        "the scene is set to the render engine %s, and %s renders it: --engine scene (ENGINE) keeps "
        "the scene's own" % (own or "of another Blender", render.engine)
    )
