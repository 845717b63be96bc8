//! The page in both themes and at several sizes; with `STEPLADDER_LOOKS=FOLDER` the pictures are kept.

use stepladder_protocol::ErrorReport;

use super::*;
use crate::fine_tune::looks::{KEPT_IN, keep};

#[test]
fn every_state_can_be_drawn() {
    for (theme, mark) in [(ThemeChoice::Light, "light"), (ThemeChoice::Dark, "dark")] {
        for size in [SIZE, SMALL] {
            // As on the Fine-tune page: the other two are for whoever looks at them.
            let is_usual = (theme == ThemeChoice::Light) == (size == SIZE);
            if !is_usual && std::env::var_os(KEPT_IN).is_none() {
                continue;
            }
            let name = |state: &str| format!("compare-{state}-{mark}-{}", size.x);
            let mut window = opened(theme, size);
            keep(&mut window, &name("asking"));
            click(&mut window, "Compare short-thoughts");
            click(&mut window, "How answers are drawn");
            type_in(&mut window, "Number of questions", "no");
            entries(&mut window);
            keep(&mut window, &name("wrong"));

            let mut window = opened(theme, egui::vec2(size.x, size.y * 1.5));
            click(&mut window, "Compare: Methods, trained alike");
            keep(&mut window, &name("matched"));

            let mut window = opened(theme, size);
            begin(&mut window);
            keep(&mut window, &name("preparing"));
            tell(&mut window, started(200, 24));
            tell_all(&mut window, answers(1..=24));
            tell(&mut window, comparing(24, 200));
            keep(&mut window, &name("answering"));
            let problem = ErrorReport::new(
                "worker_died",
                "the worker ended unexpectedly (signal: 9)",
                "x",
            );
            tell(&mut window, Event::Failed(problem));
            keep(&mut window, &name("failed"));

            let mut window = done(theme, size);
            keep(&mut window, &name("done"));
            click(&mut window, "Show: Questions");
            keep(&mut window, &name("questions"));

            let mut window = done(theme, egui::vec2(size.x, 1120.0));
            keep(&mut window, &name("picture"));
            let mut window = done(theme, egui::vec2(size.x, size.y * 2.0));
            keep(&mut window, &name("findings"));
            click(&mut window, "Show: Questions");
            window
                .query_all_by_label_contains("Thought for")
                .next()
                .expect("a trace")
                .click();
            window.run_steps(4);
            keep(&mut window, &name("answers"));

            let mut window = opened(theme, size);
            matched::done(&mut window);
            keep(&mut window, &name("methods"));
        }
    }
}
