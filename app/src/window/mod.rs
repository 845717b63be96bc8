//! The window: a frame around [`State`]. `logic` brings news in and effects out, and runs even while
//! the window is hidden; `ui` draws the state and collects what the user did.

mod options;

pub use options::native as native_options;

use std::sync::Arc;
use std::time::Duration;

use eframe::{CreationContext, Frame};
use egui::{Context, OpenUrl, ThemePreference, Ui, ViewportCommand};

use crate::outside::{Desktop, Outside, Urgency, Wake, unix_secs};
use crate::state::settings::ThemeChoice;
use crate::state::{Action, Effect, News, State};
use crate::{data_folder, disk, screens, theme, words};

const AT_ONCE: Duration = Duration::from_millis(1);

/// The window and all that it knows.
pub struct Window<O: Outside> {
    state: State,
    outside: O,
    /// Whether it may close without being asked again.
    closing: bool,
    theme: Option<ThemeChoice>,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// When the system gives no window.
pub fn open() -> eframe::Result {
    eframe::run_native(
        words::PROGRAM,
        options::native(),
        Box::new(|creation| Ok(Box::new(Window::on_desktop(creation)?))),
    )
}

/// Has the window drawn when news has come, as soon as that is to be seen.
pub fn wake(creation: &CreationContext<'_>) -> Wake {
    let context = creation.egui_ctx.clone();
    let every = options::refresh(creation);
    Arc::new(move |urgency| {
        // Once: asked for without a delay, egui draws twice.
        context.request_repaint_after(match urgency {
            Urgency::Now => AT_ONCE,
            Urgency::Soon => every,
        });
    })
}

impl Window<Desktop> {
    /// With real workers and the real disk.
    fn on_desktop(creation: &CreationContext<'_>) -> std::io::Result<Self> {
        let folder = data_folder::data_folder();
        let (settings, notice) = disk::settings::load(folder.as_deref());
        let outside = Desktop::new(settings.clone(), wake(creation))?;
        let mut window = Self::new(
            &creation.egui_ctx,
            State::new(settings, unix_secs()),
            outside,
        );
        if let Some(notice) = notice {
            window.state.hear(News::Notice(notice));
        }
        Ok(window)
    }
}

impl<O: Outside> Window<O> {
    /// Any state before any outside.
    pub fn new(context: &Context, state: State, outside: O) -> Self {
        theme::install(context);
        Self {
            state,
            outside,
            closing: false,
            theme: None,
        }
    }

    /// What it knows.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it is connected to.
    pub fn outside(&mut self) -> &mut O {
        &mut self.outside
    }

    /// Does what the user could have done.
    pub fn act(&mut self, action: Action) {
        self.state.act(action);
    }

    /// Brings in what has come and hands out what is asked.
    pub fn logic(&mut self, context: &Context) {
        if self.theme != Some(self.state.settings.theme) {
            self.theme = Some(self.state.settings.theme);
            context.set_theme(match self.state.settings.theme {
                ThemeChoice::System => ThemePreference::System,
                ThemeChoice::Light => ThemePreference::Light,
                ThemeChoice::Dark => ThemePreference::Dark,
            });
        }
        // News is of now, not of when the window was drawn last.
        let now = self.outside.now();
        self.state.now = now;
        while let Some(news) = self.outside.next() {
            self.state.hear(news);
        }
        self.state.tick(now);
        self.hand_out(context);
        let due = self.state.next_tick_secs().max(0.05);
        context.request_repaint_after(Duration::from_secs_f64(due));
    }

    fn hand_out(&mut self, context: &Context) {
        for effect in self.state.take_effects() {
            match effect {
                Effect::CloseWindow => {
                    self.closing = true;
                    // Workers take a moment to end, during which nobody should look at a still window.
                    context.send_viewport_cmd(ViewportCommand::Visible(false));
                    context.send_viewport_cmd(ViewportCommand::Close);
                }
                Effect::ToFront => {
                    context.send_viewport_cmd(ViewportCommand::Minimized(false));
                    context.send_viewport_cmd(ViewportCommand::Focus);
                }
                Effect::Minimize => {
                    context.send_viewport_cmd(ViewportCommand::Minimized(true));
                }
                Effect::Copy(text) => context.copy_text(text),
                Effect::OpenLink(target) => context.open_url(OpenUrl::new_tab(target)),
                effect => self.outside.perform(effect),
            }
        }
    }

    /// Draws the state and takes what the user did.
    pub fn ui(&mut self, ui: &mut Ui) {
        let mut actions: Vec<Action> = Vec::new();
        screens::show(ui, &self.state, &mut actions);
        if let Some(news) = dropped(ui.ctx()) {
            self.state.hear(news);
        }
        if !actions.is_empty() {
            // What they change is drawn in the next frame, and what they ask is due after it.
            ui.ctx().request_repaint();
        }
        for action in actions {
            self.state.act(action);
        }
        self.hand_out(ui.ctx());
    }

    fn close_asked(&mut self, context: &Context) {
        let asked = context.input(|input| input.viewport().close_requested());
        if asked && !self.closing {
            context.send_viewport_cmd(ViewportCommand::CancelClose);
            self.state.hear(News::CloseAsked);
            self.hand_out(context);
        }
    }
}

impl<O: Outside> eframe::App for Window<O> {
    fn logic(&mut self, context: &Context, _frame: &mut Frame) {
        Window::logic(self, context);
        self.close_asked(context);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        Window::ui(self, ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

fn dropped(context: &Context) -> Option<News> {
    let paths: Vec<_> = context.input(|input| {
        { input.raw.dropped_files.iter() }
            .map(|file| file.path().to_path_buf())
            .collect()
    });
    (!paths.is_empty()).then_some(News::Dropped(paths))
}
