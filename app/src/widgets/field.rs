//! A field: its name, one line of help, the control, and what is wrong with it.

use egui::{Response, Role, TextEdit, Ui, WidgetInfo};

use super::{caption, styled};
use crate::theme::{CONTROL_HEIGHT, Type, palette, space};

/// The lines under a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint<'a> {
    /// What it is, and its default.
    Help(&'a str),
    /// What is wrong with it.
    Problem(&'a str),
    /// Both: what is wrong, and what it is.
    ProblemAndHelp(&'a str, &'a str),
}

/// A field with a control of any kind.
pub fn field<R>(ui: &mut Ui, label: &str, hint: Hint<'_>, control: impl FnOnce(&mut Ui) -> R) -> R {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        ui.label(styled(label, Type::Strong));
        let inner = control(ui);
        let (problem, help) = match hint {
            Hint::Help(help) => ("", help),
            Hint::Problem(problem) => (problem, ""),
            Hint::ProblemAndHelp(problem, help) => (problem, help),
        };
        if !problem.is_empty() {
            let color = palette(ui).danger;
            ui.label(styled(problem, Type::Caption).color(color));
        }
        if !help.is_empty() {
            caption(ui, help);
        }
        inner
    })
    .inner
}

/// One line of text; `empty` stands there while there is none. Changed text is in `text`.
pub fn text_field(
    ui: &mut Ui,
    label: &str,
    text: &mut String,
    empty: &str,
    width: f32,
) -> Response {
    let height = (CONTROL_HEIGHT - 17.0) / 2.0;
    let response = ui.add(
        TextEdit::singleline(text)
            .hint_text(empty)
            .desired_width(width)
            .margin(egui::Margin::symmetric(8, height as i8)),
    );
    let content = text.clone();
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, content.clone(), content.clone(), empty);
        info.role = Role::TextInput;
        info.label = Some(label.to_owned());
        info
    });
    response
}

/// A number as text, empty for the default, which stands there in gray. Gives what was typed when it
/// changes: the caller keeps the text, so that half a number can stand there while it is typed.
pub fn number_field(
    ui: &mut Ui,
    label: &str,
    text: &str,
    default: &str,
    width: f32,
) -> Option<String> {
    let mut typed = text.to_owned();
    let response = text_field(ui, label, &mut typed, default, width);
    (response.changed() && typed != text).then_some(typed)
}
