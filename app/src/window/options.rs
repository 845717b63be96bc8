//! How the system's window is made.

use eframe::{NativeOptions, Renderer};
use egui::{IconData, ViewportBuilder, vec2};

use crate::words;

/// Its least size in points.
pub const LEAST: egui::Vec2 = vec2(1024.0, 700.0);

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

fn icon() -> Option<IconData> {
    eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icons/stepladder-128.png"))
        .ok()
}
