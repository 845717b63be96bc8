//! Pictures of charts, drawn without a window: by the widgets of the page, on white, at twice the size,
//! whatever of them is in sight and whatever theme the window has.

mod rasterizer;

use std::path::Path;

use egui::{Context, Pos2, RawInput, Rect, ThemePreference, Vec2, vec2};
use image::{ExtendedColorType, ImageEncoder};
use stepladder_engine::files::write_atomically;

use crate::state::compare::figures::Charts;
use crate::text::visible;
use crate::words::compare as words;
use crate::{screens, theme};

use self::rasterizer::Raster;

/// In points.
const SIZE: Vec2 = vec2(1080.0, 560.0);
const PIXELS_PER_POINT: f32 = 2.0;
/// Charts learn the size of their texts in the first.
const PASSES: usize = 3;

/// Saves a picture of both charts, whole or not at all.
///
/// # Errors
/// A sentence that says why not.
pub fn save(charts: &Charts, to: &Path) -> Result<(), String> {
    let not_saved = |problem: String| words::not_saved(&visible(&problem));
    let png = png(charts).map_err(not_saved)?;
    write_atomically(to, &png).map_err(|error| not_saved(error.to_string()))
}

/// The picture as a file.
fn png(charts: &Charts) -> Result<Vec<u8>, String> {
    let raster = draw(charts);
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(
            &raster.pixels,
            raster.width as u32,
            raster.height as u32,
            ExtendedColorType::Rgba8,
        )
        .map_err(|error| error.to_string())?;
    Ok(png)
}

fn draw(charts: &Charts) -> Raster {
    let context = Context::default();
    theme::install(&context);
    context.set_theme(ThemePreference::Light);
    let size = (SIZE * PIXELS_PER_POINT).round();
    let ground = theme::LIGHT.surface;
    let mut raster = Raster::new(size.x as usize, size.y as usize, ground.to_array());
    for pass in 0..PASSES {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE)),
            time: Some(pass as f64),
            ..RawInput::default()
        };
        if let Some(viewport) = input.viewports.get_mut(&input.viewport_id) {
            viewport.native_pixels_per_point = Some(PIXELS_PER_POINT);
        }
        let output = context.run_ui(input, |ui| screens::compare_picture(ui, charts));
        raster.take_textures(&output.textures_delta);
        if pass + 1 == PASSES {
            let meshes = context.tessellate(output.shapes, output.pixels_per_point);
            raster.paint(&meshes, output.pixels_per_point);
        }
    }
    raster
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::compare::figures::{Dot, Lengths, Who};

    #[test]
    fn a_picture_has_both_charts_and_is_whole() {
        let lengths = |name: &str, place| Lengths {
            name: name.to_owned(),
            place,
            tokens: (20..60).collect(),
        };
        let charts = Charts {
            title: "2026-11-24T12-00-00-compare".to_owned(),
            lengths: vec![lengths("base", 0), lengths("xladder", 1)],
            baseline: "base".to_owned(),
            against: "xladder".to_owned(),
            dots: (0..40)
                .map(|at| Dot {
                    question: at + 1,
                    baseline: 20 + at,
                    this: 15 + at / 2,
                    who: Who::ALL[at % 5],
                })
                .collect(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("charts.png");
        save(&charts, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        if let Some(kept) = std::env::var_os("STEPLADDER_LOOKS") {
            std::fs::copy(&path, Path::new(&kept).join("compare-picture.png")).unwrap();
        }
        let image = image::load_from_memory(&bytes).unwrap().to_rgba8();
        assert_eq!(image.dimensions(), (2160, 1120));
        let ground = theme::LIGHT.surface.to_array();
        for half in [0..1080, 1080..2160] {
            let drawn = half.clone().flat_map(|x| (0..1120).map(move |y| (x, y)));
            let drawn = drawn
                .filter(|(x, y)| image.get_pixel(*x, *y).0 != ground)
                .count();
            assert!(drawn > 5_000, "{half:?} has {drawn} pixels");
        }
        // Dots of the series' colors, not only gray.
        let color = theme::LIGHT.series[1].to_array();
        assert!(image.pixels().any(|pixel| pixel.0 == color));
        let nowhere = folder.path().join("none/charts.png");
        assert!(save(&charts, &nowhere).is_err());
    }
}
