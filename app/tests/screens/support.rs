//! Windows for tests.

use std::panic::{AssertUnwindSafe, catch_unwind};

use egui_kittest::Harness;
use image::RgbaImage;
use stepladder::outside::Replay;
use stepladder::state::settings::Settings;
use stepladder::state::{Effect, News, State};
use stepladder::window::Window;

pub type TestWindow = Window<Replay>;

/// When tests take place: 2026-11-24T12:00:00Z.
pub const NOW: f64 = 1_795_521_600.0;

/// A window of the usual size before an outside that has said nothing yet.
pub fn window() -> Harness<'static, TestWindow> {
    window_of(Settings::default(), egui::vec2(1280.0, 860.0))
}

pub fn window_of(settings: Settings, size: egui::Vec2) -> Harness<'static, TestWindow> {
    Harness::builder()
        .with_size(size)
        .with_max_steps(16)
        .build_eframe(move |creation| {
            let state = State::new(settings, NOW);
            Window::new(&creation.egui_ctx, state, Replay::default())
        })
}

/// Brings news and draws.
pub fn hear(harness: &mut Harness<'static, TestWindow>, news: News) {
    harness.state_mut().outside().news.push_back(news);
    harness.step();
    harness.step();
}

/// What was asked of the outside since the last time.
pub fn asked(harness: &mut Harness<'static, TestWindow>) -> Vec<Effect> {
    std::mem::take(&mut harness.state_mut().outside().performed)
}

/// A picture of the window; none where there is no Vulkan driver to draw it with. Where nobody reads what
/// tests say, that is a failure.
#[expect(clippy::print_stdout, reason = "a test says when it skips")]
pub fn drawn(harness: &mut Harness<'static, TestWindow>) -> Option<RgbaImage> {
    match catch_unwind(AssertUnwindSafe(|| harness.render())) {
        Ok(image) => Some(image.expect("a picture")),
        Err(panic) if std::env::var_os("CI").is_some() => std::panic::resume_unwind(panic),
        Err(_) => {
            println!("SKIPPED: no Vulkan driver; Debian has one in mesa-vulkan-drivers");
            None
        }
    }
}
