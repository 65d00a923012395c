//! What scenes need and what they make.

mod addons; // scripts and add-ons that the user adds to Blender
mod fluids; // liquids, from their caches and without
mod inspect; // the description of a scene file from its first bytes
mod inspect_deep; // what Blender finds in a scene file
mod lacking; // scenes that need features that this Blender lacks
mod missing_files; // files that a scene needs: missing, damaged, out of reach, or not used
mod outputs; // what a scene makes besides its frames: File Output nodes, further views
mod simulations; // simulations that are not baked: refused, simulated, baked, or left out
