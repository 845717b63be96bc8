//! The fonts that come with the program: Inter, JetBrains Mono and Lucide's icons. What they lack,
//! the system's fonts have.

use std::sync::Arc;

use egui::{Context, FontData, FontDefinitions, FontFamily};

use super::type_scale::{MEDIUM, SEMIBOLD};

/// Installs them.
pub fn install(context: &Context) {
    context.set_fonts(definitions());
}

fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let files: [(&str, &'static [u8]); 5] = [
        (
            "Inter",
            include_bytes!("../../../assets/fonts/Inter-Regular.ttf"),
        ),
        (
            "Inter Medium",
            include_bytes!("../../../assets/fonts/Inter-Medium.ttf"),
        ),
        (
            "Inter SemiBold",
            include_bytes!("../../../assets/fonts/Inter-SemiBold.ttf"),
        ),
        (
            "JetBrains Mono",
            include_bytes!("../../../assets/fonts/JetBrainsMono-Regular.ttf"),
        ),
        ("Lucide", include_bytes!("../../../assets/fonts/Lucide.ttf")),
    ];
    for (name, bytes) in files {
        let data = FontData::from_static(bytes);
        // Lucide draws its icons around the middle of the line; text sits on the baseline.
        let data = if name == "Lucide" {
            data.tweak(icon_tweak())
        } else {
            data
        };
        fonts.font_data.insert(name.to_owned(), Arc::new(data));
    }
    // egui's own fonts stay behind ours: they have symbols and emoji.
    let fallback = |family: &FontFamily| fonts.families.get(family).cloned().unwrap_or_default();
    let (proportional, monospace) = (
        fallback(&FontFamily::Proportional),
        fallback(&FontFamily::Monospace),
    );
    for (family, first, rest) in [
        (FontFamily::Proportional, "Inter", &proportional),
        (
            FontFamily::Name(MEDIUM.into()),
            "Inter Medium",
            &proportional,
        ),
        (
            FontFamily::Name(SEMIBOLD.into()),
            "Inter SemiBold",
            &proportional,
        ),
        (FontFamily::Monospace, "JetBrains Mono", &monospace),
    ] {
        let mut names = vec![first.to_owned(), "Lucide".to_owned()];
        names.extend(rest.iter().cloned());
        fonts.families.insert(family, names);
    }
    fonts
}

fn icon_tweak() -> egui::FontTweak {
    egui::FontTweak {
        scale: 1.16,
        y_offset_factor: 0.085,
        ..Default::default()
    }
}
