//! Runs over each other.

use egui_kittest::kittest::Queryable;
use stepladder_protocol::{Method, RunState};

use super::*;

#[test]
fn ticked_runs_lie_over_each_other_with_what_differed() {
    let mut page = page_of(Vec::new());
    let mut lora = stored("lora", RunState::Finished);
    lora.config.method = Method::Lora;
    lora.config.context = Some(512);
    lora.best = Some(0.125);
    hear(
        &mut page,
        listed(vec![stored("ladder", RunState::Finished), lora]),
    );
    for name in ["ladder", "lora"] {
        page.get_by_label(&format!("Compare {name}")).click();
        page.step();
    }
    play(
        &mut page,
        [
            figures(&folder().join("ladder"), 2.0, 100),
            figures(&folder().join("lora"), 1.0, 50),
        ],
    );
    assert!(shows(&page, "Comparing 2 runs"));
    let loss = label(&page.get_by_label_contains("Loss, ladder: "));
    assert!(loss.contains("Loss, lora: "), "{loss}");
    page.run_steps(2);
    page.get_by_label("What differed");
    page.get_by_label("Method");
    page.get_by_label("Context");
    page.get_by_label("512");
    assert!(
        page.query_by_label("Batch size").is_none(),
        "that is the same"
    );
    page.get_by_label("0.1250");
    click(&mut page, "Clear selection");
    assert!(!shows(&page, "Comparing"));

    // Pressing a run of the list shows it, whatever lay over each other.
    page.get_by_label("Compare ladder").click();
    page.step();
    page.step();
    assert!(shows(&page, "Tick another run"));
    page.get_by_label("Compare lora").click();
    page.run_steps(2);
    assert!(shows(&page, "Comparing 2 runs"));
    let rows: Vec<_> = page
        .get_all_by_role(egui::accesskit::Role::ListItem)
        .map(|row| label(&row))
        .collect();
    assert!(rows[0].contains("held-out loss 0."), "{rows:?}");
    assert!(rows[0].contains("Loss from 1.000 to 0.5"), "{rows:?}");
    page.get_all_by_role(egui::accesskit::Role::ListItem)
        .next()
        .unwrap()
        .click();
    page.run_steps(2);
    assert!(!shows(&page, "Comparing"));
}
