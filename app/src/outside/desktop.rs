//! The real outside: worker processes, the disk, the system's dialogs.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use stepladder_protocol::{Command, CompareCommand, JobId, RunConfig, TrainCommand};

use super::device_watch::DeviceWatch;
use super::workers::{DeskWorker, Mailbox, Wake};
use super::{Outside, dialogs, file_browser};
use crate::state::compare::figures::Charts;
use crate::state::compare::stored::CompareAnswer;
use crate::state::runs::{DiskAnswer, DiskRequest};
use crate::state::settings::Settings;
use crate::state::{Desk, Effect, News};
use crate::{data_folder, disk, link, picture, words};

/// How long a closing window waits for the disk.
const DISK_WITHIN: Duration = Duration::from_secs(3);
/// Steps come ten times a second at most.
const MIN_EVENT_INTERVAL_MS: u64 = 100;

/// The real outside.
pub struct Desktop {
    mailbox: Mailbox,
    news: Receiver<News>,
    /// `None` while it closes.
    disk: Option<Sender<DiskWork>>,
    disk_thread: Option<JoinHandle<()>>,
    /// `None` while it closes.
    devices: Option<DeviceWatch>,
    looking: DeskWorker,
    training: DeskWorker,
    chatting: DeskWorker,
    comparing: DeskWorker,
    settings: Settings,
    /// The same as in the settings, for the thread that looks at devices.
    threads: Arc<Mutex<Option<usize>>>,
}

enum DiskWork {
    Request(DiskRequest),
    Settings(Box<Settings>),
}

impl Desktop {
    /// Starts its threads; worker processes come when they are needed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(settings: Settings, wake: Wake) -> std::io::Result<Self> {
        Self::with_worker(settings, wake, None)
    }

    /// The same with workers of another executable than this one.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn with_worker(
        settings: Settings,
        wake: Wake,
        program: Option<PathBuf>,
    ) -> std::io::Result<Self> {
        let (mailbox, news) = Mailbox::new(wake);
        let (disk, work) = channel();
        let disk_thread = {
            let mailbox = mailbox.clone();
            std::thread::Builder::new()
                .name("disk".to_owned())
                .spawn(move || serve_disk(&work, &mailbox))?
        };
        if settings.device != "cpu" {
            try_card(mailbox.clone(), program.clone())?;
        }
        let looking = DeskWorker::new(Desk::Looking, mailbox.clone(), program.clone())?;
        let threads = Arc::new(Mutex::new(settings.threads));
        let devices = {
            let (ask, threads) = (looking.sender(), Arc::clone(&threads));
            DeviceWatch::start(move |command| {
                let threads = threads.lock().map_or(None, |threads| *threads);
                ask(command, threads);
            })?
        };
        Ok(Self {
            devices: Some(devices),
            threads,
            looking,
            training: DeskWorker::new(Desk::Training, mailbox.clone(), program.clone())?,
            chatting: DeskWorker::new(Desk::Chatting, mailbox.clone(), program.clone())?,
            comparing: DeskWorker::new(Desk::Comparing, mailbox.clone(), program)?,
            mailbox,
            news,
            disk: Some(disk),
            disk_thread: Some(disk_thread),
            settings,
        })
    }

    fn desk(&self, desk: Desk) -> &DeskWorker {
        match desk {
            Desk::Looking => &self.looking,
            Desk::Training => &self.training,
            Desk::Chatting => &self.chatting,
            Desk::Comparing => &self.comparing,
        }
    }

    fn train(&self, job: JobId, config: RunConfig, resume: Option<PathBuf>) {
        let new_run = || {
            let runs = self.settings.runs_folder()?;
            Some(data_folder::new_run_in(
                &runs,
                config.method.name(),
                SystemTime::now(),
            ))
        };
        let out = match &resume {
            Some(_) => None,
            None => new_run(),
        };
        let Some(folder) = resume.clone().or_else(|| out.clone()) else {
            self.mailbox.put(News::Event(
                Desk::Training,
                words::no_data_folder().of(&job),
            ));
            return;
        };
        self.mailbox.put(News::TrainingIn(job.clone(), folder));
        let threads = config.threads;
        let command = TrainCommand {
            job,
            config,
            out,
            resume,
            min_event_interval_ms: MIN_EVENT_INTERVAL_MS,
        };
        self.training
            .send(Command::Train(Box::new(command)), threads);
    }

    fn compare(&self, command: CompareCommand, go_on: Option<PathBuf>) {
        let new = || {
            let data = self.settings.data_folder.as_ref()?;
            let folder = data.join("comparisons");
            let name = match command.train_matched {
                Some(_) => "matched",
                None => "compare",
            };
            Some(data_folder::new_run_in(&folder, name, SystemTime::now()))
        };
        let Some(out) = go_on.or_else(new) else {
            let failed = words::no_data_folder().of(&command.job);
            return self.mailbox.put(News::Event(Desk::Comparing, failed));
        };
        let job = command.job.clone();
        self.mailbox.put(News::ComparingIn(job, out.clone()));
        let command = CompareCommand { out, ..command };
        self.comparing
            .send(Command::Compare(Box::new(command)), self.settings.threads);
    }

    /// Draws on a thread of its own: a picture takes a moment.
    fn save_charts(&self, charts: Charts, to: PathBuf) {
        let mailbox = self.mailbox.clone();
        let drawing = std::thread::Builder::new()
            .name("picture".to_owned())
            .spawn({
                let mailbox = mailbox.clone();
                move || {
                    let saved = picture::save(&charts, &to).map(|()| to);
                    let saved = DiskAnswer::Comparisons(CompareAnswer::Saved(saved));
                    mailbox.put(News::Disk(saved));
                }
            });
        if let Err(error) = drawing {
            let problem = Err(words::compare::not_saved(&error.to_string()));
            let answer = DiskAnswer::Comparisons(CompareAnswer::Saved(problem));
            mailbox.put(News::Disk(answer));
        }
    }

    fn ask_disk(&self, work: DiskWork) {
        let sent = { self.disk.as_ref() }.is_some_and(|disk| disk.send(work).is_ok());
        if !sent {
            self.mailbox.put(News::Notice(words::DISK_GONE.to_owned()));
        }
    }
}

impl Outside for Desktop {
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send(desk, command) => {
                let threads = self.settings.threads;
                self.desk(desk).send(*command, threads);
            }
            Effect::Train {
                job,
                config,
                resume,
            } => self.train(job, *config, resume),
            Effect::Compare { command, go_on } => self.compare(*command, go_on),
            Effect::SaveCharts { charts, to } => self.save_charts(*charts, to),
            Effect::EndWorker(desk) => self.desk(desk).end(),
            Effect::KillWorker(desk) => self.desk(desk).kill(),
            Effect::Pick(picker) => dialogs::open(picker, self.mailbox.clone()),
            Effect::Disk(request) => self.ask_disk(DiskWork::Request(request)),
            Effect::SaveSettings(settings) => {
                self.settings.clone_from(&settings);
                if let Ok(mut threads) = self.threads.lock() {
                    *threads = settings.threads;
                }
                self.ask_disk(DiskWork::Settings(settings));
            }
            Effect::Show(path) => file_browser::show(path, self.mailbox.clone()),
            // The window does these itself.
            Effect::Copy(_)
            | Effect::OpenLink(_)
            | Effect::CloseWindow
            | Effect::Minimize
            | Effect::ToFront => {}
        }
    }

    fn next(&mut self) -> Option<News> {
        self.news.try_recv().ok()
    }
}

impl Drop for Desktop {
    /// All processes are told before any is waited for. What was to be kept on disk is, unless the
    /// disk takes its time: then the window does not wait for what may only be reading.
    fn drop(&mut self) {
        self.devices = None;
        self.looking.begin_closing();
        self.training.begin_closing();
        self.chatting.begin_closing();
        self.comparing.begin_closing();
        self.disk = None;
        if let Some(thread) = self.disk_thread.take() {
            let began = Instant::now();
            while !thread.is_finished() && began.elapsed() < DISK_WITHIN {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Starts `stepladder-cuda` once, beside everything else, and ends it: whether it works is to be known
/// before a run is planned for the card.
fn try_card(mailbox: Mailbox, program: Option<PathBuf>) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("card".to_owned())
        .spawn(move || {
            if let Some(reason) = link::why_no_card(program.as_deref()) {
                mailbox.put(News::CardsRefused(reason));
            }
        })?;
    Ok(())
}

fn serve_disk(work: &Receiver<DiskWork>, mailbox: &Mailbox) {
    while let Ok(work) = work.recv() {
        match work {
            DiskWork::Request(request) => mailbox.put(News::Disk(disk::answer(request))),
            DiskWork::Settings(settings) => {
                if let Err(problem) = disk::settings::save(&settings) {
                    mailbox.put(News::Notice(problem));
                }
            }
        }
    }
}
