//! Rail, device chip, notices, theme.

use egui_kittest::kittest::Queryable;
use stepladder::state::{News, Page};

use crate::support::{hear, window};

#[test]
fn the_rail_leads_to_each_page() {
    let mut harness = window();
    for (name, page) in [
        ("Runs", Page::Runs),
        ("Compare", Page::Compare),
        ("Chat", Page::Chat),
        ("Settings", Page::Settings),
        ("Fine-tune", Page::FineTune),
    ] {
        harness
            .get_by_role_and_label(egui::accesskit::Role::Tab, name)
            .click();
        harness.step();
        assert_eq!(harness.state().state().page, page);
    }
}

#[test]
fn a_notice_stays_until_it_is_dismissed() {
    let mut harness = window();
    hear(&mut harness, News::Notice("The disk is full.".to_owned()));
    harness.get_by_label_contains("The disk is full.");
    harness.get_by_label("Dismiss").click();
    harness.step();
    harness.step();
    assert!(
        harness
            .query_by_label_contains("The disk is full.")
            .is_none()
    );
}
