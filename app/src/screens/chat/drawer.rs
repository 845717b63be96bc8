//! What the model is asked with besides the question: instructions above the conversation, and how
//! replies are drawn.

use egui::{Margin, ScrollArea, TextEdit, Ui, WidgetInfo};

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::chat::ChatAction;
use crate::state::chat::sampling::SamplerField;
use crate::theme::{Type, icons, space};
use crate::widgets::{Hint, caption, field, follow_focus, number_field, quiet_button, styled};
use crate::words::chat as words;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    ScrollArea::vertical()
        .id_salt("drawer")
        .auto_shrink(false)
        .show(ui, |ui| {
            // The scroll bar floats over what is right of the fields.
            ui.set_width(ui.available_width() - space::L);
            ui.spacing_mut().item_spacing.y = space::M;
            ui.add_space(space::XS);
            instructions(ui, state, actions);
            ui.separator();
            ui.heading(styled(words::SAMPLING, Type::Heading));
            caption(ui, words::SAMPLING_HELP);
            for which in SamplerField::ALL {
                sampler(ui, state, which, actions);
            }
            if state.chat.sampling.is_changed()
                && quiet_button(ui, icons::RESET, words::AS_RECOMMENDED).clicked()
            {
                act(actions, ChatAction::AsRecommended);
            }
            follow_focus(ui);
        });
}

fn instructions(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let kept = &state.chat.conversation.system;
    ui.heading(styled(words::SYSTEM, Type::Heading));
    let mut typed = kept.clone();
    let response = ui.add(
        TextEdit::multiline(&mut typed)
            .desired_rows(4)
            .desired_width(ui.available_width() - 2.0 * space::S)
            .margin(Margin::same(space::S as i8)),
    );
    let shown = typed.clone();
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, &shown, &shown, "");
        info.label = Some(words::SYSTEM.to_owned());
        info
    });
    if typed != *kept {
        act(actions, ChatAction::System(typed));
    }
    caption(ui, words::SYSTEM_HELP);
}

fn sampler(ui: &mut Ui, state: &State, which: SamplerField, actions: &mut Actions) {
    let sampling = &state.chat.sampling;
    let wrong = sampling.wrong(which).map(words::sampler_wrong);
    let help = words::sampler_help(which);
    let hint = match &wrong {
        Some(problem) => Hint::ProblemAndHelp(problem, help),
        None => Hint::Help(help),
    };
    let label = words::sampler_label(which);
    field(ui, label, hint, |ui| {
        let width = ui.available_width() - 2.0 * space::S;
        let (text, default) = (sampling.text(which), words::sampler_empty(which));
        if let Some(text) = number_field(ui, label, text, default, width) {
            act(actions, ChatAction::Sample(which, text));
        }
    });
}
