//! The page without a window.

use std::collections::BTreeMap;

use stepladder_protocol::{
    Command, DatasetPreview, EstimateCommand, ExamplePreview, InspectCommand, MemoryParts,
    MemoryReport, Method, MethodEstimate, Switched as Remedy, Verdict,
};

use super::choice::Switched;
use super::memory::WayOut;
use super::*;
use crate::state::Desk;
use stepladder_protocol::{DataFormat, Event, Finished, JobId, Switch};

/// A page, its effects, and its clock.
struct Page {
    setup: Setup,
    effects: Vec<Effect>,
    now: f64,
}

impl Page {
    fn new() -> Self {
        let mut effects = Vec::new();
        let setup = Setup::new(&Settings::default(), &mut effects);
        Self {
            setup,
            effects,
            now: 1000.0,
        }
    }

    /// A page about which everything is known.
    fn ready() -> Self {
        let mut page = Self::new();
        page.say(
            "setup/model/1",
            Event::Finished(Finished::Model(model(1024))),
        );
        page.say(
            "setup/memory/1",
            Event::Finished(Finished::Memory(report(9))),
        );
        page.say(
            "setup/data/1",
            Event::Finished(Finished::Dataset(Box::new(preview(40)))),
        );
        page.effects.clear();
        page
    }

    fn act(&mut self, action: SetupAction) {
        self.setup.act(action, &mut self.effects);
    }

    fn say(&mut self, job: &str, event: Event) {
        self.setup.hear(&JobId::new(job), event, &mut self.effects);
    }

    /// Lets time pass, and gives what was asked since the last time.
    fn wait(&mut self, secs: f64) -> Vec<Command> {
        self.setup.tick(self.now, &mut self.effects);
        self.now += secs;
        self.setup.tick(self.now, &mut self.effects);
        let asked = std::mem::take(&mut self.effects).into_iter();
        asked
            .filter_map(|effect| match effect {
                Effect::Send(Desk::Looking, command) => Some(*command),
                _ => None,
            })
            .collect()
    }
}

fn inspects(commands: &[Command]) -> Vec<&InspectCommand> {
    let inspects = commands.iter().filter_map(|command| match command {
        Command::Inspect(inspect) => Some(inspect),
        _ => None,
    });
    inspects.collect()
}

fn estimates(commands: &[Command]) -> Vec<&EstimateCommand> {
    let estimates = commands.iter().filter_map(|command| match command {
        Command::Estimate(estimate) => Some(&**estimate),
        _ => None,
    });
    estimates.collect()
}

fn stops(commands: &[Command]) -> Vec<&str> {
    let stops = commands.iter().filter_map(|command| match command {
        Command::Stop(stop) => Some(stop.job.0.as_str()),
        _ => None,
    });
    stops.collect()
}

fn model(context_length: usize) -> ModelInfo {
    ModelInfo {
        name: "m".to_owned(),
        path: None,
        architecture: "qwen3".to_owned(),
        file_format: "safetensors".to_owned(),
        parameters: 1000,
        weight_bytes: 2000,
        weight_dtype: "bf16".to_owned(),
        quantization: None,
        layers: 4,
        d_model: 64,
        attention_heads: 2,
        key_value_heads: 2,
        vocabulary: 10,
        context_length,
        tied_embeddings: true,
        chat_template: true,
        license: None,
        tokenizer_tokens: 10,
        types: Vec::new(),
        files: Vec::new(),
    }
}

fn preview(examples: usize) -> DatasetPreview {
    let shown = |row: usize| ExamplePreview {
        row,
        path: "builtin".to_owned(),
        line: row,
        tokens: Some(3),
        segments: Vec::new(),
    };
    DatasetPreview {
        complete: true,
        rows: examples,
        examples,
        shown: (1..=12).map(shown).collect(),
        ..DatasetPreview::default()
    }
}

fn estimate(method: Method, gib: u64, verdict: Verdict) -> MethodEstimate {
    MethodEstimate {
        method,
        total_bytes: gib << 30,
        peak_moment: String::new(),
        parts: MemoryParts::default(),
        breakdown: BTreeMap::new(),
        fits: Some(verdict != Verdict::DoesNotFit),
        verdict: Some(verdict),
        longest_context: None,
        longest_context_is_the_models: false,
        largest_batch: None,
        largest_rank: None,
        largest_d_side: None,
        smallest_card_bytes: None,
        offloaded_bytes: 0,
        weights_kept_as: String::new(),
        trainable_parameters: 1,
        expected_tokens_per_second: None,
        remedy: None,
        leanest: None,
    }
}

/// Ladder takes so many of 10 GiB, at 1,024 tokens.
fn report(gib: u64) -> MemoryReport {
    let verdict = if gib > 10 {
        Verdict::DoesNotFit
    } else {
        Verdict::Fits
    };
    MemoryReport {
        model: "m".to_owned(),
        parameters: 1000,
        weight_dtype: "BF16".to_owned(),
        device: "cpu".to_owned(),
        context: 1024,
        batch_size: 4,
        memory_bytes: Some(10 << 30),
        other_programs_bytes: 0,
        constants_measured: true,
        methods: vec![
            estimate(Method::Ladder, gib, verdict),
            estimate(Method::Qlora, 8, Verdict::Tight),
            estimate(Method::Lora, 20, Verdict::DoesNotFit),
        ],
        advice: Vec::new(),
    }
}

fn problem(code: &str, message: &str) -> Event {
    Event::Failed(ErrorReport::new(code, message, "do so"))
}

#[test]
fn everything_is_asked_at_once_and_one_click_trains() {
    let mut page = Page::new();
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::LookingAtModel));
    let asked = page.wait(0.0);
    let (looks, plans) = (inspects(&asked), estimates(&asked));
    assert_eq!(looks.len(), 2);
    assert_eq!(
        (looks[0].target.as_str(), looks[0].model.as_deref()),
        ("builtin", None)
    );
    assert_eq!(looks[1].model.as_deref(), Some("builtin"));
    assert!(looks[1].data_options.is_some(), "a dataset, not the model");
    assert_eq!(plans[0].methods, METHODS_OF_CARD);
    let page = Page::ready();
    assert!(matches!(page.setup.ready(), Ready::Go(forecast) if forecast.bytes == Some(9 << 30)));
    let settings = Settings {
        device: "cpu".to_owned(),
        threads: Some(3),
        ..Settings::default()
    };
    let config = page.setup.run_config(&settings).unwrap();
    assert_eq!((config.device.as_str(), config.threads), ("cpu", Some(3)));
    assert_eq!(
        (config.model.as_str(), config.data),
        ("builtin", vec!["builtin".to_owned()])
    );
}

const METHODS_OF_CARD: [Method; 4] = memory::METHODS;

#[test]
fn typing_asks_once_it_has_paused() {
    let mut page = Page::ready();
    for text in ["5", "51", "512"] {
        page.act(SetupAction::Type(Field::Context, text.to_owned()));
        assert_eq!(page.wait(0.1), [], "too early");
    }
    let asked = page.wait(0.3);
    assert_eq!(inspects(&asked)[0].context, Some(512));
    assert_eq!(estimates(&asked)[0].config.context, Some(512));
    assert_eq!(asked.len(), 2, "the model is the same");
    assert_eq!(page.wait(1.0), [], "nothing is asked twice");
    assert!(page.setup.next_tick_secs(page.now).is_infinite());

    // Changed and changed back before anything was asked.
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::Context, "512".to_owned()));
    assert!(page.setup.dataset.outdated);
    page.act(SetupAction::Type(Field::Context, String::new()));
    assert_eq!(page.wait(1.0), []);
    assert!(matches!(page.setup.ready(), Ready::Go(_)));
    assert!(!page.setup.dataset.outdated, "it is what it was");

    // The same where something was wrong before: that is still wrong, and still told.
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::Context, "512".to_owned()));
    page.wait(1.0);
    page.say("setup/data/2", problem("io", "cannot be read"));
    page.act(SetupAction::Type(Field::Context, "64".to_owned()));
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::ReadingDataset));
    page.act(SetupAction::Type(Field::Context, "512".to_owned()));
    assert_eq!(inspects(&page.wait(1.0)).len(), 0, "nothing has changed");
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::UsableDataset));
    assert!(page.setup.dataset.problem.is_some() && page.setup.dataset.outdated);

    let mut page = Page::ready();
    page.act(SetupAction::Model("/another".to_owned()));
    page.act(SetupAction::Model("builtin".to_owned()));
    assert_eq!(page.wait(1.0), []);
    assert!(matches!(page.setup.ready(), Ready::Go(_)));
}

#[test]
fn what_does_not_matter_is_not_asked() {
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::LearningRate, "0.001".to_owned()));
    page.act(SetupAction::Choose(Choice::Method(Method::Lora)));
    assert_eq!(page.wait(1.0), [], "neither memory nor data depends on it");
    page.act(SetupAction::Type(Field::Rank, "8".to_owned()));
    let asked = page.wait(1.0);
    assert_eq!((inspects(&asked).len(), estimates(&asked).len()), (0, 1));
    page.act(SetupAction::Choose(Choice::Switched(
        Switched::LossOnTraces,
        Switch::Off,
    )));
    let asked = page.wait(1.0);
    assert_eq!((inspects(&asked).len(), estimates(&asked).len()), (1, 0));
}

#[test]
fn outdated_jobs_are_stopped_and_their_answers_dropped() {
    let mut page = Page::new();
    page.wait(0.0);
    page.act(SetupAction::Model("/m".to_owned()));
    let asked = page.wait(0.0);
    assert_eq!(
        stops(&asked),
        ["setup/model/1", "setup/data/1", "setup/memory/1"]
    );
    page.say("setup/model/1", Event::Finished(Finished::Model(model(1))));
    page.say(
        "setup/data/1",
        Event::Finished(Finished::Dataset(Box::new(preview(1)))),
    );
    page.say(
        "setup/memory/1",
        Event::Finished(Finished::Memory(report(1))),
    );
    page.say("setup/data/1", problem("io", "no"));
    assert!(page.setup.model.info.is_none() && page.setup.memory.report.is_none());
    assert!(page.setup.dataset.preview.is_none() && page.setup.dataset.problem.is_none());
    let asked = page.wait(0.3);
    assert_eq!(inspects(&asked)[0].target, "/m");
    assert_eq!(inspects(&asked)[1].model.as_deref(), Some("/m"));
    // Back to what was being asked when it was stopped: it is without an answer.
    page.act(SetupAction::Model("builtin".to_owned()));
    let asked = page.wait(0.3);
    assert_eq!(inspects(&asked).len(), 2);
    page.say("setup/model/2", Event::Finished(Finished::Model(model(1))));
    assert!(page.setup.model.info.is_none());
    page.say("setup/model/3", Event::Finished(Finished::Model(model(7))));
    assert_eq!(page.setup.model.info.as_ref().unwrap().context_length, 7);
}

#[test]
fn a_model_that_cannot_be_read_leaves_the_rows_as_they_are_written() {
    let mut page = Page::ready();
    page.act(SetupAction::TypeModel(" /gone ".to_owned()));
    page.act(SetupAction::UseTypedModel);
    assert_eq!(page.setup.config.model, "/gone");
    page.wait(0.3);
    page.say(
        "setup/model/2",
        problem("model_folder_missing", "there is no model /gone"),
    );
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::UsableModel));
    let asked = page.wait(0.3);
    assert_eq!(inspects(&asked)[0].model, None);
    assert_eq!(stops(&asked), ["setup/data/2"]);
    page.act(SetupAction::AskAgain);
    assert_eq!(inspects(&page.wait(0.3))[0].target, "/gone");
    page.act(SetupAction::Model(String::new()));
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::Model));
    // A dataset is no model.
    page.act(SetupAction::Model("/a.jsonl".to_owned()));
    page.wait(0.3);
    page.say(
        "setup/model/4",
        Event::Finished(Finished::Dataset(Box::default())),
    );
    assert!(page.setup.model.problem.is_some());
}

#[test]
fn what_cannot_be_is_said_beside_its_field_and_on_the_button() {
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::Context, "many".to_owned()));
    assert_eq!(page.setup.wrong(Field::Context), Some(Wrong::NotWhole));
    assert_eq!(page.setup.text(Field::Context), "many");
    assert_eq!(
        page.setup.config.context, None,
        "the config has what can be"
    );
    let missing = Missing::Field(Field::Context, Wrong::NotWhole);
    assert_eq!(page.setup.ready(), Ready::Missing(missing));
    assert_eq!(page.setup.run_config(&Settings::default()), None);

    page.act(SetupAction::Type(Field::Context, "4096".to_owned()));
    assert_eq!(
        page.setup.wrong(Field::Context),
        Some(Wrong::MoreThanModel(1024))
    );
    page.act(SetupAction::Type(Field::Context, String::new()));
    page.act(SetupAction::Type(Field::BatchSize, "3".to_owned()));
    assert_eq!(
        page.setup.wrong(Field::EffectiveBatchSize),
        Some(Wrong::NotAMultiple(18))
    );
    page.act(SetupAction::Type(Field::BatchSize, "4".to_owned()));
    page.act(SetupAction::Type(Field::DSide, "32".to_owned()));
    page.act(SetupAction::Type(Field::ReductionFactor, "3".to_owned()));
    assert_eq!(
        page.setup.wrong(Field::ReductionFactor),
        Some(Wrong::NotADivisor(64))
    );
    page.act(SetupAction::Type(Field::ReductionFactor, "4".to_owned()));
    assert_eq!(
        page.setup.wrong(Field::ReductionFactor),
        Some(Wrong::Excludes(Field::DSide))
    );
    // LoRA does not look at it.
    page.act(SetupAction::Choose(Choice::Method(Method::Lora)));
    let missing = Missing::Field(Field::ReductionFactor, Wrong::NotEven);
    assert_ne!(page.setup.ready(), Ready::Missing(missing));
    page.act(SetupAction::Reset);
    assert_eq!(page.setup.wrong(Field::ReductionFactor), None);
    assert_eq!(page.setup.config.method, Method::Lora);
}

#[test]
fn a_refusal_of_the_engine_stands_beside_its_field() {
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::TargetModules, "wat".to_owned()));
    page.wait(0.3);
    let message = "target_modules: this model has no linear map \"wat\" in its blocks";
    page.say("setup/memory/2", problem("config_invalid", message));
    let Some(Wrong::Refused(said, hint)) = page.setup.wrong(Field::TargetModules) else {
        panic!("not refused");
    };
    assert!(said.starts_with("this model has no"), "{said}");
    assert_eq!(hint, "do so");
    assert!(
        matches!(page.setup.ready(), Ready::Go(_)),
        "Ladder does not look at it"
    );
    page.act(SetupAction::Choose(Choice::Method(Method::Lora)));
    assert!(matches!(
        page.setup.ready(),
        Ready::Missing(Missing::Field(Field::TargetModules, _))
    ));
    page.act(SetupAction::Type(Field::TargetModules, "q_proj".to_owned()));
    assert_eq!(page.setup.wrong(Field::TargetModules), None);
}

#[test]
fn reading_can_be_canceled_and_taken_up() {
    let mut page = Page::new();
    page.say(
        "setup/model/1",
        Event::Finished(Finished::Model(model(1024))),
    );
    let mut look = preview(0);
    look.complete = false;
    page.say("setup/data/1", Event::Preview(Box::new(look)));
    assert_eq!(
        page.setup.examples.shown().unwrap().row,
        1,
        "the first look is shown at once"
    );
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::ReadingDataset));
    page.wait(0.0);
    page.act(SetupAction::CancelReading);
    assert_eq!(stops(&page.wait(0.3)), ["setup/data/1"]);
    page.say("setup/data/1", Event::Stopped { run: None, step: 0 });
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::WholeDataset));
    page.act(SetupAction::AskAgain);
    let asked = page.wait(0.3);
    assert_eq!(inspects(&asked)[0].job.0, "setup/data/2");
    page.say(
        "setup/data/2",
        Event::Finished(Finished::Dataset(Box::new(preview(0)))),
    );
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::Examples));
}

#[test]
fn examples_far_away_are_fetched_without_reading_all_again() {
    let mut page = Page::ready();
    page.say("setup/data/1", Event::Preview(Box::new(preview(40))));
    page.act(SetupAction::Browse(Browse::Row(33)));
    let asked = page.wait(0.3);
    let look = inspects(&asked)[0];
    assert_eq!((look.job.0.as_str(), look.from), ("setup/rows/1", Some(33)));
    let mut rows = preview(40);
    rows.shown.drain(1..);
    rows.shown[0].row = 33;
    page.say("setup/rows/1", Event::Preview(Box::new(rows)));
    assert_eq!(page.setup.examples.shown().unwrap().row, 33);
    assert_eq!(
        stops(&page.wait(0.0)),
        ["setup/rows/1"],
        "only the rows were wanted"
    );
    assert!(page.setup.dataset.preview.as_ref().unwrap().complete);
    assert!(matches!(page.setup.ready(), Ready::Go(_)));
    // The preview stays where it is when settings change.
    page.act(SetupAction::Type(Field::Context, "64".to_owned()));
    assert_eq!(inspects(&page.wait(0.3))[0].from, Some(33));
}

#[test]
fn other_files_begin_at_the_first_row_without_a_mapping() {
    let mut page = Page::ready();
    page.setup.examples.from = 33;
    page.act(SetupAction::Choose(Choice::Format(DataFormat::Alpaca)));
    page.setup
        .config
        .data_options
        .map
        .insert("a".to_owned(), "output".to_owned());
    let files = ["/d/a.jsonl", "/d/b.csv"].map(PathBuf::from);
    page.setup
        .picked(Picker::DataFiles, files.into(), &mut page.effects);
    assert_eq!(page.setup.config.data, ["/d/a.jsonl", "/d/b.csv"]);
    assert!(page.setup.config.data_options.map.is_empty());
    let again = vec![PathBuf::from("/d/a.jsonl")];
    page.setup
        .picked(Picker::DataFiles, again, &mut page.effects);
    assert_eq!(page.setup.config.data.len(), 2, "none is taken twice");
    let asked = page.wait(0.3);
    let look = inspects(&asked)[0];
    assert_eq!(
        (look.target.as_str(), look.more.as_slice()),
        ("/d/a.jsonl", &["/d/b.csv".to_owned()][..])
    );
    assert_eq!(look.from, Some(1));
    page.act(SetupAction::RemoveData(1));
    page.act(SetupAction::RemoveData(7));
    page.act(SetupAction::RemoveData(0));
    assert_eq!(page.setup.ready(), Ready::Missing(Missing::Dataset));
    assert_eq!(
        inspects(&page.wait(0.3)).len(),
        0,
        "there is nothing to read"
    );
    assert!(page.setup.dataset.preview.is_none());
    page.act(SetupAction::SampleData);
    assert_eq!(inspects(&page.wait(0.3))[0].target, "builtin");
}

#[test]
fn what_is_dropped_becomes_model_data_or_a_sentence() {
    let mut page = Page::ready();
    let paths: Vec<PathBuf> = ["/m", "/a.jsonl"].map(PathBuf::from).into();
    page.setup.dropped(paths.clone(), &mut page.effects);
    assert_eq!(page.effects, [Effect::Disk(DiskRequest::LookAt(paths))]);
    let dropped = |path: &str, kind| Dropped {
        path: path.into(),
        kind,
    };
    let all = vec![
        dropped("/m", DroppedKind::Model),
        dropped("/n", DroppedKind::Model),
        dropped("/a.jsonl", DroppedKind::Data),
        dropped("/x\u{202e}.png", DroppedKind::Unknown),
        dropped("/gone", DroppedKind::Missing),
    ];
    page.setup.looked_at(all, &mut page.effects);
    assert_eq!(page.setup.config.model, "/m");
    assert_eq!(page.setup.config.data, ["/a.jsonl"]);
    let said = page.setup.dataset.not_taken.join("\n");
    assert!(said.contains("n: one model is taken"), "{said}");
    assert!(said.contains("x\\u{202e}.png is neither"), "{said}");
    assert!(said.contains("gone cannot be found"), "{said}");
    page.act(SetupAction::ForgetNotTaken);
    assert!(page.setup.dataset.not_taken.is_empty());
    // A model alone leaves the data as it is.
    page.setup
        .looked_at(vec![dropped("/o", DroppedKind::Model)], &mut page.effects);
    assert_eq!(page.setup.config.data, ["/a.jsonl"]);
}

#[test]
fn ways_out_are_found_and_taken() {
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::BatchSize, "8".to_owned()));
    page.wait(0.3);
    let mut tight = report(12);
    let ladder = &mut tight.methods[0];
    ladder.largest_batch = Some(6);
    ladder.longest_context = Some(768);
    ladder.remedy = Some(Remedy {
        switches: vec!["--recompute on".to_owned(), "--tap-dtype bf16".to_owned()],
        total_bytes: 9 << 30,
        offloaded_bytes: 0,
        longest_context: None,
        longest_context_is_the_models: false,
        longest_context_offloaded_bytes: 0,
    });
    page.say("setup/memory/2", Event::Finished(Finished::Memory(tight)));
    let ways = page.setup.memory.ways_out.clone();
    assert_eq!(ways[0], WayOut::Batch(4), "6 does not divide 16");
    assert!(matches!(&ways[1], WayOut::Savings(savings, _) if savings.len() == 2));
    assert_eq!(ways[2], WayOut::Context(768));
    assert_eq!(ways[3], WayOut::Method(Method::Qlora, 8 << 30));
    assert_eq!(ways.len(), 4);
    let Ready::Go(forecast) = page.setup.ready() else {
        panic!("the rehearsal decides");
    };
    assert_eq!(forecast.verdict, Some(Verdict::DoesNotFit));

    page.act(SetupAction::WayOut(1));
    assert_eq!(page.setup.config.recompute, Some(Switch::On));
    page.act(SetupAction::WayOut(0));
    assert_eq!(page.setup.config.batch_size, 4);
    assert_eq!(page.setup.text(Field::BatchSize), "", "4 is the default");
    page.act(SetupAction::WayOut(99));
    let asked = page.wait(0.3);
    assert_eq!(estimates(&asked)[0].config.batch_size, 4);
    let place =
        |page: &Page, way: &WayOut| page.setup.memory.ways_out.iter().position(|one| one == way);
    let qlora = place(&page, &ways[3]).unwrap();
    page.act(SetupAction::WayOut(qlora));
    assert_eq!(page.setup.config.method, Method::Qlora);
    assert_eq!(page.setup.memory.ways_out, [], "it fits");
}

#[test]
fn a_loaded_config_is_what_the_page_shows() {
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::Context, "many".to_owned()));
    let config = RunConfig {
        model: "/m".to_owned(),
        data: vec!["/a.jsonl".to_owned()],
        data_fingerprints: vec!["f".to_owned()],
        context: Some(512),
        epochs: 1.5,
        taps: Some(vec![1, 2]),
        ..RunConfig::default()
    };
    page.setup.load(config, &mut page.effects);
    assert_eq!(page.setup.text(Field::Context), "512");
    assert_eq!(page.setup.text(Field::Epochs), "1.5");
    assert_eq!(page.setup.text(Field::Taps), "1, 2");
    assert_eq!(page.setup.wrong(Field::Context), None);
    assert!(page.setup.config.data_fingerprints.is_empty());
    let asked = page.wait(0.3);
    assert_eq!(inspects(&asked).len(), 2);
    assert_eq!(page.setup.dataset.rows[0].name, "a.jsonl");
}

#[test]
fn another_device_is_planned_for() {
    let mut page = Page::ready();
    let settings = Settings {
        device: "cuda:1".to_owned(),
        ..Settings::default()
    };
    page.setup.settings_changed(&settings, &mut page.effects);
    let asked = page.wait(0.3);
    assert_eq!(estimates(&asked)[0].config.device, "cuda:1");
    assert_eq!(inspects(&asked).len(), 0);
    // A limit does not make a card of a CPU.
    let mut page = Page::ready();
    page.act(SetupAction::Type(Field::MemoryBytes, "4".to_owned()));
    let asked = page.wait(0.3);
    assert_eq!(estimates(&asked)[0].memory_bytes, Some(4 << 30));
    assert_eq!(estimates(&asked)[0].config.device, "cpu");
}
