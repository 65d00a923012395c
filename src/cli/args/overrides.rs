//! The arguments that replace settings of the scene.

#![expect(clippy::doc_link_with_quotes, reason = "these comments are the text of --help")]

use clap::Args;

// Settings of the scene that are replaced. (A comment that clap takes for the text of --help would
// replace that of the subcommand.)
#[derive(Debug, Args)]
pub(in crate::cli) struct OverrideArgs {
    /// The scene of the file to render, by its name
    ///
    /// submit reads only the frame range of the active scene. For another one it needs --frames, or
    /// --first-frame and --total-frames.
    #[arg(long, value_name = "NAME")]
    pub scene: Option<String>,

    /// The view layer to render, by its name
    ///
    /// Only the named view layers are rendered, also those that are not set to Use for Rendering.
    /// Separate several by commas, or give the flag several times.
    #[arg(long, value_name = "NAME")]
    pub view_layer: Vec<String>,

    /// The camera to render through, by its name, or `each` for all of them
    ///
    /// It applies to all frames: markers of the timeline switch to no other camera. `each` renders the
    /// frames, and with run the video, through one camera after the other, to OUTPUT/cameras/NAME/ in
    /// place of OUTPUT/; submit needs --no-stitch for that.
    #[arg(long, value_name = "NAME|each")]
    pub camera: Option<String>,

    /// The render engine: cycles, eevee, workbench, the Python name of another, or `scene`
    ///
    /// `scene` is the one that the scene is set to. If another one is given, a warning says so. eevee is
    /// the EEVEE of this Blender: BLENDER_EEVEE or BLENDER_EEVEE_NEXT.
    #[arg(long, value_name = "NAME|scene")]
    pub engine: Option<String>,

    /// The number of samples of a pixel, 1 to 16777216, in place of the scene's
    ///
    /// For Cycles and EEVEE. A noise threshold or time limit of the scene stays in force.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub samples: Option<String>,

    /// The longest time for the samples of one frame with Cycles, such as 90s, or `off`
    ///
    /// Blender's Time Limit: the frame is finished with the samples that it has by then. A bare number
    /// is seconds.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub time_limit: Option<String>,

    /// The seed of the noise of Cycles, 0 to 2147483647
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,

    /// Whether to denoise: scene (as the scene says), on or off
    ///
    /// `on` switches on the denoising of Cycles in every view layer. `off` switches off the scene's
    /// denoising, in Cycles and in the compositor.
    #[arg(long, value_name = "scene|on|off")]
    pub denoise: Option<String>,

    /// The size of the pictures: a percentage such as 50%, or a size such as 1920x1080
    ///
    /// A percentage is that of Blender's output settings, and replaces the scene's own.
    #[arg(long, value_name = "N%|WxH")]
    pub resolution: Option<String>,

    /// The part of the picture to render: LEFT,BOTTOM,RIGHT,TOP as fractions from 0 to 1, or `off`
    ///
    /// Blender's Render Region, such as 0,0,0.5,1 for the left half. The rest of the picture is empty;
    /// with `,crop` appended, it is cut off (Crop to Render Region). `off` renders the whole picture.
    #[arg(long, value_name = "L,B,R,T[,crop]|off", allow_hyphen_values = true)]
    pub border: Option<String>,

    /// The format of the frames, such as PNG, JPEG, OPEN_EXR or OPEN_EXR_MULTILAYER
    ///
    /// Also TIFF, WEBP, BMP, TARGA and HDR: the names of Blender's Python.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,

    /// The bits of a channel of the frames: 8, 10, 12, 16 or 32, as far as the format has them
    #[arg(long, value_name = "BITS", allow_hyphen_values = true)]
    pub color_depth: Option<String>,

    /// The channels of the frames: BW, RGB or RGBA, as far as the format has them
    #[arg(long, value_name = "MODE")]
    pub color_mode: Option<String>,

    /// Whether to simplify the scene: on, off, or the highest level of subdivision
    ///
    /// Blender's Simplify. `on` uses the limits that are set in the scene; a number replaces Max
    /// Subdivision.
    #[arg(long, value_name = "on|off|N", allow_hyphen_values = true)]
    pub simplify: Option<String>,

    /// Whether Blender keeps a frame's data in memory for the next frame: on or off
    ///
    /// Blender's Persistent Data: it takes more memory, and less time between frames.
    #[arg(long, value_name = "on|off")]
    pub persistent_data: Option<String>,

    /// The number of threads that render, 1 to 1024
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub threads: Option<String>,

    /// Any other property, by its path from the scene, such as cycles.max_bounces=4
    ///
    /// A path is what Blender's Python tooltips show after bpy.data.scenes[…]:
    /// view_settings.exposure=1.5, view_layers["ViewLayer"].use_pass_z=true. The value is read as the
    /// type of the property requires: a number, true or false, a text, the name of a choice, or
    /// several numbers separated by commas. Animation and drivers of the property are switched off.
    /// Properties are set last, in this order. Separate several by semicolons, or give the flag several
    /// times.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}
