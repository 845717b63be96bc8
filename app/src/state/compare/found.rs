//! A comparison: who answers, what was asked and answered, and what that says. It is under way, or was
//! opened from disk.

use std::path::{Path, PathBuf};

use stepladder_protocol::{
    BASE, CompareCommand, ComparedAnswer, ComparedQuestion, ComparedVariant, ComparisonDocument,
    ComparisonProgress, ComparisonReport, ComparisonStarted, ErrorReport, JobId, VariantReport,
};

use super::asking::name_of;
use super::figures::{self, Charts};
use super::matched::MatchedProgress;
use super::stored::{Opened, SavedAs};

/// How a comparison stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// The model is loaded, the questions are read.
    Preparing,
    /// Runs are trained for it.
    Training,
    /// Answers come.
    Answering,
    /// It is asked to stop.
    Stopping,
    /// It was stopped, or another program is at it.
    Stopped,
    /// It is done.
    Finished,
    /// It could not go on.
    Failed(ErrorReport),
}

/// A question with the answers that are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The question; its words are missing where an unfinished comparison was opened from disk.
    pub question: ComparedQuestion,
    /// Answers in the order of the variants.
    pub answers: Vec<Option<ComparedAnswer>>,
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The job that makes it; the last one that did.
    pub job: JobId,
    /// Its folder, once there is one.
    pub folder: Option<PathBuf>,
    /// What it is called: its folder's name.
    pub name: String,
    /// What was asked; none where nobody wrote it down.
    pub asked: Option<Box<CompareCommand>>,
    /// How it stands.
    pub standing: Standing,
    /// Whether it was stopped for a run that needs the device.
    pub made_way: bool,
    /// The model, as it was named.
    pub model: String,
    /// Who answers, the base first.
    pub variants: Vec<ComparedVariant>,
    /// The place of the variant that the others are compared with.
    pub baseline: usize,
    /// Where the questions come from, in words.
    pub source: String,
    /// The device in words; empty where that is not told.
    pub device: String,
    /// Questions that each variant is asked; 0 before that is known.
    pub questions: usize,
    /// Questions left out because one of the runs was trained on them.
    pub left_out: usize,
    /// Answers that an earlier call gave.
    pub kept: usize,
    /// The questions so far, in their order.
    pub rows: Vec<Row>,
    /// How far it has come.
    pub progress: Option<ComparisonProgress>,
    /// How far the runs have come that are trained for it.
    pub matched: Option<MatchedProgress>,
    /// What was found, once all answers are there.
    pub report: Option<Box<ComparisonReport>>,
    /// What the user should know, a sentence each.
    pub notices: Vec<String>,
    /// What each variant did so far.
    pub figures: Vec<VariantReport>,
    /// Counts changes of the answers.
    pub version: u64,
    refreshed: u64,
}

impl Comparison {
    /// One that was just asked for.
    pub fn asked(command: CompareCommand) -> Self {
        Self {
            job: command.job.clone(),
            model: command.model.clone(),
            asked: Some(Box::new(command)),
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            job: JobId::new(""),
            folder: None,
            name: String::new(),
            asked: None,
            standing: Standing::Preparing,
            made_way: false,
            model: String::new(),
            variants: Vec::new(),
            baseline: 0,
            source: String::new(),
            device: String::new(),
            questions: 0,
            left_out: 0,
            kept: 0,
            rows: Vec::new(),
            progress: None,
            matched: None,
            report: None,
            notices: Vec::new(),
            figures: Vec::new(),
            version: 0,
            refreshed: 0,
        }
    }

    /// One that lies on disk.
    pub fn opened(folder: &Path, opened: Opened) -> Self {
        let mut found = Self {
            asked: opened.asked,
            standing: Standing::Stopped,
            ..Self::empty()
        };
        found.lies_in(folder.to_path_buf());
        if let Some(asked) = &found.asked {
            found.model.clone_from(&asked.model);
        }
        match opened.document {
            Some(document) => found.is_document(*document),
            None => found.is_part(opened.variants, opened.answers),
        }
        found.version += 1;
        found.refresh();
        found
    }

    fn is_document(&mut self, document: ComparisonDocument) {
        let ComparisonDocument { report, rows } = document;
        self.variants = { report.variants.iter() }
            .map(|variant| ComparedVariant {
                name: variant.name.clone(),
                method: variant.method,
                parameters: variant.parameters,
            })
            .collect();
        let number = self.variants.len();
        self.rows = { rows.into_iter() }
            .map(|row| {
                let mut answers: Vec<_> = row.answers.into_iter().map(Some).collect();
                answers.resize(number, None);
                Row {
                    question: row.question,
                    answers,
                }
            })
            .collect();
        self.finish(report);
    }

    fn is_part(&mut self, variants: Vec<String>, answers: Vec<(usize, String, ComparedAnswer)>) {
        self.variants = { variants.into_iter() }
            .map(|name| ComparedVariant {
                name,
                method: None,
                parameters: 0,
            })
            .collect();
        let baseline = { self.asked.as_ref() }.map_or(BASE, |asked| asked.baseline.as_str());
        self.baseline = self.place_of(baseline);
        self.kept = answers.len();
        for (question, variant, answer) in answers {
            let place = { self.variants.iter() }.position(|known| known.name == variant);
            if let Some(place) = place {
                self.answer(question, place, answer);
            }
        }
        self.questions = self.rows.len();
    }

    fn place_of(&self, name: &str) -> usize {
        let place = { self.variants.iter() }.position(|variant| variant.name == name);
        place.unwrap_or(0)
    }

    /// It lies in this folder, which names it.
    pub fn lies_in(&mut self, folder: PathBuf) {
        self.name = crate::text::visible(&name_of(&folder));
        self.folder = Some(folder);
    }

    /// It has its questions and variants.
    pub fn start(&mut self, started: ComparisonStarted) {
        self.lies_in(PathBuf::from(started.out));
        self.variants = started.variants;
        self.baseline = self.place_of(&started.baseline);
        self.source = started.question_source;
        self.device = started.device;
        self.questions = started.questions;
        self.left_out = started.left_out_trained_on;
        self.kept = started.kept_answers;
        self.rows.clear();
        self.version += 1;
        if self.standing != Standing::Stopping {
            self.standing = Standing::Answering;
        }
    }

    fn row(&mut self, number: usize) -> &mut Row {
        let variants = self.variants.len();
        // Questions come in their order, but for what an earlier call asked.
        let place = self
            .rows
            .partition_point(|row| row.question.number < number);
        let is_there = { self.rows.get(place) }.is_some_and(|row| row.question.number == number);
        if !is_there {
            let question = ComparedQuestion {
                number,
                question: String::new(),
                reference: None,
            };
            let answers = vec![None; variants];
            self.rows.insert(place, Row { question, answers });
        }
        &mut self.rows[place]
    }

    /// A question is told.
    pub fn ask(&mut self, question: ComparedQuestion) {
        let number = question.number;
        self.row(number).question = question;
        self.version += 1;
    }

    /// A variant has answered.
    pub fn answer(&mut self, question: usize, variant: usize, answer: ComparedAnswer) {
        if let Some(place) = self.row(question).answers.get_mut(variant) {
            *place = Some(answer);
            self.version += 1;
        }
    }

    /// All answers are there.
    pub fn finish(&mut self, report: ComparisonReport) {
        self.baseline = self.place_of(&report.baseline);
        self.model.clone_from(&report.model);
        self.source.clone_from(&report.question_source);
        self.questions = report.questions;
        self.left_out = report.left_out_trained_on;
        self.notices.clone_from(&report.notices);
        self.report = Some(Box::new(report));
        self.standing = Standing::Finished;
        self.version += 1;
    }

    /// Makes the figures of the answers that are there, if others are there than the last time.
    pub fn refresh(&mut self) {
        if self.refreshed == self.version {
            return;
        }
        self.refreshed = self.version;
        self.figures = match &self.report {
            Some(report) => report.variants.clone(),
            None => figures::so_far(&self.rows, &self.variants, self.baseline),
        };
    }

    /// What the charts show; `against` is the place of the variant that is held against the baseline.
    pub fn charts(&self, against: usize) -> Charts {
        Charts::of(self, against)
    }

    /// Whether the worker is at it.
    pub fn is_on(&self) -> bool {
        match self.standing {
            Standing::Preparing | Standing::Training | Standing::Answering | Standing::Stopping => {
                true
            }
            Standing::Stopped | Standing::Finished | Standing::Failed(_) => false,
        }
    }

    /// Whether there is more to ask, and it is known what.
    pub fn can_go_on(&self) -> bool {
        self.folder.is_some() && self.asked.is_some() && self.report.is_none()
    }

    /// Answers that are there.
    pub fn given(&self) -> usize {
        let of_row = |row: &Row| row.answers.iter().flatten().count();
        self.rows.iter().map(of_row).sum()
    }

    /// Whether there is such a file of it.
    pub fn can_save(&self, kind: SavedAs) -> bool {
        self.folder.is_some()
            && match kind.file() {
                Some(_) => self.report.is_some(),
                None => self.given() > 0 && !self.is_on(),
            }
    }

    /// The variants that can be held against the baseline.
    pub fn others(&self) -> impl Iterator<Item = usize> {
        let baseline = self.baseline;
        (0..self.variants.len()).filter(move |place| *place != baseline)
    }

    /// Whether adapters are of unequal size: by more than a thousandth.
    pub fn sizes_differ(&self) -> bool {
        let sizes = { self.variants.iter() }
            .map(|variant| variant.parameters)
            .filter(|size| *size > 0);
        let (least, most) = sizes.fold((u64::MAX, 0), |(least, most), size| {
            (least.min(size), most.max(size))
        });
        most > 0 && (most - least) as f64 > 0.001 * most as f64
    }
}
