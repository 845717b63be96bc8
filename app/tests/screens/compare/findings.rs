//! What a comparison found, and files of it.

use super::*;
use egui_kittest::kittest::Queryable;
use stepladder::state::Picker;
use stepladder::state::compare::stored::SavedAs;

fn window() -> Window {
    done(ThemeChoice::Light, SIZE)
}

#[test]
fn the_report_is_told_in_sentences_and_figures() {
    let window = window();
    for said in [
        "xladder-32 reasons 18.9 tokens shorter (95 %: −21.4 to −16.4) than base, over the 187 questions that both answered; 18.2 tokens shorter",
        "short-thoughts reasons 1.1 tokens shorter (95 %: −3.6 to 1.4, so it may be chance)",
        "158 of 200",
        "−18.9 [−21.4, −16.4]",
        "268,640",
        "0.61",
    ] {
        let said = said.replace(" 1.4,", " +1.4,");
        assert!(shows(&window, &said), "{said}");
    }
    assert!(!shows(&window, "do not have the same number of parameters"));
    assert!(!shows(&window, "Of the answers so far"));
}

#[test]
fn adapters_of_unequal_size_are_told() {
    let mut window = page();
    begin(&mut window);
    let Event::ComparisonStarted(mut began) = started(200, 0) else {
        unreachable!();
    };
    began.variants[2].parameters = 300_000;
    tell(&mut window, Event::ComparisonStarted(began));
    tell_all(&mut window, answers(1..=3));
    assert!(shows(&window, "do not have the same number of parameters"));
}

#[test]
fn charts_are_told_in_words() {
    let window = window();
    let chart = |begin: &str| {
        { window.root().children_recursive() }
            .filter(|node| node.accesskit_node().role() == egui::accesskit::Role::Image)
            .filter_map(|node| node.accesskit_node().label())
            .find(|label| label.starts_with(begin))
            .unwrap_or_else(|| panic!("no chart {begin}"))
    };
    let lengths = chart("How long they reason");
    assert!(lengths.contains("base: median "), "{lengths}");
    assert!(lengths.contains("xladder-32: median "), "{lengths}");
    let pairs = chart("Question by question");
    assert!(pairs.contains("short-thoughts is shorter in "), "{pairs}");
    assert!(shows(&window, "Only baseline "));
}

#[test]
fn a_dot_leads_to_the_answers() {
    // Both charts are in sight.
    let mut window = done(ThemeChoice::Light, SIZE * egui::vec2(1.0, 2.0));
    click(&mut window, "Hold against the baseline");
    window
        .get_by_role_and_label(egui::accesskit::Role::Button, "xladder-32")
        .click();
    window.run_steps(4);
    let view = &window.state().state().compare.view;
    let dot = view.charts.dots[17];
    let most = { view.charts.dots.iter() }
        .map(|dot| dot.baseline.max(dot.this))
        .max()
        .unwrap();
    assert!(most <= 120, "{most}");
    let rect = { window.root().children_recursive() }
        .find(|node| {
            node.accesskit_node()
                .label()
                .unwrap_or_default()
                .starts_with("Question by question:")
        })
        .expect("a chart")
        .rect();
    let end = most.div_ceil(20).max(1) * 20;
    let (x, y) = (
        dot.baseline as f32 / end as f32,
        dot.this as f32 / end as f32,
    );
    let plot = egui::Rect::from_min_max(
        rect.min + egui::vec2(62.0, 22.0),
        rect.max - egui::vec2(14.0, 38.0),
    );
    let at = egui::pos2(
        plot.left() + x * plot.width(),
        plot.bottom() - y * plot.height(),
    );
    window.event(egui::Event::PointerMoved(at));
    window.run_steps(30);
    assert!(shows(&window, "Click to read the answers."));
    for pressed in [true, false] {
        window.event(egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        });
        window.run_steps(1);
    }
    window.run_steps(3);
    let chosen = window
        .state()
        .state()
        .compare
        .view
        .chosen
        .expect("a question");
    let near = { window.state().state().compare.view.charts.dots.iter() }
        .find(|one| one.question == chosen)
        .unwrap();
    assert_eq!((near.baseline, near.this), (dot.baseline, dot.this));
    assert!(shows(&window, "Reference answer"));
}

#[test]
fn questions_are_sorted_and_chosen_also_by_keyboard() {
    let mut window = window();
    click(&mut window, "Show: Questions");
    let numbers = |window: &Window| -> Vec<usize> {
        let rows = &window.state().state().compare.view.table.rows;
        rows.iter().map(|row| row.number).collect()
    };
    let differences = |window: &Window| -> Vec<i64> {
        let rows = &window.state().state().compare.view.table.rows;
        rows.iter().filter_map(|row| row.difference).collect()
    };
    assert!(differences(&window).is_sorted(), "the shortest first");
    click(&mut window, "Sort by Difference");
    assert!(differences(&window).iter().rev().is_sorted());
    click(&mut window, "Sort by No.");
    assert_eq!(numbers(&window), (1..=200).collect::<Vec<_>>());
    let drawn = window
        .query_all_by_role(egui::accesskit::Role::ListItem)
        .count();
    assert!(drawn < 40, "{drawn} rows are drawn");
    window
        .get_by_label_contains("Question 1: Anna has 600 coins.")
        .click();
    window.run_steps(3);
    window
        .get_by_label_contains("Question 1: Anna has 600 coins.")
        .focus();
    window.run_steps(3);
    for number in 2..=30 {
        window.key_press(egui::Key::ArrowDown);
        window.run_steps(4);
        let chosen = window.state().state().compare.view.chosen;
        assert_eq!(chosen, Some(number));
    }
    assert!(shows(&window, "Ben gives Anna 30 more."));
}

#[test]
fn answers_stand_side_by_side_with_their_traces_folded() {
    let mut window = window();
    click(&mut window, "Show: Questions");
    click(&mut window, "Sort by No.");
    window
        .get_by_label_contains("Question 1: Anna has 600 coins.")
        .click();
    window.run_steps(3);
    assert!(shows(&window, "The answer is 601."));
    let judged = |window: &Window, word: &str| window.query_all_by_label(word).count();
    assert_eq!(judged(&window, "Right") + judged(&window, "Wrong"), 3);
    assert!(!shows(&window, "345+267=612"));
    let folds = window.query_all_by_label_contains("Thought for");
    folds.last().expect("a trace").click_accesskit();
    window.run_steps(3);
    assert!(shows(&window, "345+267=612"));
}

#[test]
fn files_are_copied_to_where_the_user_says() {
    let mut window = window();
    for (label, kind, name) in [
        ("CSV…", SavedAs::Csv, "answers.csv"),
        ("JSON…", SavedAs::Json, "report.json"),
        ("Report…", SavedAs::Html, "report.html"),
    ] {
        click(&mut window, label);
        let picker = Picker::SaveComparison(kind);
        assert!(asked(&mut window).contains(&Effect::Pick(picker)));
        let to = PathBuf::from("/tmp/mine");
        hear(&mut window, News::Picked(picker, vec![to.clone()]));
        let from = out().join(name);
        assert_eq!(disk(&mut window), [CompareRequest::Copy { from, to }]);
    }
    from_disk(&mut window, CompareAnswer::Saved(Ok("/tmp/mine".into())));
    assert!(shows(&window, "Saved as /tmp/mine"));
    from_disk(
        &mut window,
        CompareAnswer::Saved(Err("The file cannot be saved: full".to_owned())),
    );
    assert!(shows(&window, "The file cannot be saved: full"));
    assert!(!shows(&window, "Saved as"));
}

#[test]
fn the_charts_are_saved_as_a_picture() {
    let mut window = window();
    click(&mut window, "Charts…");
    let picker = Picker::SaveComparison(SavedAs::Png);
    assert!(asked(&mut window).contains(&Effect::Pick(picker)));
    hear(&mut window, News::Picked(picker, vec!["/tmp/c.png".into()]));
    let saved = { asked(&mut window).into_iter() }.find_map(|effect| match effect {
        Effect::SaveCharts { charts, to } => Some((charts, to)),
        _ => None,
    });
    let (charts, to) = saved.expect("a picture is asked for");
    assert_eq!(to, PathBuf::from("/tmp/c.png"));
    assert_eq!(charts.lengths.len(), 3);
    assert!(charts.dots.len() > 150);
}
