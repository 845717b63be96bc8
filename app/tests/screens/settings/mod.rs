//! The Settings page, control by control, the list of models, and what the settings change around the
//! page: theme and device chip.

mod device;
mod looks;
mod models;

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::state::settings::{Settings, ThemeChoice};
use stepladder::state::{Desk, Effect, News, Page, Picker};
use stepladder_protocol::{DeviceInfo, DeviceReport, Event, Finished, JobId};

use crate::support::{TestWindow, asked, hear, window_of};

pub type Window = Harness<'static, TestWindow>;

/// Where the program keeps what is its own.
pub const HOME: &str = "/home/user/.local/share/stepladder";

pub fn settings() -> Settings {
    Settings {
        data_folder: Some(HOME.into()),
        ..Settings::default()
    }
}

/// The whole page without scrolling.
pub fn page_of(settings: Settings) -> Window {
    let mut page = window_of(settings, egui::vec2(1280.0, 1500.0));
    page.step();
    press(&mut page, Role::Tab, "Settings");
    asked(&mut page);
    page
}

/// Presses what has this role and label.
pub fn press(page: &mut Window, role: Role, label: &str) {
    page.get_by_role_and_label(role, label).click();
    // A dialog or a menu takes its measure for a frame before it is shown.
    page.run_steps(3);
}

pub fn shows(page: &Window, words: &str) -> bool {
    page.query_all_by_label_contains(words).next().is_some()
}

pub fn device(id: &str, name: &str, cores: Option<usize>) -> DeviceInfo {
    DeviceInfo {
        id: id.to_owned(),
        name: name.to_owned(),
        cores,
        threads: 4,
        memory_total_bytes: 16 << 30,
        memory_free_bytes: 12 << 30,
        card: None,
    }
}

/// The looking worker tells what can compute here.
pub fn devices(page: &mut Window, devices: Vec<DeviceInfo>) {
    let report = DeviceReport {
        devices,
        notices: Vec::new(),
    };
    say(page, "device", Event::Finished(Finished::Devices(report)));
}

pub fn say(page: &mut Window, job: &str, event: Event) {
    hear(page, News::Event(Desk::Looking, event.of(&JobId::new(job))));
}

/// The settings as they were kept last.
fn kept(page: &mut Window) -> Option<Settings> {
    { asked(page).into_iter().rev() }.find_map(|effect| match effect {
        Effect::SaveSettings(settings) => Some(*settings),
        _ => None,
    })
}

/// Takes an entry of a menu.
fn choose(page: &mut Window, menu: &str, entry: &str) {
    press(page, Role::ComboBox, menu);
    press(page, Role::Button, entry);
}

#[test]
fn a_theme_is_chosen_applied_and_kept() {
    let mut page = page_of(settings());
    page.input_mut().system_theme = Some(egui::Theme::Dark);
    page.run_steps(2);
    for (label, choice, theme) in [
        ("Theme: Light", ThemeChoice::Light, egui::Theme::Light),
        ("Theme: Dark", ThemeChoice::Dark, egui::Theme::Dark),
        ("Theme: Light", ThemeChoice::Light, egui::Theme::Light),
        ("Theme: System", ThemeChoice::System, egui::Theme::Dark),
    ] {
        press(&mut page, Role::RadioButton, label);
        assert_eq!(kept(&mut page).unwrap().theme, choice);
        assert_eq!(page.ctx.theme(), theme, "{label}");
    }
    page.input_mut().system_theme = Some(egui::Theme::Light);
    page.run_steps(2);
    assert_eq!(page.ctx.theme(), egui::Theme::Light, "it follows");
}

#[test]
fn a_window_opens_in_its_theme() {
    for (choice, theme) in [
        (ThemeChoice::Light, egui::Theme::Light),
        (ThemeChoice::Dark, egui::Theme::Dark),
    ] {
        let page = page_of(Settings {
            theme: choice,
            ..settings()
        });
        assert_eq!(page.ctx.theme(), theme);
    }
}

#[test]
fn a_device_and_threads_are_chosen_and_kept() {
    let mut page = page_of(settings());
    let card = device("cuda:0", "RTX 4070", None);
    devices(&mut page, vec![card, device("cpu", "Ryzen", Some(4))]);
    asked(&mut page);
    choose(&mut page, "Device", "cuda:0 · RTX 4070");
    assert_eq!(kept(&mut page).unwrap().device, "cuda:0");
    choose(&mut page, "Device", "Auto");
    assert_eq!(kept(&mut page).unwrap().device, "auto");
    choose(&mut page, "Threads", "3");
    assert_eq!(kept(&mut page).unwrap().threads, Some(3));
    choose(&mut page, "Threads", "Every core");
    assert_eq!(kept(&mut page).unwrap().threads, None);
}

#[test]
fn offline_is_switched_on_and_off() {
    let mut page = page_of(settings());
    press(&mut page, Role::Switch, "Stay offline");
    assert!(kept(&mut page).unwrap().offline);
    press(&mut page, Role::Switch, "Stay offline");
    assert!(!kept(&mut page).unwrap().offline);
}

#[test]
fn the_folder_of_runs_is_changed_shown_and_put_back() {
    let mut page = page_of(settings());
    assert!(shows(&page, &format!("{HOME}/runs")));
    assert!(page.query_by_label("Use default").is_none());
    press(&mut page, Role::Button, "Show in folder");
    let shown = Effect::Show(format!("{HOME}/runs").into());
    assert!(asked(&mut page).contains(&shown));
    press(&mut page, Role::Button, "Change…");
    assert!(asked(&mut page).contains(&Effect::Pick(Picker::RunsFolder)));
    let picked = vec!["/disk/runs".into()];
    hear(&mut page, News::Picked(Picker::RunsFolder, picked));
    assert!(shows(&page, "/disk/runs"));
    let kept_then = kept(&mut page).unwrap();
    assert_eq!(kept_then.runs_folder, Some("/disk/runs".into()));
    press(&mut page, Role::Button, "Use default");
    assert_eq!(kept(&mut page).unwrap().runs_folder, None);
    assert!(shows(&page, &format!("{HOME}/runs")));
}

#[test]
fn folders_of_models_are_added_and_removed() {
    let mut page = page_of(settings());
    press(&mut page, Role::Button, "Add folder…");
    assert!(asked(&mut page).contains(&Effect::Pick(Picker::ModelsFolder)));
    let picked = vec!["/disk/models".into()];
    hear(&mut page, News::Picked(Picker::ModelsFolder, picked));
    let effects = asked(&mut page);
    let searches = |effect: &Effect| matches!(effect, Effect::Send(Desk::Looking, command) if matches!(**command, stepladder_protocol::Command::Models(_)));
    assert!(effects.iter().any(searches), "it is searched at once");
    assert_eq!(page.state().state().settings.models_folders.len(), 1);
    press(&mut page, Role::Button, "Remove /disk/models from the list");
    assert!(kept(&mut page).unwrap().models_folders.is_empty());
    assert!(!shows(&page, "/disk/models"));
}

#[test]
fn every_field_says_what_it_is_and_its_default() {
    use stepladder::words::settings as words;

    let page = page_of(settings());
    for (label, help) in [
        (words::THEME, words::THEME_HELP),
        (words::DEVICE, words::DEVICE_HELP),
        (words::THREADS, words::THREADS_HELP),
        (words::OFFLINE, words::OFFLINE_HELP),
        (words::RUNS_FOLDER, words::RUNS_FOLDER_HELP),
        (words::MODELS_FOLDERS, words::MODELS_FOLDERS_HELP),
    ] {
        assert!(shows(&page, label), "{label}");
        let height = page.get_by_label(help).rect().height();
        assert!(height < 24.0, "{help} takes more than a line: {height}");
    }
}

#[test]
fn paths_of_any_kind_lie_within_the_window_and_steer_nothing() {
    let evil = format!("/disk/\u{202e}\u{1b}[2J{}", "long".repeat(100));
    let settings = Settings {
        runs_folder: Some(evil.clone().into()),
        models_folders: vec![evil.into()],
        device: "cuda:9\u{202e}".to_owned(),
        ..settings()
    };
    let mut page = window_of(settings, egui::vec2(1024.0, 700.0));
    page.step();
    press(&mut page, Role::Tab, "Settings");
    assert_eq!(page.state().state().page, Page::Settings);
    for node in page.get_all_by(|node| node.label().is_some()) {
        let label = node.accesskit_node().label().unwrap_or_default();
        assert!(!label.contains(['\u{202e}', '\u{1b}']), "{label:?}");
        let rect = node.rect();
        // Nodes end where they are clipped: nothing reaches into the page's margin.
        assert!(rect.right() <= 1024.0 - 23.5, "{label:?} {rect:?}");
    }
}
