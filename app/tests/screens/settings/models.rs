//! The list of models on the Settings page.

use egui_kittest::kittest::Queryable;
use stepladder::state::runs::stored::{DiskAnswer, DiskRequest};
use stepladder::state::{Desk, Effect, News, Page};
use stepladder_protocol::{
    Command, ErrorReport, Event, Finished, FoundModel, ModelList, ModelSource,
};

use super::{HOME, Role, Window, asked, hear, page_of, press, say, settings, shows};

pub fn model(name: &str, source: ModelSource) -> FoundModel {
    FoundModel {
        name: name.to_owned(),
        target: match source {
            ModelSource::Builtin => "builtin".to_owned(),
            ModelSource::Stepladder => format!("{HOME}/models/{name}"),
            _ => format!("/models/{name}"),
        },
        source,
        file_format: "safetensors".to_owned(),
        bytes: 3 << 30,
        architecture: Some("qwen3".to_owned()),
        problem: None,
    }
}

/// What every test finds.
pub fn three() -> Vec<FoundModel> {
    vec![
        model("builtin", ModelSource::Builtin),
        model("mine", ModelSource::Stepladder),
        FoundModel {
            problem: Some("Q2_K weights are not supported".to_owned()),
            ..model("phi4-mini", ModelSource::Ollama)
        },
    ]
}

/// The first search ends with these.
pub fn found(page: &mut Window, models: Vec<FoundModel>) {
    let list = ModelList {
        models,
        notices: Vec::new(),
    };
    say(page, "models/1", Event::Finished(Finished::Models(list)));
}

fn page_with(models: Vec<FoundModel>) -> Window {
    let mut page = page_of(settings());
    found(&mut page, models);
    asked(&mut page);
    page
}

fn searches(page: &mut Window) -> usize {
    let asked = asked(page);
    { asked.iter() }
        .filter(|effect| match effect {
            Effect::Send(Desk::Looking, command) => matches!(**command, Command::Models(_)),
            _ => false,
        })
        .count()
}

#[test]
fn it_looks_and_looks_again() {
    let mut page = page_of(settings());
    assert!(shows(&page, "Looking…"));
    assert!(page.query_by_label("Look again").is_none());
    found(&mut page, three());
    assert!(!shows(&page, "Looking…"));
    asked(&mut page);
    press(&mut page, Role::Button, "Look again");
    assert_eq!(searches(&mut page), 1);
    assert!(shows(&page, "Looking…"));
}

#[test]
fn models_are_told_as_on_the_fine_tune_page() {
    let page = page_with(three());
    for words in [
        "Built-in model",
        "Built-in · safetensors · qwen3",
        "mine",
        "Stepladder · safetensors",
        "Ollama",
        "3.00 GiB",
        "Not supported",
    ] {
        assert!(shows(&page, words), "{words}");
    }
    assert!(page.query_by_label("builtin").is_none());
}

#[test]
fn a_model_is_taken_to_the_fine_tune_page() {
    let mut page = page_with(three());
    assert!(page.query_by_label("Use phi4-mini").is_none());
    press(&mut page, Role::Button, "Use mine");
    let state = page.state().state();
    assert_eq!(state.page, Page::FineTune);
    assert_eq!(state.setup.config.model, format!("{HOME}/models/mine"));
}

#[test]
fn without_models_it_says_how_they_come() {
    let page = page_with(Vec::new());
    assert!(shows(&page, "No models were found yet"));
}

#[test]
fn a_search_that_failed_says_why_and_names_no_flag() {
    let mut page = page_of(settings());
    let problem = ErrorReport::new("io", "cannot read /models\u{202e}", "use another --out");
    say(&mut page, "models/1", Event::Failed(problem));
    assert!(shows(&page, "cannot read /models"));
    assert!(shows(&page, "Choose another folder."));
    assert!(!shows(&page, "--") && !shows(&page, "\u{202e}"));
    press(&mut page, Role::Button, "Look again");
    assert_eq!(searches(&mut page), 1);
}

#[test]
fn deleting_asks_names_the_bin_and_looks_again() {
    let mut page = page_with(three());
    assert!(
        page.query_by_label("Move phi4-mini to the bin").is_none(),
        "it is not ours"
    );
    press(&mut page, Role::Button, "Move mine to the bin");
    assert!(shows(&page, "Move this model to the bin?"));
    assert!(shows(&page, "mine, 3.00 GiB"));
    press(&mut page, Role::Button, "Cancel");
    assert!(!shows(&page, "Move this model to the bin?"));
    let deletes = |effect: &Effect| matches!(effect, Effect::Disk(_));
    assert!(!asked(&mut page).iter().any(deletes));

    press(&mut page, Role::Button, "Move mine to the bin");
    press(&mut page, Role::Button, "Move to bin");
    let wanted = DiskRequest::DeleteModel {
        model: format!("{HOME}/models/mine").into(),
        folder: format!("{HOME}/models").into(),
    };
    assert!(asked(&mut page).contains(&Effect::Disk(wanted)));
    assert!(!shows(&page, "Move this model to the bin?"));
    let gone = DiskAnswer::ModelDeleted {
        model: format!("{HOME}/models/mine").into(),
        result: Ok(()),
    };
    hear(&mut page, News::Disk(gone));
    assert_eq!(searches(&mut page), 1, "the list is read again");
}

#[test]
fn a_model_that_could_not_be_deleted_stays_and_says_why() {
    let mut page = page_with(three());
    let refused = DiskAnswer::ModelDeleted {
        model: "/models/mine".into(),
        result: Err("/models/mine does not lie in our folder.".to_owned()),
    };
    hear(&mut page, News::Disk(refused));
    assert!(shows(&page, "/models/mine does not lie in our folder."));
    page.get_by_label("mine");
}

#[test]
fn a_model_that_is_gone_is_asked_about_no_more() {
    let mut page = page_with(three());
    press(&mut page, Role::Button, "Look again");
    press(&mut page, Role::Button, "Move mine to the bin");
    let list = ModelList {
        models: vec![model("builtin", ModelSource::Builtin)],
        notices: Vec::new(),
    };
    say(
        &mut page,
        "models/2",
        Event::Finished(Finished::Models(list)),
    );
    page.step();
    assert!(!shows(&page, "Move this model to the bin?"));
}

#[test]
fn foreign_names_steer_nothing() {
    let evil = format!("a\u{202e}\u{1b}[2J{}", "x".repeat(300));
    let page = page_with(vec![FoundModel {
        file_format: evil.clone(),
        architecture: Some(evil.clone()),
        problem: Some(evil.clone()),
        ..model(&evil, ModelSource::HuggingFace)
    }]);
    assert!(!shows(&page, "\u{202e}") && !shows(&page, "\u{1b}"));
}
