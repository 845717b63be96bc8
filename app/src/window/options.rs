//! How the system's window is made.

use std::time::Duration;

use eframe::glow::{HasContext, RENDERER};
use eframe::{CreationContext, NativeOptions, Renderer};
use egui::{IconData, ViewportBuilder, vec2};

use crate::words;

/// Its least size in points.
pub const LEAST: egui::Vec2 = vec2(1024.0, 700.0);

const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(1);
/// Renderers that draw on the processor.
const IN_SOFTWARE: [&str; 4] = ["llvmpipe", "softpipe", "swiftshader", "gdi generic"];

/// The window as it opens.
pub fn native() -> NativeOptions {
    let mut viewport = ViewportBuilder::default()
        .with_title(words::PROGRAM)
        .with_app_id("stepladder")
        .with_inner_size(vec2(1280.0, 860.0))
        .with_min_inner_size(LEAST)
        .with_drag_and_drop(true);
    if let Some(icon) = icon() {
        viewport = viewport.with_icon(icon);
    }
    NativeOptions {
        viewport,
        renderer: Renderer::Glow,
        persist_window: false,
        ..NativeOptions::default()
    }
}

/// How often what moves by itself is drawn: ten times a second, as workers tell it; once a second where
/// there is no graphics card to draw with and the processor has better things to do.
pub fn refresh(creation: &CreationContext<'_>) -> Duration {
    let renderer = creation.gl.as_ref().map(|gl| {
        // SAFETY: eframe has made this context current on this thread before it hands it out, and the
        // name of the renderer is a constant of it.
        unsafe { gl.get_parameter_string(RENDERER) }.to_lowercase()
    });
    match renderer {
        Some(name) if IN_SOFTWARE.iter().any(|other| name.contains(other)) => SELDOM,
        _ => OFTEN,
    }
}

fn icon() -> Option<IconData> {
    eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icons/stepladder-128.png"))
        .ok()
}
