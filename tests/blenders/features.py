# Prints the version of this Blender, and the features for scenes that it lacks.
import bpy
import _cycles

options = bpy.app.build_options
wanted = {
    "Alembic": options.alembic,
    "USD": options.usd,
    "OpenVDB": options.openvdb,
    "fluids": options.fluid,
    "OpenImageDenoise": getattr(_cycles, "with_openimagedenoise", False),
    "OSL": getattr(_cycles, "with_osl", False),
    "path guiding": getattr(_cycles, "with_path_guiding", False),
    "Embree": getattr(_cycles, "with_embree", False),
    "Freestyle": options.freestyle,
    "ocean": options.mod_oceansim,
    "remesh": options.mod_remesh,
    "image formats": all(
        getattr(options, "image_" + name, True) for name in ("openexr", "tiff", "webp", "hdr")
    ),
    "FFmpeg": options.codec_ffmpeg,
    "OpenColorIO": options.opencolorio,
    "OpenSubdiv": getattr(options, "opensubdiv", True),
}
lacks = [name for name, there in wanted.items() if not there]
print("features: Blender %s lacks %s" % (bpy.app.version_string, ", ".join(lacks) or "nothing"))
