//! The device chip, whatever page is open.

use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::state::News;
use stepladder::state::settings::Settings;
use stepladder_protocol::{CardInfo, ErrorReport, Event};

use super::{Role, Window, device, devices, page_of, say, settings};
use crate::support::hear;

/// What the chip says.
fn chip(page: &Window) -> String {
    let node = page.get_by_role(Role::Status);
    node.accesskit_node().label().unwrap_or_default()
}

fn chosen(device: &str) -> Window {
    page_of(Settings {
        device: device.to_owned(),
        ..settings()
    })
}

#[test]
fn it_shows_the_processor_and_its_memory() {
    let mut page = chosen("auto");
    assert_eq!(chip(&page), "Looking for devices…");
    devices(&mut page, vec![device("cpu", "Ryzen 7", Some(8))]);
    assert_eq!(chip(&page), "Ryzen 7, 12.0 GiB free of 16.0 GiB");
}

#[test]
fn it_shows_the_device_that_the_settings_name() {
    let cards = || {
        vec![
            device("cuda:0", "RTX 4070", None),
            device("cuda:1", "RTX 3060", None),
            device("cpu", "Ryzen 7", Some(8)),
        ]
    };
    for (asked, name) in [
        ("auto", "RTX 4070"),
        ("cuda", "RTX 4070"),
        ("cuda:1", "RTX 3060"),
        ("cpu", "Ryzen 7"),
    ] {
        let mut page = chosen(asked);
        devices(&mut page, cards());
        assert!(chip(&page).starts_with(name), "{asked}: {}", chip(&page));
    }
}

#[test]
fn it_follows_another_choice() {
    let mut page = chosen("auto");
    let card = device("cuda:0", "RTX 4070", None);
    devices(&mut page, vec![card, device("cpu", "Ryzen 7", Some(8))]);
    super::choose(&mut page, "Device", "cpu · Ryzen 7");
    assert!(chip(&page).starts_with("Ryzen 7"), "{}", chip(&page));
}

#[test]
fn a_device_that_is_not_here_is_named() {
    let mut page = chosen("cuda:3\u{202e}");
    devices(&mut page, vec![device("cpu", "Ryzen 7", Some(8))]);
    let said = chip(&page);
    assert!(
        said.starts_with("cuda:3") && said.ends_with("is not here"),
        "{said}"
    );
    assert!(!said.contains('\u{202e}'));
}

#[test]
fn no_device_and_no_answer_are_said() {
    let mut page = chosen("auto");
    devices(&mut page, Vec::new());
    assert_eq!(chip(&page), "No device");
    let mut page = chosen("auto");
    let problem = ErrorReport::new("worker_start", "the worker cannot be started", "try again");
    say(&mut page, "device", Event::Failed(problem));
    assert_eq!(chip(&page), "No device");
}

#[test]
fn cards_that_do_not_compute_are_left_out_and_the_reason_is_said() {
    let mut page = chosen("auto");
    let both = || {
        let mut card = device("cuda:0", "RTX 4070", None);
        card.card = Some(CardInfo {
            compute_capability: "8.9".to_owned(),
            driver: Some("580.65".to_owned()),
            cuda: "13.0".to_owned(),
            other_programs_bytes: 1 << 30,
            other_programs: Vec::new(),
        });
        vec![card, device("cpu", "Ryzen 7", Some(8))]
    };
    devices(&mut page, both());
    assert_eq!(chip(&page), "RTX 4070, 12.0 GiB free of 16.0 GiB");
    let reason = "stepladder-cuda is of another build";
    hear(&mut page, News::CardsRefused(reason.to_owned()));
    assert!(super::shows(
        &page,
        &format!("Computing on the processor: {reason}.")
    ));
    assert!(chip(&page).starts_with("Ryzen 7"), "{}", chip(&page));
    devices(&mut page, both());
    assert!(chip(&page).starts_with("Ryzen 7"), "{}", chip(&page));
}
