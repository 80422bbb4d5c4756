//! What can be typed. Only clap types.
