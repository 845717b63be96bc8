//! How the window looks: colors by purpose, sizes of text, distances, fonts and icons. Screens and
//! widgets take all of them from here.

pub mod icons;
pub mod size;

mod fonts;
mod palette;
mod type_scale;

use egui::style::{Selection, WidgetVisuals, Widgets};
use egui::{Context, CornerRadius, Margin, Shadow, Stroke, Style, Theme, Ui, Vec2, Visuals, vec2};

pub use palette::{DARK, LIGHT, Palette};
pub use type_scale::Type;

/// Distances, in points.
pub mod space {
    /// Between an icon and its text.
    pub const XS: f32 = 4.0;
    /// Between things that belong together.
    pub const S: f32 = 8.0;
    /// Between fields.
    pub const M: f32 = 12.0;
    /// Inside cards.
    pub const L: f32 = 16.0;
    /// Around pages.
    pub const XL: f32 = 24.0;
    /// Around what stands alone.
    pub const XXL: f32 = 40.0;
}

/// Rounding of cards.
pub const CARD_RADIUS: u8 = 10;
/// Rounding of what is pressed or filled in.
pub const CONTROL_RADIUS: u8 = 6;
/// Height of what is pressed or filled in.
pub const CONTROL_HEIGHT: f32 = 30.0;
/// Rounding of what is larger than a control and smaller than a card: entries, rows, the one button.
pub const ROW_RADIUS: u8 = 8;
/// Between a control and the ring around it that says where the keyboard is.
pub const FOCUS_GAP: f32 = 1.0;
/// The width of that ring.
pub const FOCUS_WIDTH: f32 = 2.0;

/// The colors in use.
pub fn palette(ui: &Ui) -> &'static Palette {
    of_visuals(ui.visuals())
}

/// The same where no `Ui` is at hand.
pub fn of_visuals(visuals: &Visuals) -> &'static Palette {
    if visuals.dark_mode { &DARK } else { &LIGHT }
}

/// Gives a context our fonts and both themes.
pub fn install(context: &Context) {
    fonts::install(context);
    context.set_style_of(Theme::Light, style(&LIGHT, Visuals::light()));
    context.set_style_of(Theme::Dark, style(&DARK, Visuals::dark()));
}

fn style(palette: &Palette, base: Visuals) -> Style {
    let mut style = Style {
        text_styles: type_scale::text_styles(),
        drag_value_text_style: Type::Body.style(),
        visuals: visuals(palette, base),
        animation_time: 0.1,
        ..Style::default()
    };
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(space::S, space::S);
    spacing.button_padding = vec2(12.0, 6.0);
    spacing.interact_size = Vec2::new(40.0, CONTROL_HEIGHT);
    spacing.menu_margin = Margin::same(6);
    spacing.icon_width = 18.0;
    spacing.icon_width_inner = 10.0;
    spacing.icon_spacing = 6.0;
    spacing.combo_width = 140.0;
    spacing.tooltip_width = 380.0;
    spacing.scroll.bar_width = 8.0;
    spacing.scroll.floating = true;
    style
}

fn visuals(palette: &Palette, base: Visuals) -> Visuals {
    let radius = CornerRadius::same(CONTROL_RADIUS);
    let widget = |fill, border, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let shadow = Shadow {
        offset: [0, 6],
        blur: 24,
        spread: 0,
        color: egui::Color32::from_black_alpha(if base.dark_mode { 110 } else { 38 }),
    };
    Visuals {
        widgets: Widgets {
            noninteractive: widget(palette.surface, palette.border, palette.text),
            inactive: widget(palette.surface, palette.border_strong, palette.text),
            hovered: widget(palette.hover, palette.border_strong, palette.text),
            active: widget(palette.accent_soft, palette.accent, palette.text),
            open: widget(palette.hover, palette.accent, palette.text),
        },
        selection: Selection {
            bg_fill: palette.accent_soft,
            stroke: Stroke::new(1.0, palette.accent),
        },
        weak_text_color: Some(palette.muted),
        hyperlink_color: palette.accent,
        faint_bg_color: palette.sunken,
        extreme_bg_color: palette.sunken,
        text_edit_bg_color: Some(palette.sunken),
        code_bg_color: palette.sunken,
        warn_fg_color: palette.warning,
        error_fg_color: palette.danger,
        window_corner_radius: CornerRadius::same(CARD_RADIUS),
        window_shadow: shadow,
        popup_shadow: shadow,
        window_fill: palette.raised,
        window_stroke: Stroke::new(1.0, palette.border),
        menu_corner_radius: CornerRadius::same(ROW_RADIUS),
        panel_fill: palette.background,
        slider_trailing_fill: true,
        striped: false,
        ..base
    }
}
