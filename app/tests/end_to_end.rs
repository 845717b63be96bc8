//! The whole program without a screen: the window, its state and its outside, with real worker
//! processes and a real disk.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use stepladder::outside::Desktop;
use stepladder::state::chat::ChatAction;
use stepladder::state::chat::sampling::SamplerField;
use stepladder::state::compare::CompareAction;
use stepladder::state::compare::asking::AskingAction;
use stepladder::state::settings::Settings;
use stepladder::state::setup::SetupAction;
use stepladder::state::setup::field::Field;
use stepladder::state::{Action, Page, State};
use stepladder::window::Window;
use stepladder_protocol::{RunState, RunStatus};

const STEPLADDER: &str = env!("CARGO_BIN_EXE_stepladder");
/// Nothing here takes this long unless it hangs.
const LONG: Duration = Duration::from_secs(300);

/// These tests look for worker processes, and each trains with every core: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Live {
    harness: Harness<'static, Window<Desktop>>,
    home: PathBuf,
}

impl Live {
    fn open(home: &Path) -> Self {
        let settings = Settings {
            data_folder: Some(home.to_path_buf()),
            ..Settings::default()
        };
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        let harness = Harness::builder()
            .with_size(egui::vec2(1280.0, 860.0))
            .build_eframe(move |creation| {
                let outside = Desktop::with_worker(
                    settings.clone(),
                    Arc::new(|_| {}),
                    Some(PathBuf::from(STEPLADDER)),
                );
                Window::new(
                    &creation.egui_ctx,
                    State::new(settings, now),
                    outside.unwrap(),
                )
            });
        Self {
            harness,
            home: home.to_path_buf(),
        }
    }

    /// Draws frames until something holds; gives how long it took.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        loop {
            self.harness.step();
            if holds(self) {
                return began.elapsed();
            }
            assert!(began.elapsed() < LONG, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn shows(&self, label: &str) -> bool {
        self.harness
            .query_all_by_label_contains(label)
            .next()
            .is_some()
    }

    fn press(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.step();
    }

    /// Presses the primary button once it says what will happen.
    fn fine_tune(&mut self) {
        self.until("the primary button", |live| live.shows("Fine-tune: "));
        self.harness.get_by_label_contains("Fine-tune: ").click();
        self.until("the Runs page", |live| {
            live.harness.state().state().page == Page::Runs
        });
    }

    fn open_chat(&mut self) {
        self.harness
            .get_by_role_and_label(egui::accesskit::Role::Tab, "Chat")
            .click();
        self.until("the Chat page", |live| {
            live.harness.state().state().page == Page::Chat
        });
    }

    /// Does something on the Chat page that is not about its controls.
    fn chat(&mut self, action: ChatAction) {
        let action = Action::Chat(action);
        self.harness.state_mut().act(action);
        self.harness.step();
    }

    fn run_folder(&self) -> Option<PathBuf> {
        let mut runs: Vec<_> = std::fs::read_dir(self.home.join("runs"))
            .ok()?
            .map(|entry| entry.unwrap().path())
            .collect();
        runs.sort();
        runs.pop()
    }

    fn steps_written(&self) -> usize {
        let metrics = self.run_folder().map(|run| run.join("metrics.jsonl"));
        let text = metrics.and_then(|path| std::fs::read_to_string(path).ok());
        text.map_or(0, |text| text.matches("\"step\",").count())
    }
}

fn status(run: &Path) -> RunStatus {
    serde_json::from_slice(&std::fs::read(run.join("status.json")).unwrap()).unwrap()
}

/// The process that holds a run's lock.
fn worker_of(run: &Path) -> Option<u32> {
    let lock = run.join(".lock");
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for file in files.flatten() {
            if std::fs::read_link(file.path()).is_ok_and(|target| target == lock) {
                return Some(pid);
            }
        }
    }
    None
}

fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
}

fn adapter(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("adapter/adapter_model.safetensors"))
        .or_else(|_| std::fs::read(run.join("adapter/adapter.safetensors")))
        .unwrap()
}

/// One click trains the built-in model; a run that was paused, one whose worker was killed and one
/// whose window was killed all end with the very same adapter.
#[test]
fn one_click_trains_and_nothing_that_happens_on_the_way_changes_the_adapter() {
    let _alone = alone();
    let home = tempfile::tempdir().unwrap();
    let unbroken = unbroken(home.path());
    for (name, disturb) in [
        ("paused", pause as fn(&mut Live)),
        ("worker killed", kill_worker),
    ] {
        let home = home.path().join(name);
        let mut live = Live::open(&home);
        live.fine_tune();
        live.until("the sixth step", |live| live.steps_written() > 5);
        disturb(&mut live);
        assert!(
            !live.shows("Finished"),
            "{name}: nothing was left to disturb"
        );
        live.press("Resume");
        live.until("the end", |live| live.shows("Finished"));
        assert!(adapter(&live.run_folder().unwrap()) == unbroken, "{name}");
    }
    let home = home.path().join("window killed");
    let run = kill_window(&home);
    assert_eq!(status(&run).state, RunState::Interrupted);
    let mut live = Live::open(&home);
    live.press("Runs");
    live.until("the interrupted run", |live| live.shows("Resume"));
    live.press("Resume");
    live.until("the end", |live| live.shows("Finished"));
    assert!(adapter(&run) == unbroken, "window killed");
}

fn unbroken(home: &Path) -> Vec<u8> {
    let mut live = Live::open(&home.join("unbroken"));
    live.fine_tune();
    live.until("the end", |live| live.shows("Finished"));
    let run = live.run_folder().unwrap();
    assert_eq!(status(&run).state, RunState::Finished);
    live.until("the end of the worker", |_| worker_of(&run).is_none());
    adapter(&run)
}

fn pause(live: &mut Live) {
    live.press("Pause");
    live.until("the pause", |live| live.shows("Resume"));
    let run = live.run_folder().unwrap();
    assert_eq!(status(&run).state, RunState::Paused);
    live.until("the end of the worker", |_| worker_of(&run).is_none());
}

fn kill_worker(live: &mut Live) {
    let run = live.run_folder().unwrap();
    kill(worker_of(&run).unwrap());
    let took = live.until("word of it", |live| live.shows("Resume"));
    assert!(live.shows("ended unexpectedly"), "it says what happened");
    assert!(took < Duration::from_secs(5), "it took {took:?} to say so");
}

/// A window in a process of its own, killed while it trains; gives the run.
fn kill_window(home: &Path) -> PathBuf {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_window_that_trains_until_it_is_killed",
            "--nocapture",
        ])
        .env(HOME, home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let run = loop {
        assert!(began.elapsed() < LONG, "it does not train");
        std::thread::sleep(Duration::from_millis(20));
        let runs = std::fs::read_dir(home.join("runs"));
        let Some(run) = runs
            .ok()
            .and_then(|mut runs| Some(runs.next()?.unwrap().path()))
        else {
            continue;
        };
        let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
        if metrics.matches("\"step\",").count() > 5 {
            break run;
        }
    };
    assert!(worker_of(&run).is_some());
    process.kill().unwrap();
    process.wait().unwrap();
    let killed = Instant::now();
    while worker_of(&run).is_some() {
        let waited = killed.elapsed();
        assert!(
            waited < Duration::from_secs(5),
            "the worker outlives its window"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    run
}

/// A real worker answers a real question, with what it thought folded; the conversation is there again
/// when the window is opened anew, and letting the model go ends its process.
#[test]
fn the_built_in_model_answers_on_the_chat_page() {
    let _alone = alone();
    let home = tempfile::tempdir().unwrap();
    let question =
        "Anna has 345 coins. Ben gives Anna 267 more. How many coins does Anna have now?";
    {
        let mut live = Live::open(home.path());
        live.open_chat();
        live.until("the model", |live| live.shows("Ready · CPU"));
        let typed = ChatAction::Draft(question.to_owned());
        live.chat(typed);
        // Always the likeliest token: the same answer every time.
        let field = SamplerField::Temperature;
        live.chat(ChatAction::Sample(field, "0".to_owned()));
        live.press("Send");
        live.until("an answer", |live| live.shows("The answer is 612"));
        live.until("its figures", |live| live.shows("tokens/s"));
        assert!(live.shows("Thought for"));
        assert!(!live.shows("345+267"), "what it thought is folded");
        live.harness.get_by_label_contains("Thought for").click();
        live.until("what it thought", |live| live.shows("345+267"));
        live.press("Free memory");
        live.until("no model", |live| live.shows("Not loaded"));
    }
    let mut live = Live::open(home.path());
    live.open_chat();
    live.until("the list", |live| live.shows("Anna has 345 coins."));
    let entry = live
        .harness
        .query_all_by_label_contains("Anna has 345 coins.")
        .next();
    entry.unwrap().click();
    live.until("the conversation", |live| live.shows("The answer is 612"));
    assert!(live.shows("Thought for"));
}

/// A run of two steps and the built-in model answer real questions on the Compare page; what was found is
/// there again when the window is opened anew, and its worker has ended.
#[test]
fn a_run_is_compared_with_the_built_in_model() {
    let _alone = alone();
    let home = tempfile::tempdir().unwrap();
    let open = |live: &mut Live| {
        live.harness.state_mut().act(Action::Go(Page::Compare));
        live.harness.step();
    };
    let out = {
        let mut live = Live::open(home.path());
        live.until("the primary button", |live| live.shows("Fine-tune: "));
        let steps = SetupAction::Type(Field::Steps, "2".to_owned());
        live.harness.state_mut().act(Action::Setup(steps));
        live.fine_tune();
        live.until("the end", |live| live.shows("Finished"));
        let run = live.run_folder().unwrap();
        live.until("the end of the worker", |_| worker_of(&run).is_none());
        open(&mut live);
        for action in [AskingAction::Tick(run), AskingAction::Limit("2".to_owned())] {
            let action = CompareAction::Asking(action);
            live.harness.state_mut().act(Action::Compare(action));
        }
        live.until("the primary button", |live| {
            live.shows("Compare: 2 variants, 2 questions")
        });
        live.press("Compare: 2 variants, 2 questions");
        live.until("its end", |live| live.shows("Report…"));
        let found = live
            .harness
            .state()
            .state()
            .compare
            .at_work
            .as_ref()
            .unwrap();
        assert_eq!(found.rows.len(), 2);
        let out = found.folder.clone().unwrap();
        for name in [
            "report.json",
            "report.html",
            "answers.csv",
            "comparison.json",
        ] {
            assert!(out.join(name).is_file(), "{name}");
        }
        live.until("the end of the worker", |_| worker_of(&out).is_none());
        out
    };
    let mut live = Live::open(home.path());
    open(&mut live);
    live.until("the list", |live| live.shows("Finished, 2 variants"));
    live.harness
        .get_by_label_contains("Finished, 2 variants")
        .click();
    live.until("what was found", |live| live.shows("Report…"));
    let found = live
        .harness
        .state()
        .state()
        .compare
        .opened
        .as_ref()
        .unwrap();
    assert_eq!(found.folder.as_ref(), Some(&out));
}

const HOME: &str = "STEPLADDER_TEST_WINDOW_HOME";

/// Does something only when [`kill_window`] starts it.
#[test]
fn a_window_that_trains_until_it_is_killed() {
    let Some(home) = std::env::var_os(HOME) else {
        return;
    };
    let mut live = Live::open(Path::new(&home));
    live.fine_tune();
    live.until("the kill", |_| false);
}
