//! The window's colors, by what they are for; the only file that names one.

use egui::Color32;

/// The colors of one theme.
#[derive(Debug)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// Behind the rail.
    pub rail: Color32,
    /// Of cards.
    pub surface: Color32,
    /// Of what lies on a card: fields, wells, table headers.
    pub sunken: Color32,
    /// Of what floats: menus, hints, dialogs.
    pub raised: Color32,
    /// Of what the pointer is on.
    pub hover: Color32,
    /// Lines between things.
    pub border: Color32,
    /// Lines around what can be changed.
    pub border_strong: Color32,
    /// What is read first.
    pub text: Color32,
    /// What explains.
    pub muted: Color32,
    /// What is there if one looks for it; still readable.
    pub faint: Color32,
    /// The one thing to press, and what is chosen.
    pub accent: Color32,
    /// The same under the pointer.
    pub accent_hover: Color32,
    /// Text on it.
    pub on_accent: Color32,
    /// A tint of it, behind what is chosen.
    pub accent_soft: Color32,
    /// It fits, it is done.
    pub success: Color32,
    /// A tint of it.
    pub success_soft: Color32,
    /// It is tight, it is paused.
    pub warning: Color32,
    /// A tint of it.
    pub warning_soft: Color32,
    /// It does not fit, it failed.
    pub danger: Color32,
    /// A tint of it.
    pub danger_soft: Color32,
    /// Behind tokens that are trained on.
    pub trained_soft: Color32,
    /// Behind tokens that are cut off.
    pub cut_soft: Color32,
    /// Curves that lie over each other.
    pub series: [Color32; 8],
    /// Parts of a memory bar, in `MemoryParts::named`'s order.
    pub parts: [Color32; 7],
    /// Other programs' part of the memory.
    pub others: Color32,
}

const fn hex(rgb: u32) -> Color32 {
    Color32::from_rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

/// By day.
pub static LIGHT: Palette = Palette {
    background: hex(0xF4F5F6),
    rail: hex(0xEAECEE),
    surface: hex(0xFFFFFF),
    sunken: hex(0xF7F8F9),
    raised: hex(0xFFFFFF),
    hover: hex(0xEDF0F2),
    border: hex(0xDFE3E7),
    border_strong: hex(0xBEC6CD),
    text: hex(0x171A1D),
    muted: hex(0x4B545D),
    faint: hex(0x5F6973),
    accent: hex(0x0F766E),
    accent_hover: hex(0x0B5F59),
    on_accent: hex(0xFFFFFF),
    accent_soft: hex(0xDDF1EE),
    success: hex(0x14713A),
    success_soft: hex(0xDFF3E5),
    warning: hex(0x934A08),
    warning_soft: hex(0xFCEFD9),
    danger: hex(0xB42318),
    danger_soft: hex(0xFCE7E5),
    trained_soft: hex(0xCBEBE5),
    cut_soft: hex(0xF9D9D5),
    series: [
        hex(0x0F766E),
        hex(0xC2570C),
        hex(0x2563EB),
        hex(0x7C3AED),
        hex(0xBE185D),
        hex(0x4D7C0F),
        hex(0x92400E),
        hex(0x475569),
    ],
    parts: [
        hex(0x4A5A70),
        hex(0x0F766E),
        hex(0x18A597),
        hex(0x74CFC3),
        hex(0xD9701F),
        hex(0xF0B357),
        hex(0xA3ACB5),
    ],
    others: hex(0xCBD2D8),
};

/// By night.
pub static DARK: Palette = Palette {
    background: hex(0x111417),
    rail: hex(0x0B0D0F),
    surface: hex(0x191D21),
    sunken: hex(0x13171A),
    raised: hex(0x22282D),
    hover: hex(0x262C32),
    border: hex(0x2A3036),
    border_strong: hex(0x47515A),
    text: hex(0xE9ECEF),
    muted: hex(0xAEB7C0),
    faint: hex(0x929CA6),
    accent: hex(0x2CC5B0),
    accent_hover: hex(0x52D8C6),
    on_accent: hex(0x04201D),
    accent_soft: hex(0x12332F),
    success: hex(0x5AD68C),
    success_soft: hex(0x13301F),
    warning: hex(0xF5B942),
    warning_soft: hex(0x362A10),
    danger: hex(0xF98B80),
    danger_soft: hex(0x3C1B19),
    trained_soft: hex(0x17463F),
    cut_soft: hex(0x4B2422),
    series: [
        hex(0x2CC5B0),
        hex(0xFB923C),
        hex(0x6BA6FA),
        hex(0xA78BFA),
        hex(0xF472B6),
        hex(0xA3E635),
        hex(0xD6A06A),
        hex(0x94A3B8),
    ],
    parts: [
        hex(0x7488A3),
        hex(0x2CC5B0),
        hex(0x1F9C8D),
        hex(0x176F65),
        hex(0xF08A3C),
        hex(0xB4762B),
        hex(0x57616A),
    ],
    others: hex(0x3A4249),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(color: Color32) -> f64 {
        let linear = |channel: u8| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_wherever_it_stands() {
        for palette in [&LIGHT, &DARK] {
            let grounds = [
                palette.background,
                palette.rail,
                palette.surface,
                palette.sunken,
                palette.raised,
                palette.hover,
            ];
            for ground in grounds {
                for text in [palette.text, palette.muted, palette.faint] {
                    assert!(contrast(text, ground) >= 4.5, "{text:?} on {ground:?}");
                }
            }
            for (text, ground) in [
                (palette.on_accent, palette.accent),
                (palette.on_accent, palette.accent_hover),
                (palette.accent, palette.surface),
                (palette.accent, palette.accent_soft),
                (palette.text, palette.accent_soft),
                (palette.success, palette.success_soft),
                (palette.success, palette.surface),
                (palette.warning, palette.warning_soft),
                (palette.warning, palette.surface),
                (palette.danger, palette.danger_soft),
                (palette.danger, palette.surface),
                (palette.text, palette.trained_soft),
                (palette.text, palette.cut_soft),
                (palette.text, palette.warning_soft),
                (palette.text, palette.danger_soft),
                (palette.text, palette.success_soft),
            ] {
                let found = contrast(text, ground);
                assert!(found >= 4.5, "{text:?} on {ground:?}: {found:.2}");
            }
        }
    }

    #[test]
    fn the_ring_around_what_has_the_keyboard_stands_out() {
        for palette in [&LIGHT, &DARK] {
            for ground in [
                palette.background,
                palette.rail,
                palette.surface,
                palette.sunken,
                palette.raised,
                palette.accent_soft,
            ] {
                let found = contrast(palette.accent, ground);
                assert!(found >= 3.0, "on {ground:?}: {found:.2}");
            }
        }
    }

    #[test]
    fn curves_and_bars_stand_out() {
        for palette in [&LIGHT, &DARK] {
            for color in palette.series {
                let found = contrast(color, palette.surface);
                assert!(found >= 3.0, "{color:?}: {found:.2}");
            }
        }
    }
}
