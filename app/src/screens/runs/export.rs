//! The dialog that writes a run's adapter for elsewhere.

use egui::Ui;
use stepladder_protocol::{ExportFormat, ExportReport};

use super::super::copy_icon;
use super::Actions;
use crate::state::runs::RunsAction;
use crate::state::runs::export::{Export, ExportAction, ExportStage};
use crate::state::runs::run::Run;
use crate::state::{Action, State};
use crate::text::visible;
use crate::theme::{Type, icons, space};
use crate::widgets::{
    Hint, Tone, banner, button, caption, dialog, field, focus_when_opened, icon_button,
    primary_button, progress, quiet_button, styled,
};
use crate::words::{hint, runs as words};

/// Draws it, if it is open.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let Some(export) = &state.runs.export else {
        return;
    };
    let Some(run) = state.runs.run(export.key) else {
        return;
    };
    let modal = dialog(ui, "exporting", 480.0, |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        ui.heading(styled(words::EXPORT_TITLE, Type::Heading));
        match &export.stage {
            ExportStage::Done(report) => done(ui, state, report, actions),
            stage => {
                question(ui, export, run, actions);
                if let ExportStage::Failed(problem) = stage {
                    let message = visible(&problem.message);
                    let hint = hint(&problem.code, &problem.hint);
                    banner(ui, Tone::Danger, &message, &hint, |_| {});
                }
                if let ExportStage::Writing(_, so_far) = stage {
                    let share = so_far.as_ref().map(|so_far| so_far.share());
                    progress(ui, words::EXPORTING, share);
                    caption(
                        ui,
                        so_far.as_ref().map_or_else(String::new, words::progress),
                    );
                }
                decision(ui, export, actions);
            }
        }
    });
    if modal.should_close() {
        actions.push(act(ExportAction::Close));
    }
}

fn act(action: ExportAction) -> Action {
    Action::Runs(RunsAction::Export(action))
}

fn question(ui: &mut Ui, export: &Export, run: &Run, actions: &mut Actions) {
    field(ui, words::EXPORT_FORMAT, Hint::Help(""), |ui| {
        for format in ExportFormat::ALL {
            let given = format.is_given_by(run.config.method);
            let chosen = given && export.format == format;
            let response =
                ui.add_enabled(given, egui::RadioButton::new(chosen, words::format(format)));
            if response.clicked() {
                actions.push(act(ExportAction::Format(format)));
            }
            caption(
                ui,
                match given {
                    true => words::purpose(format).to_owned(),
                    false => words::not_given(format, run.config.method),
                },
            );
        }
    });
    let goes_to = { export.out(run) }.map(|path| {
        let path = visible(&path.display().to_string());
        words::goes_to(&path)
    });
    let help = goes_to.unwrap_or_default();
    field(ui, words::EXPORT_FOLDER, Hint::Help(&help), |ui| {
        if button(ui, icons::FOLDER_OPEN, words::EXPORT_PICK).clicked() {
            actions.push(act(ExportAction::PickFolder));
        }
    });
}

fn decision(ui: &mut Ui, export: &Export, actions: &mut Actions) {
    ui.horizontal(|ui| {
        let label = match (&export.stage, &export.folder) {
            (ExportStage::Writing(..), _) => Err(words::EXPORTING),
            (_, None) => Err(words::EXPORT_NO_FOLDER),
            (_, Some(_)) => Ok(words::EXPORT_BEGIN),
        };
        if primary_button(ui, label, 0.0).clicked() {
            actions.push(act(ExportAction::Begin));
        }
        let cancel = quiet_button(ui, "", words::CANCEL);
        focus_when_opened(&cancel);
        if cancel.clicked() {
            actions.push(act(ExportAction::Close));
        }
    });
}

fn done(ui: &mut Ui, state: &State, report: &ExportReport, actions: &mut Actions) {
    let path = visible(&report.path);
    banner(ui, Tone::Success, words::EXPORTED, &path, |ui| {
        if button(ui, icons::FOLDER_OPEN, words::EXPORT_SHOW).clicked() {
            actions.push(Action::Show(report.path.clone().into()));
        }
    });
    for notice in &report.notices {
        caption(ui, visible(notice));
    }
    field(ui, words::EXPORT_USAGE, Hint::Help(""), |ui| {
        ui.horizontal(|ui| {
            let width = ui.available_width() - 44.0;
            ui.scope(|ui| {
                ui.set_max_width(width);
                let usage = styled(visible(&report.usage), Type::Code);
                ui.add(egui::Label::new(usage).wrap());
            });
            if icon_button(ui, copy_icon(state), words::COPY).clicked() {
                actions.push(Action::Copy(report.usage.clone()));
            }
        });
    });
    let close = button(ui, "", words::CLOSE);
    focus_when_opened(&close);
    if close.clicked() {
        actions.push(act(ExportAction::Close));
    }
}
