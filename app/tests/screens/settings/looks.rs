//! Pictures of the Settings page in both themes. With `STEPLADDER_LOOKS=FOLDER` they are kept.

use stepladder::state::settings::{Settings, ThemeChoice};
use stepladder_protocol::ModelSource;

use super::models::{found, model, three};
use super::{Role, device, devices, press, settings};
use crate::fine_tune::looks::keep;
use crate::support::window_of;

#[test]
fn every_state_can_be_drawn() {
    for (theme, mark, size) in [
        (ThemeChoice::Light, "light", egui::vec2(1280.0, 1100.0)),
        (ThemeChoice::Dark, "dark", egui::vec2(1024.0, 1160.0)),
    ] {
        let settings = Settings {
            theme,
            models_folders: vec![
                "/disk/models".into(),
                format!("/disk/{}", "a long name ".repeat(20)).into(),
            ],
            ..settings()
        };
        let mut page = window_of(settings, size);
        page.step();
        press(&mut page, Role::Tab, "Settings");
        let card = device("cuda:0", "NVIDIA GeForce RTX 4070", None);
        devices(&mut page, vec![card, device("cpu", "AMD Ryzen 7", Some(8))]);
        let mut models = three();
        let long = "HuggingFaceTB/a-very-long-name-of-a-model-that-goes-on-and-on-Instruct";
        models.push(model(long, ModelSource::HuggingFace));
        found(&mut page, models);
        keep(&mut page, &format!("settings-{mark}"));
        press(&mut page, Role::Button, "Move mine to the bin");
        keep(&mut page, &format!("settings-delete-{mark}"));
    }
}
