//! One of several: side by side, in a menu, or on and off.

use egui::style::WidgetVisuals;
use egui::{
    Align2, Button, ComboBox, CornerRadius, Frame, Margin, Rect, Response, Role, Sense, Stroke, Ui,
    WidgetInfo, vec2,
};

use super::focus::{follow_focus, ring_radius};
use super::styled;
use crate::theme::{CONTROL_RADIUS, Type, icons, palette};

/// Menus of more than this are scrolled.
const MENU_HEIGHT: f32 = 360.0;

/// A thing that can be chosen.
#[derive(Clone, Debug)]
pub struct Choice<T> {
    /// What is chosen.
    pub value: T,
    /// Its name.
    pub label: String,
    /// What it means, under the pointer; may be empty.
    pub help: String,
}

impl<T> Choice<T> {
    /// A choice without help.
    pub fn new(value: T, label: impl Into<String>) -> Self {
        Self {
            value,
            label: label.into(),
            help: String::new(),
        }
    }

    /// The same with help.
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }
}

/// All choices side by side; gives the one that was pressed if it is another than `current`.
pub fn segmented<T: PartialEq + Clone>(
    ui: &mut Ui,
    label: &str,
    current: &T,
    choices: &[Choice<T>],
) -> Option<T> {
    let palette = palette(ui);
    let mut chosen = None;
    Frame::NONE
        .fill(palette.sunken)
        .stroke(Stroke::new(1.0, palette.border))
        .corner_radius(CornerRadius::same(CONTROL_RADIUS + 2))
        .inner_margin(Margin::same(2))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                for choice in choices {
                    let selected = choice.value == *current;
                    let (fill, color) = match selected {
                        true => (palette.accent_soft, palette.text),
                        false => (egui::Color32::TRANSPARENT, palette.muted),
                    };
                    let button = Button::new(styled(&choice.label, Type::Strong).color(color))
                        .fill(fill)
                        .stroke(match selected {
                            true => Stroke::new(1.0, palette.accent),
                            false => Stroke::NONE,
                        })
                        .min_size(vec2(0.0, 26.0));
                    let mut response = ui.add(button);
                    if !choice.help.is_empty() {
                        response = response.on_hover_text(&choice.help);
                    }
                    response.widget_info(|| {
                        let name = format!("{label}: {}", choice.label);
                        WidgetInfo::selected(Role::RadioButton, true, selected, name)
                    });
                    if response.clicked() && !selected {
                        chosen = Some(choice.value.clone());
                    }
                }
            });
        });
    chosen
}

/// The choices in a menu; gives the one that was pressed if it is another than `current`.
pub fn dropdown<T: PartialEq + Clone>(
    ui: &mut Ui,
    label: &str,
    current: &T,
    choices: &[Choice<T>],
    width: f32,
) -> Option<T> {
    let mut chosen = None;
    let shown = { choices.iter() }
        .find(|choice| choice.value == *current)
        .map_or("", |choice| choice.label.as_str());
    let response = ComboBox::from_id_salt(label)
        .width(width)
        .truncate()
        .icon(chevron)
        .height(MENU_HEIGHT)
        .selected_text(shown)
        .show_ui(ui, |ui| {
            for choice in choices {
                let selected = choice.value == *current;
                let mut response = ui.selectable_label(selected, &choice.label);
                if !choice.help.is_empty() {
                    response = response.on_hover_text(&choice.help);
                }
                if response.clicked() {
                    // A key presses it without closing the menu.
                    ui.close();
                    if !selected {
                        chosen = Some(choice.value.clone());
                    }
                }
            }
            follow_focus(ui);
        })
        .response;
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, label);
        info.current_text_value = Some(shown.to_owned());
        info
    });
    chosen
}

fn chevron(ui: &Ui, rect: Rect, _visuals: &WidgetVisuals, _is_open: bool) {
    let font = Type::Body.style().resolve(ui.style());
    let color = palette(ui).muted;
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        icons::DOWN,
        font,
        color,
    );
}

/// On and off; gives the new state if it was pressed.
pub fn switch(ui: &mut Ui, label: &str, on: bool) -> Option<bool> {
    let palette = palette(ui);
    let size = vec2(36.0, 20.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Switch, ui.is_enabled(), on, label));
    if ui.is_rect_visible(rect) {
        let how_on = ui.ctx().animate_bool_responsive(response.id, on);
        let track = if on {
            palette.accent
        } else {
            palette.border_strong
        };
        let radius = rect.height() / 2.0;
        ui.painter().rect_filled(rect, radius, track);
        ring_radius(&response, radius as u8);
        let x = egui::lerp(rect.left() + radius..=rect.right() - radius, how_on);
        let knob = egui::pos2(x, rect.center().y);
        ui.painter()
            .circle_filled(knob, radius - 3.0, palette.surface);
    }
    on_click(&response).then_some(!on)
}

fn on_click(response: &Response) -> bool {
    response.clicked()
}
